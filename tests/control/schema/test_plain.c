/*
 * What the schema's road decides from values alone: secrets kept off command lines, which entries of an archive are
 * restored.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conninfo.h"
#include "text.h"
#include "toc.h"

static void password_leaves_the_connection_string(void **state)
{
    (void)state;
    Text conninfo = {0}, password = {0}, options = {0};
    Error error = {0};
    assert_int_equal(conninfo_split("postgresql://u:s%20e'c@h:1/d%27b?application_name=x", "other",
                                    "penstock copy", &conninfo, &password, &options, &error),
                     0);
    assert_null(strstr(conninfo.data, "s e"));
    assert_non_null(strstr(conninfo.data, "dbname='d\\'b'"));
    assert_non_null(strstr(conninfo.data, "application_name='penstock copy'"));
    assert_null(strstr(conninfo.data, "application_name='x'"));
    assert_string_equal(password.data, "PGPASSWORD=s e'c");
    text_free(&conninfo);
    text_free(&password);
}

static void session_options_leave_the_connection_string(void **state)
{
    (void)state;
    Text conninfo = {0}, password = {0}, options = {0};
    Error error = {0};
    assert_int_equal(
        conninfo_split("dbname=d options='-c role=r'", "d", "x", &conninfo, &password, &options, &error), 0);
    assert_string_equal(conninfo.data, "dbname='d' application_name='x'");
    assert_string_equal(options.data, "-c role=r");
    text_free(&conninfo);
    text_free(&options);
}

static void connection_string_always_names_a_database(void **state)
{
    (void)state;
    Text conninfo = {0}, password = {0}, options = {0};
    Error error = {0};
    assert_int_equal(conninfo_split(NULL, "app", "x", &conninfo, &password, &options, &error), 0);
    assert_string_equal(conninfo.data, "dbname='app' application_name='x'");
    assert_null(password.data);
    text_free(&conninfo);
}

static void ssl_password_is_refused(void **state)
{
    (void)state;
    Text conninfo = {0}, password = {0}, options = {0};
    Error error = {0};
    assert_int_equal(
        conninfo_split("host=h sslpassword=hush", "d", "x", &conninfo, &password, &options, &error), -1);
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
        cmocka_unit_test(password_leaves_the_connection_string),
        cmocka_unit_test(session_options_leave_the_connection_string),
        cmocka_unit_test(connection_string_always_names_a_database),
        cmocka_unit_test(ssl_password_is_refused),
        cmocka_unit_test(archive_list_is_read_and_written_without_what_is_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
