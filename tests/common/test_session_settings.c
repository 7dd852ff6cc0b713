/*
 * What each kind of session gets, and in what form. That it is enough is for the tests with real servers to show.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "session_settings.h"

static void assert_says(SessionKind kind, int version, bool superuser, const char *statement, bool expected)
{
    char *sql = session_settings_sql(kind, version, superuser);
    assert_int_equal(strstr(sql, statement) != NULL, expected);
    free(sql);
}

static void what_values_depend_on_is_fixed_for_all(void **state)
{
    (void)state;
    for (SessionKind kind = 0; kind < SESSION_KINDS; kind++) {
        assert_says(kind, 110022, false, "SET array_nulls = 'on';", true);
        assert_says(kind, 140023, false, "SET xmloption = 'content';", true);
        assert_says(kind, 140023, false, "SET default_transaction_isolation = 'read committed';", true);
        assert_says(kind, 140023, false, "SET row_security = 'off';", true);
        assert_says(kind, 140023, false, "lc_monetary", false);
    }
}

static void what_expressions_depend_on_is_the_databases_own_where_rows_are_written(void **state)
{
    (void)state;
    static const char *const names[] = {"timezone",      "datestyle",          "intervalstyle",
                                        "bytea_output",  "extra_float_digits", "standard_conforming_strings",
                                        "transform_null"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_says(SESSION_PLAIN, 110022, false, names[i], true);
        assert_says(SESSION_COPIES, 140023, true, names[i], false);
        assert_says(SESSION_APPLIES, 140023, true, names[i], false);
        assert_says(SESSION_BUILDS, 140023, true, names[i], false);
    }
    assert_says(SESSION_COPIES, 140023, true, "search_path", true);
    assert_says(SESSION_BUILDS, 140023, true, "search_path", false);
}

static void server_gets_what_its_version_has(void **state)
{
    (void)state;
    assert_says(SESSION_PLAIN, 110022, true, "default_with_oids", true);
    assert_says(SESSION_PLAIN, 120000, true, "default_with_oids", false);
    assert_says(SESSION_PLAIN, 119999, true, "default_table_access_method", false);
    assert_says(SESSION_PLAIN, 120000, true, "default_table_access_method", true);
}

static void superusers_settings_are_for_superusers(void **state)
{
    (void)state;
    assert_says(SESSION_PLAIN, 140023, true, "SET zero_damaged_pages = 'off';", true);
    assert_says(SESSION_PLAIN, 140023, false, "zero_damaged_pages", false);
}

static void options_stand_behind_those_of_others_and_spaces_are_escaped(void **state)
{
    (void)state;
    char *options = session_settings_options(SESSION_PLAIN, 110022, false, "-c role=r");
    assert_ptr_equal(strstr(options, "-c role=r -c statement_timeout=0 -c "), options);
    assert_non_null(strstr(options, " -c datestyle=ISO,\\ MDY "));
    assert_non_null(strstr(options, " -c default_transaction_isolation=read\\ committed "));
    free(options);
    options = session_settings_options(SESSION_BUILDS, 140023, false, NULL);
    assert_ptr_equal(strstr(options, "-c statement_timeout=0 "), options);
    free(options);
}

static void names_are_utf8_where_the_server_knows_what_they_are(void **state)
{
    (void)state;
    assert_string_equal(session_settings_encoding("LATIN1"), "UTF8");
    assert_string_equal(session_settings_encoding(NULL), "UTF8");
    assert_string_equal(session_settings_encoding("SQL_ASCII"), "SQL_ASCII");
}

static void variables_of_the_terminal_are_forgotten(void **state)
{
    (void)state;
    setenv("PGTZ", "Asia/Tokyo", 1);
    setenv("PGDATESTYLE", "German", 1);
    setenv("PGOPTIONS", "-c role=r", 1);
    session_settings_forget_environment();
    assert_null(getenv("PGTZ"));
    assert_null(getenv("PGDATESTYLE"));
    assert_string_equal(getenv("PGOPTIONS"), "-c role=r");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_values_depend_on_is_fixed_for_all),
        cmocka_unit_test(what_expressions_depend_on_is_the_databases_own_where_rows_are_written),
        cmocka_unit_test(server_gets_what_its_version_has),
        cmocka_unit_test(superusers_settings_are_for_superusers),
        cmocka_unit_test(options_stand_behind_those_of_others_and_spaces_are_escaped),
        cmocka_unit_test(names_are_utf8_where_the_server_knows_what_they_are),
        cmocka_unit_test(variables_of_the_terminal_are_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
