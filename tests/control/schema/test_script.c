/*
 * The script of pg_restore, taken apart: what belongs to an object, and what only looks like the beginning of one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "script.h"

#define HEAD                                                                                                 \
    "--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n\nSET statement_timeout = 0;\nSET row_security " \
    "= off;\n\n"
#define TAIL                                                                                                 \
    "\n-- Completed on 2026-01-01\n\n--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict abc\n\n"
#define ENTRY(ids, needs, name) "--\n-- TOC entry " ids "\n" needs "-- Name: " name "\n-- Data Pos: 0\n--\n\n"

static SchemaScript parse(const char *text)
{
    SchemaScript script;
    Error error = {0};
    assert_int_equal(script_parse(strdup(text), &script, &error), 0);
    return script;
}

static void an_object_has_its_names_needs_and_statements(void **state)
{
    (void)state;
    SchemaScript script = parse(
        HEAD ENTRY("3002 (class 2606 OID 16400)", "-- Dependencies: 215 2994\n",
                   "child child_p_fkey; Type: FK CONSTRAINT; Schema: public; Owner: app") "ALTER "
                                                                                          "TABLE "
                                                                                          "x;\n\n\n" TAIL);
    assert_int_equal(script.count, 1);
    const SchemaObject *object = &script.objects[0];
    assert_int_equal(object->dump_id, 3002);
    assert_int_equal(object->class_id, 2606);
    assert_int_equal(object->object_id, 16400);
    assert_string_equal(object->name, "child child_p_fkey");
    assert_string_equal(object->kind, "FK CONSTRAINT");
    assert_string_equal(object->schema, "public");
    assert_string_equal(object->sql, "ALTER TABLE x;");
    assert_int_equal(object->need_count, 2);
    assert_int_equal(object->needs[1], 2994);
    assert_null(object->tablespace);
    script_free(&script);
}

static void settings_go_with_the_objects_behind_them(void **state)
{
    (void)state;
    SchemaScript script = parse(
        HEAD ENTRY("1 (class 1 OID 1)", "",
                   "a; Type: TABLE; Schema: s; Owner: o") "CREATE TABLE a;\n\n\n"
                                                          "SET default_tablespace = fast;\n\nSET "
                                                          "default_table_access_method = "
                                                          "heap;\n\n" ENTRY(
                                                              "2 (class 1 OID 2)", "",
                                                              "b; Type: TABLE; Schema: s; Owner: "
                                                              "o") "CREATE TABLE b;\n\n"
                                                                   "SET default_tablespace = "
                                                                   "'';\n\n" ENTRY("3 (class 1 OID 3)", "",
                                                                                   "c; Type: TABLE; Schema: "
                                                                                   "s; "
                                                                                   "Owner: o") "CREATE TABLE "
                                                                                               "c;\n" TAIL);
    assert_int_equal(script.count, 3);
    assert_string_equal(script.objects[0].sql, "CREATE TABLE a;");
    assert_null(script.objects[0].tablespace);
    assert_string_equal(script.objects[1].sql, "CREATE TABLE b;");
    assert_string_equal(script.objects[1].tablespace, "SET default_tablespace = fast;");
    assert_string_equal(script.objects[2].tablespace, "SET default_tablespace = '';");
    assert_string_equal(script.objects[2].access_method, "SET default_table_access_method = heap;");
    script_free(&script);
}

/* Each of these quotes the comments over an object. */
static void the_body_of_a_function_is_not_searched(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "SELECT $$\n" ENTRY("9 (class 1 OID 9)", "", "x; Type: TABLE; Schema: s; Owner: o") "$$;",
        "SELECT $a_1$ $$ \n" ENTRY("9 (class 1 OID 9)", "", "x; Type: TABLE; Schema: s; Owner: o") "$a_1$;",
        "SELECT '\n" ENTRY("9 (class 1 OID 9)", "", "it''s; Type: TABLE; Schema: s; Owner: o") "';",
        "SELECT E'\\'\n" ENTRY("9 (class 1 OID 9)", "", "x; Type: TABLE; Schema: s; Owner: o") "';",
        "SELECT 1 AS \"\n" ENTRY("9 (class 1 OID 9)", "", "x; Type: TABLE; Schema: s; Owner: o") "\";",
        "SELECT a$b$, 1 -- it's\n, '\n" ENTRY("9 (class 1 OID 9)", "",
                                              "x; Type: T; Schema: s; Owner: o") "';",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        char text[2048];
        snprintf(text, sizeof text, "%s%s%s\n\n%s%s%s", HEAD,
                 ENTRY("1 (class 1 OID 1)", "", "f(); Type: FUNCTION; Schema: s; Owner: o"), bodies[i],
                 ENTRY("2 (class 1 OID 2)", "", "t; Type: TABLE; Schema: s; Owner: o"), "CREATE TABLE t;\n",
                 TAIL);
        SchemaScript script = parse(text);
        assert_int_equal(script.count, 2);
        assert_string_equal(script.objects[0].sql, bodies[i]);
        assert_string_equal(script.objects[1].sql, "CREATE TABLE t;");
        script_free(&script);
    }
}

static void what_every_target_has_is_left_out_or_made_if_it_is_not_there(void **state)
{
    (void)state;
    SchemaScript script = parse(HEAD ENTRY(
        "1 (class 2615 OID 2200)", "",
        "public; Type: SCHEMA; Schema: -; Owner: o") "ALTER "
                                                     "SCHEMA public OWNER TO app;\n\n" ENTRY(
                                                         "2 (class 0 OID 0)", "",
                                                         "EXTENSION hstore; Type: COMMENT; Schema: "
                                                         "-; Owner: ") "COMMENT "
                                                                       "ON EXTENSION hstore IS "
                                                                       "'x';\n\n" ENTRY(
                                                                           "3 (class 0 OID 0)", "",
                                                                           "SCHEMA public; Type: "
                                                                           "ACL; Schema: -; Owner: "
                                                                           "o") "GRANT "
                                                                                "x;\n\n" ENTRY(
                                                                                    "4 "
                                                                                    "(cl"
                                                                                    "ass"
                                                                                    " 1 "
                                                                                    "OID"
                                                                                    " 4"
                                                                                    ")",
                                                                                    "",
                                                                                    "odd"
                                                                                    "; "
                                                                                    "Typ"
                                                                                    "e: "
                                                                                    "TAB"
                                                                                    "LE;"
                                                                                    " Sc"
                                                                                    "hem"
                                                                                    "a: "
                                                                                    "x; "
                                                                                    "Typ"
                                                                                    "e: "
                                                                                    "VIE"
                                                                                    "W; "
                                                                                    "Sch"
                                                                                    "ema"
                                                                                    ": "
                                                                                    "s; "
                                                                                    "Own"
                                                                                    "er:"
                                                                                    " o") "CREATE VIEW "
                                                                                          "v;\n" TAIL);
    assert_int_equal(script.count, 2);
    assert_string_equal(script.objects[0].sql, "CREATE SCHEMA IF NOT EXISTS public;");
    assert_string_equal(script.objects[1].name, "odd; Type: TABLE; Schema: x");
    assert_string_equal(script.objects[1].kind, "VIEW");
    script_free(&script);
}

static void an_empty_section_has_no_objects(void **state)
{
    (void)state;
    SchemaScript script = parse(HEAD TAIL);
    assert_int_equal(script.count, 0);
    script_free(&script);
}

static void what_is_cut_short_is_refused(void **state)
{
    (void)state;
    SchemaScript script;
    Error error = {0};
    assert_int_equal(
        script_parse(strdup(HEAD "--\n-- TOC entry 1 (class 1 OID 1)\n-- Name: x; Type: T"), &script, &error),
        -1);
    assert_int_equal(error.code, ERROR_PROTOCOL);
    script_free(&script);
}

/* Nothing may look at the rest of the script for each object: of so many that does not end before ctest gives up. */
static void a_script_of_very_many_objects_is_read(void **state)
{
    enum { OBJECTS = 400000, ROOM = 200 };
    (void)state;
    SchemaScript script;
    Error error = {0};
    char *text = malloc((size_t)OBJECTS * ROOM), *end = text;
    assert_non_null(text);
    for (int i = 1; i <= OBJECTS; i++) {
        end += snprintf(
            end, ROOM,
            "--\n-- TOC entry %d (class 1259 OID %d)\n-- Name: t%d; Type: TABLE; Schema: s; Owner: o\n"
            "-- Data Pos: 0\n--\n\nCREATE TABLE s.t%d (id integer NOT NULL);\n\n\n",
            i, i, i, i);
    }
    assert_int_equal(script_parse(text, &script, &error), 0);
    assert_int_equal(script.count, OBJECTS);
    assert_int_equal(script.objects[OBJECTS - 1].object_id, OBJECTS);
    script_free(&script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_object_has_its_names_needs_and_statements),
        cmocka_unit_test(settings_go_with_the_objects_behind_them),
        cmocka_unit_test(the_body_of_a_function_is_not_searched),
        cmocka_unit_test(what_every_target_has_is_left_out_or_made_if_it_is_not_there),
        cmocka_unit_test(an_empty_section_has_no_objects),
        cmocka_unit_test(what_is_cut_short_is_refused),
        cmocka_unit_test(a_script_of_very_many_objects_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
