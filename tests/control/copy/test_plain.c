/*
 * What the copy decides from values alone: quoting, the statements for a table, secrets kept off command lines, which
 * entries of an archive are restored.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conninfo.h"
#include "table.h"
#include "text.h"
#include "toc.h"

static void array_elements_are_quoted(void **state)
{
    (void)state;
    Text array = {0};
    text_array_add(&array, "plain");
    text_array_add(&array, "a \"b\" \\ {c,d}");
    text_array_add(&array, NULL);
    text_array_add(&array, "");
    text_array_end(&array);
    assert_string_equal(array.data, "{\"plain\",\"a \\\"b\\\" \\\\ {c,d}\",NULL,\"\"}");
    text_free(&array);
}

static void array_without_elements_is_empty(void **state)
{
    (void)state;
    Text array = {0};
    text_array_end(&array);
    assert_string_equal(array.data, "{}");
    text_free(&array);
}

static void text_grows_over_its_first_size(void **state)
{
    (void)state;
    Text text = {0};
    for (int i = 0; i < 1000; i++) {
        text_printf(&text, "%d,", i);
    }
    assert_int_equal(text.size, 3890);
    assert_memory_equal(text.data + text.size - 4, "999,", 5);
    text_free(&text);
}

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

static void password_leaves_the_connection_string(void **state)
{
    (void)state;
    Text conninfo = {0}, password = {0};
    Error error = {0};
    assert_int_equal(conninfo_split("postgresql://u:s%20e'c@h:1/d%27b?application_name=x", "other",
                                    "penstock copy", &conninfo, &password, &error),
                     0);
    assert_null(strstr(conninfo.data, "s e"));
    assert_non_null(strstr(conninfo.data, "dbname='d\\'b'"));
    assert_non_null(strstr(conninfo.data, "application_name='penstock copy'"));
    assert_null(strstr(conninfo.data, "application_name='x'"));
    assert_string_equal(password.data, "PGPASSWORD=s e'c");
    text_free(&conninfo);
    text_free(&password);
}

static void connection_string_always_names_a_database(void **state)
{
    (void)state;
    Text conninfo = {0}, password = {0};
    Error error = {0};
    assert_int_equal(conninfo_split(NULL, "app", "x", &conninfo, &password, &error), 0);
    assert_string_equal(conninfo.data, "dbname='app' application_name='x'");
    assert_null(password.data);
    text_free(&conninfo);
}

static void ssl_password_is_refused(void **state)
{
    (void)state;
    Text conninfo = {0}, password = {0};
    Error error = {0};
    assert_int_equal(conninfo_split("host=h sslpassword=hush", "d", "x", &conninfo, &password, &error), -1);
    assert_int_equal(error.code, ERROR_USAGE);
    assert_null(strstr(error.message, "hush"));
    text_free(&conninfo);
    text_free(&password);
}

static const char list[] = ";\n; Archive created at …\n;\n"
                           "5; 2615 2200 SCHEMA - public postgres\n"
                           "6; 0 0 COMMENT - SCHEMA public postgres\n"
                           "2; 3079 16385 EXTENSION - hstore \n"
                           "4711; 0 0 COMMENT - EXTENSION hstore \n"
                           "215; 1259 16390 TABLE public public postgres\n"
                           "not an entry\n"
                           "3002; 2606 16400 FK CONSTRAINT shop orders app";

static void archive_list_is_read_and_written_without_what_is_everywhere(void **state)
{
    (void)state;
    TocEntry *entries;
    size_t count;
    Text out = {0};
    toc_parse(list, &entries, &count);
    assert_int_equal(count, 6);
    assert_int_equal(entries[5].class_id, 2606);
    assert_int_equal(entries[5].object_id, 16400);
    assert_memory_equal(entries[5].description, "FK CONSTRAINT", 13);
    entries[4].skip = true;
    toc_write(entries, count, &out);
    assert_string_equal(
        out.data, "2; 3079 16385 EXTENSION - hstore \n3002; 2606 16400 FK CONSTRAINT shop orders app\n");
    free(entries);
    text_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(array_elements_are_quoted),
        cmocka_unit_test(array_without_elements_is_empty),
        cmocka_unit_test(text_grows_over_its_first_size),
        cmocka_unit_test(binary_table_is_truncated_and_frozen),
        cmocka_unit_test(table_without_columns_has_no_list),
        cmocka_unit_test(extension_table_keeps_rows_outside_its_condition),
        cmocka_unit_test(table_that_foreign_keys_point_to_is_not_truncated),
        cmocka_unit_test(password_leaves_the_connection_string),
        cmocka_unit_test(connection_string_always_names_a_database),
        cmocka_unit_test(ssl_password_is_refused),
        cmocka_unit_test(archive_list_is_read_and_written_without_what_is_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
