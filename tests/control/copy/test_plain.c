/*
 * What the copy decides from values alone: the statements for a table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "table.h"

static void binary_table_is_truncated_and_frozen(void **state)
{
    (void)state;
    TableShape shape = {.schema = "s", .table = "T%", .columns = "\"id\", \"a \"\"b\"\"\"", .binary = true};
    TableCopy copy;
    table_copy_build(&shape, &copy);
    assert_string_equal(copy.clear.data, "TRUNCATE ONLY \"s\".\"T%\"");
    assert_string_equal(copy.out.data,
                        "COPY \"s\".\"T%\" (\"id\", \"a \"\"b\"\"\") TO STDOUT WITH (FORMAT binary)");
    assert_string_equal(copy.in.data,
                        "COPY \"s\".\"T%\" (\"id\", \"a \"\"b\"\"\") FROM STDIN WITH (FORMAT binary,"
                        " FREEZE true)");
    table_copy_free(&copy);
}

static void table_without_a_row_keeps_its_files(void **state)
{
    (void)state;
    TableShape shape = {.schema = "s", .table = "t", .columns = "\"id\"", .empty = true};
    TableCopy copy;
    table_copy_build(&shape, &copy);
    assert_string_equal(copy.clear.data, "DELETE FROM ONLY \"s\".\"t\"");
    table_copy_free(&copy);
}

static void table_without_columns_has_no_list(void **state)
{
    (void)state;
    TableShape shape = {.schema = "s", .table = "t", .columns = ""};
    TableCopy copy;
    table_copy_build(&shape, &copy);
    assert_string_equal(copy.out.data, "COPY \"s\".\"t\" TO STDOUT");
    assert_string_equal(copy.in.data, "COPY \"s\".\"t\" FROM STDIN WITH (FORMAT text, FREEZE true)");
    table_copy_free(&copy);
}

static void extension_table_keeps_rows_outside_its_condition(void **state)
{
    (void)state;
    TableShape shape = {.schema = "s", .table = "t", .columns = "\"id\"", .condition = "WHERE id > 5"};
    TableCopy copy;
    table_copy_build(&shape, &copy);
    assert_string_equal(copy.clear.data, "DELETE FROM ONLY \"s\".\"t\" WHERE id > 5");
    assert_string_equal(copy.out.data, "COPY (SELECT \"id\" FROM ONLY \"s\".\"t\" WHERE id > 5) TO STDOUT");
    assert_null(strstr(copy.in.data, "FREEZE"));
    table_copy_free(&copy);
}

static void table_that_foreign_keys_point_to_is_not_truncated(void **state)
{
    (void)state;
    TableShape shape = {.schema = "s", .table = "t", .columns = "\"id\"", .referenced = true};
    TableCopy copy;
    table_copy_build(&shape, &copy);
    assert_string_equal(copy.clear.data, "DELETE FROM ONLY \"s\".\"t\"");
    assert_string_equal(copy.out.data, "COPY \"s\".\"t\" (\"id\") TO STDOUT");
    assert_null(strstr(copy.in.data, "FREEZE"));
    table_copy_free(&copy);
}

static void part_is_a_range_of_keys(void **state)
{
    (void)state;
    TableShape shape = {.schema = "s",
                        .table = "t",
                        .columns = "\"id\"",
                        .binary = true,
                        .part_column = "I d",
                        .part_type = "int8",
                        .first_key = "-5",
                        .last_key = "70"};
    TableCopy copy;
    table_copy_build(&shape, &copy);
    assert_null(copy.clear.data);
    assert_string_equal(copy.out.data,
                        "COPY (SELECT \"id\" FROM ONLY \"s\".\"t\" WHERE \"I d\" >= '-5'::pg_catalog.int8 AND"
                        " \"I d\" < '70'::pg_catalog.int8) TO STDOUT WITH (FORMAT binary)");
    assert_string_equal(copy.in.data, "COPY \"s\".\"t\" (\"id\") FROM STDIN WITH (FORMAT binary)");
    table_copy_free(&copy);
}

static void open_part_that_comes_anew_removes_its_rows_alone(void **state)
{
    (void)state;
    TableShape shape = {.schema = "s",
                        .table = "t",
                        .columns = "\"id\"",
                        .part_column = "id",
                        .part_type = "text",
                        .first_key = "",
                        .last_key = "a\\'b",
                        .anew = true};
    TableCopy copy;
    table_copy_build(&shape, &copy);
    assert_string_equal(copy.clear.data,
                        "DELETE FROM ONLY \"s\".\"t\" WHERE \"id\" < E'a\\\\''b'::pg_catalog.text");
    table_copy_free(&copy);
    shape.first_key = "70";
    shape.last_key = "";
    table_copy_build(&shape, &copy);
    assert_string_equal(copy.clear.data,
                        "DELETE FROM ONLY \"s\".\"t\" WHERE \"id\" >= '70'::pg_catalog.text");
    table_copy_free(&copy);
}

static void table_in_both_formats_goes_through_one_of_its_own(void **state)
{
    (void)state;
    const TableMixed mixed = {.sent = "\"id\", pg_catalog.textin(pg_catalog.tsqueryout(\"q\"))",
                              .staging = "penstock.staging_7",
                              .staged = "\"id\", NULL::pg_catalog.text AS \"q\"",
                              .storage = " ALTER \"q\" SET STORAGE EXTERNAL",
                              .kept = "\"id\", \"q\"::tsquery"};
    const TableShape shape = {
        .schema = "s", .table = "t", .columns = "\"id\", \"q\"", .binary = true, .mixed = &mixed};
    TableCopy copy;
    table_copy_build(&shape, &copy);
    assert_string_equal(copy.out.data,
                        "COPY (SELECT \"id\", pg_catalog.textin(pg_catalog.tsqueryout(\"q\")) FROM ONLY "
                        "\"s\".\"t\") TO STDOUT WITH (FORMAT binary)");
    assert_string_equal(copy.in.data,
                        "COPY penstock.staging_7 (\"id\", \"q\") FROM STDIN WITH (FORMAT binary)");
    assert_string_equal(copy.make.data,
                        "CREATE UNLOGGED TABLE penstock.staging_7 AS SELECT \"id\", NULL::pg_catalog.text AS "
                        "\"q\" FROM \"s\".\"t\" WITH NO DATA; ALTER TABLE penstock.staging_7 ALTER \"q\" SET "
                        "STORAGE EXTERNAL");
    assert_string_equal(copy.move.data,
                        "INSERT INTO \"s\".\"t\" (\"id\", \"q\") OVERRIDING SYSTEM VALUE SELECT \"id\", "
                        "\"q\"::tsquery FROM penstock.staging_7");
    table_copy_free(&copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(binary_table_is_truncated_and_frozen),
        cmocka_unit_test(table_without_a_row_keeps_its_files),
        cmocka_unit_test(table_without_columns_has_no_list),
        cmocka_unit_test(extension_table_keeps_rows_outside_its_condition),
        cmocka_unit_test(table_that_foreign_keys_point_to_is_not_truncated),
        cmocka_unit_test(part_is_a_range_of_keys),
        cmocka_unit_test(open_part_that_comes_anew_removes_its_rows_alone),
        cmocka_unit_test(table_in_both_formats_goes_through_one_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
