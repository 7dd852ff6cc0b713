/*
 * Which statement a message is about, and what becomes of it: without a server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "decide.h"

/* A message about a statement of query; stack NULL: of the string's own. */
static DdlMessage message_of(const char *tag, const char *query, int number, const char *stack)
{
    DdlMessage message;
    Error error;
    json_t *root =
        json_pack("{s:i, s:s, s:s, s:s, s:i, s:s*, s:s, s:s}", "version", 1, "event", "end", "tag", tag,
                  "query", query, "number", number, "stack", stack, "role", "app", "path", "public");
    char *text = json_dumps(root, 0);
    json_decref(root);
    assert_int_equal(ddl_message_read((Bytes){(const uint8_t *)text, strlen(text)}, &message, &error), 0);
    free(text);
    return message;
}

/* The text that is found, or the error's words. */
static void expect(const char *tag, const char *query, int number, const char *stack, const char *text,
                   const char *words)
{
    DdlMessage message = message_of(tag, query, number, stack);
    DdlStatement statement;
    Error error = {0};
    int status = ddl_statement_find(&message, &statement, &error);
    if (text != NULL) {
        assert_string_equal(status == 0 ? statement.text.data : error.message, text);
    } else {
        assert_int_equal(status, -1);
        assert_non_null(strstr(error.message, words));
    }
    ddl_statement_free(&statement);
    ddl_message_free(&message);
}

static void one_of_a_string_is_found_by_its_number(void **state)
{
    (void)state;
    const char *query = "CREATE TABLE a (id int); INSERT INTO a VALUES (1);\n ALTER TABLE a ADD b text "
                        "DEFAULT ';' ; DROP TABLE a";
    expect("CREATE TABLE", query, 1, NULL, "CREATE TABLE a (id int)", NULL);
    expect("ALTER TABLE", query, 2, NULL, "ALTER TABLE a ADD b text DEFAULT ';'", NULL);
    expect("DROP TABLE", query, 3, NULL, "DROP TABLE a", NULL);
    expect("CREATE INDEX", query, 2, NULL, NULL, "none that the source calls CREATE INDEX");
    expect("DROP TABLE", query, 4, NULL, NULL, "this was number 4");
    expect("CREATE TABLE", "CREATE ROLE x; COMMENT ON DATABASE d IS 'x'; CREATE TABLE a ()", 1, NULL,
           "CREATE TABLE a ()", NULL);
}

static void what_goes_back_between_makes_it_uncertain(void **state)
{
    (void)state;
    expect("CREATE TABLE", "SAVEPOINT s; CREATE TABLE a (); ROLLBACK TO s; CREATE TABLE b ()", 1, NULL, NULL,
           "rolls back");
    expect("CREATE TABLE", "SELECT 1; ROLLBACK; CREATE TABLE b ()", 1, NULL, "CREATE TABLE b ()", NULL);
    expect("CREATE TABLE", "CREATE TABLE a (); DISCARD ALL; CREATE TABLE b ()", 1, NULL, NULL, "resets");
}

static void one_of_a_function_is_in_the_call_stack(void **state)
{
    (void)state;
    expect("CREATE TABLE", "SELECT f()", 0,
           "SQL statement \"CREATE TABLE a (id int)\"\nPL/pgSQL function f() line 3 at SQL statement",
           "CREATE TABLE a (id int)", NULL);
    expect("COMMENT", "DO 'x'", 0,
           "SQL statement \"COMMENT ON TABLE \"a\"\n IS 'say \"x\"\n; -- \"'\"\nPL/pgSQL function "
           "inline_code_block line 1 at EXECUTE",
           "COMMENT ON TABLE \"a\"\n IS 'say \"x\"\n; -- \"'", NULL);
    expect("CREATE TABLE", "SELECT f()", 0,
           "SQL statement \"CREATE TABLE a (); CREATE TABLE b ()\"\nPL/pgSQL function f()", NULL,
           "cannot be told");
    expect("CREATE TABLE", "SELECT f()", 0, "SQL function \"f\" statement 1", NULL, "does not show");
    expect("CREATE TABLE", "SELECT f()", 1, NULL, NULL, "has 0 statements");
}

static void what_the_parser_does_not_understand_is_said(void **state)
{
    (void)state;
    expect("CREATE TABLE", "", 4000, NULL, NULL, "too long to come with each");
    expect("CREATE TABLE", "CREATE TABLE a (x int) WITH OIDS", 1, NULL, NULL,
           "parser does not understand it");
}

static DdlVerdict classify(const char *sql)
{
    DdlStatement statement;
    Error error;
    assert_int_equal(ddl_statement_parse(sql, &statement, &error), 0);
    DdlVerdict verdict = ddl_classify(statement.node);
    ddl_statement_free(&statement);
    return verdict;
}

static void each_kind_has_its_class(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        DdlClass class;
    } cases[] = {
        {"CREATE TABLE a (id int)", DDL_APPLIED},
        {"CREATE TEMP TABLE a (id int)", DDL_LEFT_OUT},
        {"CREATE TEMP TABLE a AS SELECT 1", DDL_LEFT_OUT},
        {"CREATE TABLE a (id int) TABLESPACE fast", DDL_ASKS},
        {"CREATE INDEX ON a (id) TABLESPACE fast", DDL_ASKS},
        {"ALTER TABLE a ADD b int, SET TABLESPACE fast", DDL_ASKS},
        {"CREATE PUBLICATION p FOR ALL TABLES", DDL_LEFT_OUT},
        {"DROP PUBLICATION p", DDL_LEFT_OUT},
        {"ALTER EXTENSION hstore UPDATE", DDL_ASKS},
        {"DROP OWNED BY app", DDL_ASKS},
        {"VACUUM a", DDL_ASKS},
        {"CREATE AGGREGATE t (int) (SFUNC = int4pl, STYPE = int)", DDL_APPLIED},
        {"GRANT SELECT ON a TO PUBLIC", DDL_APPLIED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(classify(cases[i].sql).class, cases[i].class);
    }
    assert_true(classify("CREATE TABLE a AS SELECT 1").from_columns);
    assert_true(classify("SELECT 1 AS x INTO a").from_columns);
    assert_false(classify("CREATE MATERIALIZED VIEW a AS SELECT 1").from_columns);
}

static void concurrently_is_taken_out_and_nothing_else(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"CREATE  UNIQUE INDEX concurrently \"concurrently\" ON a (b) /* concurrently */",
         "CREATE  UNIQUE INDEX  \"concurrently\" ON a (b) /* concurrently */"},
        {"REFRESH MATERIALIZED VIEW CONCURRENTLY m", "REFRESH MATERIALIZED VIEW  m"},
        {"DROP INDEX CONCURRENTLY IF EXISTS \"x y\"", "DROP INDEX  IF EXISTS \"x y\""},
        {"ALTER TABLE a DETACH PARTITION b CONCURRENTLY", "ALTER TABLE a DETACH PARTITION b "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        DdlStatement statement;
        Text out = {0};
        Error error;
        assert_int_equal(ddl_statement_parse(cases[i][0], &statement, &error), 0);
        assert_true(ddl_classify(statement.node).without_concurrently);
        assert_int_equal(ddl_statement_drop_concurrently(&statement, &out, &error), 0);
        assert_string_equal(out.data, cases[i][1]);
        text_free(&out);
        ddl_statement_free(&statement);
    }
}

/* 'y': repeatable; the functions behind. */
static void expect_rewrite(const char *sql, int reasons, bool repeatable, const char *functions,
                           const char *plain)
{
    DdlStatement statement;
    Text names = {0}, columns = {0};
    Error error;
    assert_int_equal(ddl_statement_parse(sql, &statement, &error), 0);
    assert_int_equal(ddl_rewrite_is_repeatable(statement.node, reasons, &names, &columns), repeatable);
    if (repeatable) {
        assert_string_equal(names.data != NULL ? names.data : "", functions);
        assert_string_equal(columns.data, plain);
    }
    text_free(&names);
    text_free(&columns);
    ddl_statement_free(&statement);
}

static void values_of_a_rewrite_are_known_or_not(void **state)
{
    (void)state;
    expect_rewrite("ALTER TABLE a ADD b float8 DEFAULT random()", 2, true, "random",
                   "{}"); /* the server says that it is volatile */
    expect_rewrite("ALTER TABLE a ADD b serial", 2, false, NULL, NULL);
    expect_rewrite("ALTER TABLE a ADD b int GENERATED ALWAYS AS IDENTITY", 2, false, NULL, NULL);
    expect_rewrite("ALTER TABLE a ADD b timestamptz DEFAULT current_timestamp", 2, false, NULL, NULL);
    expect_rewrite("ALTER TABLE a ADD b date DEFAULT 'Today'", 2, false, NULL, NULL);
    expect_rewrite("ALTER TABLE a ADD b percent", 2, true, "", "{\"b\"}");
    expect_rewrite("ALTER TABLE a ALTER b TYPE bigint", 4, true, "", "{}");
    expect_rewrite("ALTER TABLE a ALTER b TYPE int USING coalesce(length(b), 0) + 1", 4, true, "length",
                   "{}");
    expect_rewrite("ALTER TABLE a ALTER b TYPE int USING (SELECT 1)", 4, false, NULL, NULL);
    expect_rewrite("ALTER TABLE a SET LOGGED", 1, false, NULL, NULL);
    expect_rewrite("ALTER TABLE a SET UNLOGGED", 1, true, "", "{}");
}

static void decide(DdlMessage *message, DdlKnown known, DdlDecision decision, DdlPlan *plan)
{
    const DdlDecided decided = {.decision = decision, .edited = "CREATE TABLE other ()"};
    known.decided = &decided;
    ddl_decide(message, &known, plan);
}

static void nothing_runs_without_its_seal(void **state)
{
    (void)state;
    DdlMessage message = message_of("CREATE TABLE", "CREATE TABLE a ()", 1, NULL);
    DdlPlan plan;
    decide(&message, (DdlKnown){.sealed = false}, DECISION_NONE, &plan);
    assert_int_equal(plan.action, DO_ASK);
    ddl_plan_free(&plan);
    decide(&message, (DdlKnown){.sealed = false}, DECISION_APPLY, &plan);
    assert_int_equal(plan.action, DO_ASK);
    ddl_plan_free(&plan);
    decide(&message, (DdlKnown){.sealed = true}, DECISION_NONE, &plan);
    assert_int_equal(plan.action, DO_RUN);
    assert_string_equal(plan.sql.data, "CREATE TABLE a ()");
    ddl_plan_free(&plan);
    decide(&message, (DdlKnown){.sealed = true}, DECISION_EDIT, &plan);
    assert_string_equal(plan.sql.data, "CREATE TABLE other ()");
    ddl_plan_free(&plan);
    decide(&message, (DdlKnown){.sealed = true}, DECISION_SKIP, &plan);
    assert_int_equal(plan.action, DO_SKIP);
    ddl_plan_free(&plan);
    ddl_message_free(&message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_of_a_string_is_found_by_its_number),
        cmocka_unit_test(what_goes_back_between_makes_it_uncertain),
        cmocka_unit_test(one_of_a_function_is_in_the_call_stack),
        cmocka_unit_test(what_the_parser_does_not_understand_is_said),
        cmocka_unit_test(each_kind_has_its_class),
        cmocka_unit_test(concurrently_is_taken_out_and_nothing_else),
        cmocka_unit_test(values_of_a_rewrite_are_known_or_not),
        cmocka_unit_test(nothing_runs_without_its_seal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
