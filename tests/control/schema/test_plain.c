/*
 * Secrets are kept off command lines.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conninfo.h"
#include "text.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(password_leaves_the_connection_string),
        cmocka_unit_test(session_options_leave_the_connection_string),
        cmocka_unit_test(connection_string_always_names_a_database),
        cmocka_unit_test(ssl_password_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
