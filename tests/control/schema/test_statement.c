/* What schema scripts say, and what becomes of it beside the stream. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "statement.h"

static void expect_pair(const char *sql, const char *settings, const char *build, const char *rest,
                        const char *index)
{
    StatementPair pair;
    assert_true(statement_pair(sql, &pair));
    assert_string_equal(pair.settings.data != NULL ? pair.settings.data : "", settings);
    assert_string_equal(pair.build.data, build);
    assert_string_equal(pair.rest.data != NULL ? pair.rest.data : "", rest);
    assert_string_equal(pair.index.data, index);
    statement_pair_free(&pair);
}

static void expect_no_pair(const char *sql)
{
    StatementPair pair;
    assert_false(statement_pair(sql, &pair));
    statement_pair_free(&pair);
}

static void index_is_built_concurrently(void **state)
{
    (void)state;
    expect_pair("CREATE INDEX a_b ON public.a USING btree (b);\n", "",
                "CREATE INDEX CONCURRENTLY a_b ON public.a USING btree (b);", "", "a_b");
    expect_pair(
        "SET default_tablespace = fast;\nCREATE UNIQUE INDEX \"A \"\"b\" ON \"S.x\".\"t;\" USING btree (b) "
        "WHERE (c = ';');\n"
        "ALTER TABLE \"S.x\".\"t;\" CLUSTER ON \"A \"\"b\";\n",
        "SET default_tablespace = fast;\n",
        "CREATE UNIQUE INDEX CONCURRENTLY \"A \"\"b\" ON \"S.x\".\"t;\" USING btree (b) WHERE (c = ';');",
        "\nALTER TABLE \"S.x\".\"t;\" CLUSTER ON \"A \"\"b\";\n", "A \"b");
    expect_no_pair("CREATE INDEX a_b ON ONLY public.a USING btree (b);");
    expect_no_pair("CREATE STATISTICS public.s ON a, b FROM public.t;");
    expect_no_pair("");
}

static void string_with_escapes_does_not_end_early(void **state)
{
    (void)state;
    expect_pair("CREATE INDEX i ON public.t USING btree (v) WHERE (v = E'\\\\;\\'');COMMENT", "",
                "CREATE INDEX CONCURRENTLY i ON public.t USING btree (v) WHERE (v = E'\\\\;\\'');", "COMMENT",
                "i");
}

static void unique_constraint_takes_an_index(void **state)
{
    (void)state;
    expect_pair("ALTER TABLE ONLY public.t\n    ADD CONSTRAINT t_a_key UNIQUE (a, \"b)\");\n", "",
                "CREATE UNIQUE INDEX CONCURRENTLY t_a_key ON public.t (a, \"b)\")",
                "ALTER TABLE ONLY public.t ADD CONSTRAINT t_a_key UNIQUE USING INDEX t_a_key ;", "t_a_key");
    expect_pair(
        "ALTER TABLE ONLY public.t\n    ADD CONSTRAINT k PRIMARY KEY (a) INCLUDE (c) WITH (fillfactor='70') "
        "DEFERRABLE INITIALLY DEFERRED;",
        "", "CREATE UNIQUE INDEX CONCURRENTLY k ON public.t (a) INCLUDE (c) WITH (fillfactor='70')",
        "ALTER TABLE ONLY public.t ADD CONSTRAINT k PRIMARY KEY USING INDEX k DEFERRABLE INITIALLY DEFERRED;",
        "k");
    expect_no_pair("ALTER TABLE ONLY public.t\n    ADD CONSTRAINT x EXCLUDE USING gist (r WITH &&);");
    expect_no_pair("ALTER TABLE ONLY public.t\n    ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES public.u(a);");
    expect_no_pair("ALTER TABLE ONLY public.t\n    ADD CONSTRAINT u UNIQUE NULLS NOT DISTINCT (a);");
}

static void expect_text(bool made, Text *text, const char *expected)
{
    assert_int_equal(made, expected != NULL);
    if (expected != NULL) {
        assert_string_equal(text->data, expected);
    }
    text_free(text);
}

static void constraint_is_added_not_valid(void **state)
{
    (void)state;
    Text text = {0};
    expect_text(
        statement_not_valid(
            "ALTER TABLE ONLY public.c\n    ADD CONSTRAINT f FOREIGN KEY (p) REFERENCES public.p(id);\n",
            &text),
        &text,
        "ALTER TABLE ONLY public.c\n    ADD CONSTRAINT f FOREIGN KEY (p) REFERENCES public.p(id) NOT "
        "VALID;\n");
    expect_text(
        statement_not_valid(
            "ALTER TABLE public.parted\n    ADD CONSTRAINT f FOREIGN KEY (p) REFERENCES public.p(id);",
            &text),
        &text, NULL);
    expect_text(
        statement_not_valid(
            "ALTER TABLE ONLY public.c ADD CONSTRAINT f FOREIGN KEY (p) REFERENCES public.p(id) NOT VALID;",
            &text),
        &text, NULL);
    expect_text(statement_not_valid("ALTER TABLE public.c ADD CONSTRAINT k CHECK ((a > ';'::text));", &text),
                &text, "ALTER TABLE public.c ADD CONSTRAINT k CHECK ((a > ';'::text)) NOT VALID;");
    expect_text(statement_not_valid("ALTER TABLE ONLY public.c ADD CONSTRAINT k UNIQUE (a);", &text), &text,
                NULL);
    expect_text(statement_validate("ALTER TABLE ONLY public.\"C d\"\n    ADD CONSTRAINT \"f g\" FOREIGN KEY "
                                   "(p) REFERENCES public.p(id);\n",
                                   &text),
                &text, "ALTER TABLE ONLY public.\"C d\" VALIDATE CONSTRAINT \"f g\"");
    expect_text(statement_validate("CREATE INDEX i ON public.t USING btree (v);", &text), &text, NULL);
}

static void definition_is_known_again(void **state)
{
    (void)state;
    assert_true(
        statement_defines("SET default_tablespace = '';\nCREATE INDEX i ON public.t USING btree (v);\n",
                          "CREATE INDEX i ON public.t USING btree (v)"));
    assert_false(statement_defines("CREATE INDEX i ON public.t USING btree (v);",
                                   "CREATE INDEX i ON public.t USING btree (w)"));
    assert_false(statement_defines("CREATE INDEX i ON public.t USING btree (v, w);",
                                   "CREATE INDEX i ON public.t USING btree (v"));
    assert_true(
        statement_defines("ALTER TABLE ONLY public.t\n    ADD CONSTRAINT k UNIQUE (a);", "UNIQUE (a)"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(index_is_built_concurrently),
        cmocka_unit_test(string_with_escapes_does_not_end_early),
        cmocka_unit_test(unique_constraint_takes_an_index),
        cmocka_unit_test(constraint_is_added_not_valid),
        cmocka_unit_test(definition_is_known_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
