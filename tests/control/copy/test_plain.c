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
    const char *const columns[] = {"id", "a \"b\""};
    TableShape shape = {.schema = "s", .table = "T%", .columns = columns, .column_count = 2, .binary = true};
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

static void table_without_columns_has_no_list(void **state)
{
    (void)state;
    TableShape shape = {.schema = "s", .table = "t"};
    TableCopy copy;
    table_copy_build(&shape, &copy);
    assert_string_equal(copy.out.data, "COPY \"s\".\"t\" TO STDOUT");
    assert_string_equal(copy.in.data, "COPY \"s\".\"t\" FROM STDIN WITH (FORMAT text, FREEZE true)");
    table_copy_free(&copy);
}

static void extension_table_keeps_rows_outside_its_condition(void **state)
{
    (void)state;
    const char *const columns[] = {"id"};
    TableShape shape = {
        .schema = "s", .table = "t", .columns = columns, .column_count = 1, .condition = "WHERE id > 5"};
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
    const char *const columns[] = {"id"};
    TableShape shape = {
        .schema = "s", .table = "t", .columns = columns, .column_count = 1, .referenced = true};
    TableCopy copy;
    table_copy_build(&shape, &copy);
    assert_string_equal(copy.clear.data, "DELETE FROM ONLY \"s\".\"t\"");
    assert_string_equal(copy.out.data, "COPY \"s\".\"t\" (\"id\") TO STDOUT");
    assert_null(strstr(copy.in.data, "FREEZE"));
    table_copy_free(&copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(binary_table_is_truncated_and_frozen),
        cmocka_unit_test(table_without_columns_has_no_list),
        cmocka_unit_test(extension_table_keeps_rows_outside_its_condition),
        cmocka_unit_test(table_that_foreign_keys_point_to_is_not_truncated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
