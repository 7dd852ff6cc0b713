/*
 * The text of each statement, and the order and types of its parameters.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "statement.h"

#define EQUALITY "OPERATOR(\"pg_catalog\".=)"

static SourceColumn source_columns[3] = {{.name = "id", .key = true}, {.name = "a"}, {.name = "b"}};
static uint32_t keys[1] = {0};
static SourceRelation source = {.column_count = 3, .columns = source_columns, .key_count = 1, .keys = keys};
static TargetColumn columns[3] = {
    {.quoted = "\"id\"", .cast = "int4", .element_type = 23, .array_type = 1007, .equality = EQUALITY},
    {.quoted = "\"a\"", .cast = "text", .element_type = 25, .array_type = 1009, .equality = EQUALITY},
    {.quoted = "\"b\"", .cast = "json", .output = "json_out", .element_type = 25, .array_type = 1009},
};
static char *extra[] = {"\"z\""};
static ApplyRelation relation = {
    .source = &source, .qualified = "\"s\".\"t\"", .columns = columns, .match = MATCH_KEY};

static void expect(ChangeKind kind, bool single, ColumnWord set, ColumnWord find, const char *expected)
{
    Shape shape = {.kind = kind, .single = single, .set = &set, .find = &find};
    char *text = statement_sql(&relation, &shape);
    assert_string_equal(text, expected);
    free(text);
}

static void keyed_statements_over_arrays(void **state)
{
    (void)state;
    expect(
        CHANGE_INSERT, false, 7, 0,
        "INSERT INTO \"s\".\"t\" (\"id\", \"a\", \"b\") SELECT u.p0::int4, u.p1::text, u.p2::json "
        "FROM (SELECT pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3)) AS u(p0, p1, p2)");
    expect(CHANGE_UPDATE, false, 6, 1,
           "UPDATE ONLY \"s\".\"t\" AS t SET \"a\" = u.p0::text, \"b\" = u.p1::json "
           "FROM (SELECT pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3)) AS u(p0, p1, "
           "p2) WHERE t.\"id\" " EQUALITY " u.p2::int4");
    expect(CHANGE_DELETE, false, 0, 1,
           "DELETE FROM ONLY \"s\".\"t\" AS t USING (SELECT pg_catalog.unnest($1)) AS u(p0) WHERE "
           "t.\"id\" " EQUALITY " u.p0::int4");
}

static void keyed_statements_for_one_row(void **state)
{
    (void)state;
    expect(CHANGE_INSERT, true, 7, 0,
           "INSERT INTO \"s\".\"t\" (\"id\", \"a\", \"b\") SELECT $1::int4, $2::text, $3::json");
    expect(CHANGE_UPDATE, true, 3, 1,
           "UPDATE ONLY \"s\".\"t\" AS t SET \"id\" = $1::int4, \"a\" = $2::text WHERE t.\"id\" " EQUALITY
           " $3::int4");
    expect(CHANGE_DELETE, true, 0, 1,
           "DELETE FROM ONLY \"s\".\"t\" AS t WHERE t.\"id\" " EQUALITY " $1::int4");
    expect(CHANGE_INSERT, true, 0, 0, "INSERT INTO \"s\".\"t\" DEFAULT VALUES");
}

static void update_of_nothing_still_looks_for_its_rows(void **state)
{
    (void)state;
    expect(
        CHANGE_UPDATE, false, 0, 1,
        "SELECT FROM ONLY \"s\".\"t\" AS t, (SELECT pg_catalog.unnest($1)) AS u(p0) WHERE t.\"id\" " EQUALITY
        " u.p0::int4");
}

static void partitioned_tables_are_named_whole(void **state)
{
    (void)state;
    relation.partitioned = true;
    expect(CHANGE_DELETE, true, 0, 1, "DELETE FROM \"s\".\"t\" AS t WHERE t.\"id\" " EQUALITY " $1::int4");
    relation.partitioned = false;
}

static void rows_without_key_are_found_by_every_column(void **state)
{
    (void)state;
    relation.match = MATCH_ROW;
    expect(
        CHANGE_DELETE, true, 0, 5,
        "WITH m AS MATERIALIZED (SELECT t.tableoid AS r, t.ctid AS c FROM ONLY \"s\".\"t\" AS t "
        "WHERE t.\"id\" " EQUALITY " $1::int4 AND t.\"a\" IS NULL AND "
        "pg_catalog.textin(json_out(t.\"b\")) OPERATOR(pg_catalog.=) pg_catalog.textin(json_out($2::json)) "
        "ORDER BY (ROW(t.\"id\", t.\"b\")::pg_catalog.record OPERATOR(pg_catalog.*=) "
        "ROW($1::int4, $2::json)::pg_catalog.record) DESC LIMIT 1) "
        "DELETE FROM ONLY \"s\".\"t\" AS t USING m WHERE t.ctid OPERATOR(pg_catalog.=) m.c");
    expect(CHANGE_DELETE, false, 0, 3,
           "WITH m AS MATERIALIZED (SELECT DISTINCT ON (u.o) t.tableoid AS r, t.ctid AS c FROM ONLY "
           "\"s\".\"t\" AS t, "
           "(SELECT u.*, pg_catalog.row_number() OVER () AS o FROM (SELECT pg_catalog.unnest($1), "
           "pg_catalog.unnest($2)) "
           "AS u(p0, p1)) AS u WHERE t.\"id\" " EQUALITY " u.p0::int4 AND t.\"a\" " EQUALITY " u.p1::text "
           "AND t.\"b\" IS NULL ORDER BY u.o, (ROW(t.\"id\", t.\"a\")::pg_catalog.record "
           "OPERATOR(pg_catalog.*=) "
           "ROW(u.p0::int4, u.p1::text)::pg_catalog.record) DESC) "
           "DELETE FROM ONLY \"s\".\"t\" AS t USING m WHERE t.ctid OPERATOR(pg_catalog.=) m.c");
    relation.match = MATCH_KEY;
}

static void few_rows_are_found_by_their_key(void **state)
{
    (void)state;
    ColumnWord set = 6, none = 0, find = 1;
    Shape shape = {.kind = CHANGE_UPDATE, .by_key = true, .set = &set, .find = &find};
    char *text = statement_sql(&relation, &shape);
    assert_string_equal(
        text, "UPDATE ONLY \"s\".\"t\" AS t SET \"a\" = ($1)[pg_catalog.array_position($3, t.\"id\")]::text, "
              "\"b\" = ($2)[pg_catalog.array_position($3, t.\"id\")]::json "
              "WHERE t.\"id\" " EQUALITY " ANY ($3)");
    free(text);
    shape = (Shape){.kind = CHANGE_DELETE, .by_key = true, .set = &none, .find = &find};
    text = statement_sql(&relation, &shape);
    assert_string_equal(text, "DELETE FROM ONLY \"s\".\"t\" AS t WHERE t.\"id\" " EQUALITY " ANY ($1)");
    free(text);
}

static void only_keys_of_one_plain_type_are_looked_up(void **state)
{
    (void)state;
    ColumnWord set = 6, find = 1;
    Shape shape = {.kind = CHANGE_UPDATE, .set = &set, .find = &find};
    columns[0].type = 23;
    assert_true(statement_finds_by_key(&relation, &shape));
    shape.kind = CHANGE_INSERT;
    assert_false(statement_finds_by_key(&relation, &shape));
    shape.kind = CHANGE_DELETE;
    assert_true(statement_finds_by_key(&relation, &shape));
    columns[0].type = 20; /* an int4 of the source in an int8 of the target */
    assert_false(statement_finds_by_key(&relation, &shape));
    columns[0].type = columns[0].element_type = 1700; /* 1.0 and 1.00 */
    assert_false(statement_finds_by_key(&relation, &shape));
    columns[0].type = columns[0].element_type = 23;
    relation.match = MATCH_ROW;
    assert_false(statement_finds_by_key(&relation, &shape));
    relation.match = MATCH_KEY;
    relation.overriding = true;
    assert_false(statement_finds_by_key(&relation, &shape));
    relation.overriding = false;
}

static void identity_always_is_compared_or_replaced(void **state)
{
    (void)state;
    relation.overriding = true;
    columns[1].identity_always = true;
    relation.extra = extra;
    relation.extra_count = 1;
    expect(CHANGE_INSERT, true, 3, 0,
           "INSERT INTO \"s\".\"t\" (\"id\", \"a\") OVERRIDING SYSTEM VALUE SELECT $1::int4, $2::text");
    expect(CHANGE_UPDATE, false, 6, 1,
           "UPDATE ONLY \"s\".\"t\" AS t SET \"b\" = u.p1::json FROM (SELECT pg_catalog.unnest($1), "
           "pg_catalog.unnest($2), "
           "pg_catalog.unnest($3)) AS u(p0, p1, p2) "
           "WHERE t.\"id\" " EQUALITY " u.p2::int4 AND t.\"a\" " EQUALITY " u.p0::text");
    expect(CHANGE_UPDATE, true, 2, 1,
           "WITH d AS (DELETE FROM ONLY \"s\".\"t\" AS t WHERE t.\"id\" " EQUALITY " $2::int4 RETURNING t.*) "
           "INSERT INTO \"s\".\"t\" (\"id\", \"a\", \"b\", \"z\") OVERRIDING SYSTEM VALUE "
           "SELECT d.\"id\", $1::text, d.\"b\", d.\"z\" FROM d");
    relation.overriding = false;
    columns[1].identity_always = false;
}

static void parameters_are_written_columns_then_searched_ones(void **state)
{
    (void)state;
    ColumnWord set = 7;
    ColumnWord find = 1;
    Shape shape = {.kind = CHANGE_UPDATE, .set = &set, .find = &find};
    Oid types[4];
    assert_int_equal(statement_parameter_count(&relation, &shape), 4);
    statement_parameter_types(&relation, &shape, types);
    assert_int_equal(types[0], 1007);
    assert_int_equal(types[1], 1009);
    assert_int_equal(types[3], 1007);
    shape.single = true;
    statement_parameter_types(&relation, &shape, types);
    assert_int_equal(types[0], 23);
    assert_int_equal(types[3], 23);
}

static void truncate_names_every_table_once(void **state)
{
    (void)state;
    ApplyRelation parent = {.qualified = "\"s\".\"p\"", .partitioned = true};
    const ApplyRelation *list[] = {NULL, &relation, &parent};
    char *text = statement_truncate_sql(list, 3, true);
    assert_string_equal(text, "TRUNCATE ONLY \"s\".\"t\", \"s\".\"p\" RESTART IDENTITY");
    free(text);
    assert_null(statement_truncate_sql(list, 1, false));
}

static void small_tables_are_emptied_by_delete(void **state)
{
    (void)state;
    ApplyRelation odd = {.qualified = "\"s\".\"it's \\\""};
    ApplyRelation parent = {.qualified = "\"s\".\"p\"", .partitioned = true};
    const ApplyRelation *list[] = {&odd, &parent};
    char *text = statement_truncate_sql(list, 1, false);
    assert_non_null(strstr(text, "DO E'BEGIN IF "));
    assert_non_null(strstr(text, "ANY (ARRAY[E''\"s\".\"it''''s \\\\\\\\\"''::pg_catalog.regclass"));
    assert_non_null(strstr(text, "THEN DELETE FROM ONLY \"s\".\"it''s \\\\\"; "
                                 "ELSE TRUNCATE ONLY \"s\".\"it''s \\\\\"; END IF; END'"));
    free(text);
    text = statement_truncate_sql(list, 2, false);
    assert_string_equal(text, "TRUNCATE ONLY \"s\".\"it's \\\", \"s\".\"p\"");
    free(text);
    text = statement_truncate_sql(list, 1, true);
    assert_string_equal(text, "TRUNCATE ONLY \"s\".\"it's \\\" RESTART IDENTITY");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keyed_statements_over_arrays),
        cmocka_unit_test(keyed_statements_for_one_row),
        cmocka_unit_test(update_of_nothing_still_looks_for_its_rows),
        cmocka_unit_test(partitioned_tables_are_named_whole),
        cmocka_unit_test(rows_without_key_are_found_by_every_column),
        cmocka_unit_test(few_rows_are_found_by_their_key),
        cmocka_unit_test(only_keys_of_one_plain_type_are_looked_up),
        cmocka_unit_test(identity_always_is_compared_or_replaced),
        cmocka_unit_test(parameters_are_written_columns_then_searched_ones),
        cmocka_unit_test(truncate_names_every_table_once),
        cmocka_unit_test(small_tables_are_emptied_by_delete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
