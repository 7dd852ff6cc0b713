/*
 * The editor of PgBouncer's file: one line changes, every other byte stays.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ini.h"

static const Endpoint target = {.host = "10.0.0.2", .port = "5414", .database = "app"};

/* name pointed at where in before gives after, and the old place brings before back. */
static void check_round_trip(const char *before, const char *name, const Endpoint *where, const char *after)
{
    Error error;
    char *line, *pointed, *restored;
    bool fallback;
    IniPlace place;
    assert_int_equal(ini_database_line(before, name, &line, &fallback, &error), 0);
    ini_line_place(line, &place);
    assert_int_equal(ini_database_point(before, name, where, &pointed, &error), 0);
    assert_string_equal(pointed, after);
    assert_int_equal(ini_database_restore(pointed, name, &place, &restored, &error), 0);
    if (!fallback) {
        assert_string_equal(restored, before);
    }
    ini_place_free(&place);
    free(line);
    free(pointed);
    free(restored);
}

static void host_and_port_change_in_place(void **state)
{
    (void)state;
    check_round_trip("; top\n[databases]\n  app =  host=10.0.0.1   port=5432 pool_size=5\n; app = host=old\n"
                     "other = host=10.0.0.1\n\n[pgbouncer]\napp = x\n",
                     "app", &target,
                     "; top\n[databases]\n  app =  host=10.0.0.2   port=5414 pool_size=5\n; app = host=old\n"
                     "other = host=10.0.0.1\n\n[pgbouncer]\napp = x\n");
}

static void missing_settings_are_added_and_taken_out_again(void **state)
{
    (void)state;
    check_round_trip("[databases]\napp=\n", "app", &target, "[databases]\napp= host=10.0.0.2 port=5414\n");
    check_round_trip("[databases]\napp = user=u", "app", &target,
                     "[databases]\napp = user=u host=10.0.0.2 port=5414");
}

static void quoted_names_and_values(void **state)
{
    (void)state;
    check_round_trip("[databases]\n\"my \"\"db\" = password='it''s host=x' host='10.0.0.1' port=1\n",
                     "my \"db", &(Endpoint){.host = "/run/pg socket", .port = "2", .database = "my \"db"},
                     "[databases]\n\"my \"\"db\" = password='it''s host=x' host='/run/pg socket' port=2\n");
}

static void line_ends_of_windows_stay(void **state)
{
    (void)state;
    check_round_trip("[databases]\r\napp = host=a port=1\r\nb = host=c\r\n", "app", &target,
                     "[databases]\r\napp = host=10.0.0.2 port=5414\r\nb = host=c\r\n");
}

static void dbname_is_written_only_where_it_differs(void **state)
{
    (void)state;
    const Endpoint renamed = {.host = "h", .port = "1", .database = "new name"};
    check_round_trip("[databases]\napp = host=a port=9\n", "app", &renamed,
                     "[databases]\napp = host=h port=1 dbname='new name'\n");
    check_round_trip("[databases]\napp = dbname=app host=a port=9\n", "app", &target,
                     "[databases]\napp = dbname=app host=10.0.0.2 port=5414\n");
}

static void fallback_gets_a_line_of_its_own(void **state)
{
    (void)state;
    const char *before = "[databases]\nother = host=o\n* = host=a port=9 pool_size=3\n";
    const char *after = "[databases]\nother = host=o\napp = host=10.0.0.2 port=5414 pool_size=3\n"
                        "* = host=a port=9 pool_size=3\n";
    check_round_trip(before, "app", &target, after);
    char *pointed;
    Error error;
    assert_int_equal(ini_database_point(before, "an app", &target, &pointed, &error), -1);
    assert_int_equal(error.code, ERROR_STATE);
}

static void fallback_line_leads_back_when_restored(void **state)
{
    (void)state;
    Error error;
    char *restored;
    IniPlace place = {.host = "a", .port = "9"};
    assert_int_equal(
        ini_database_restore("[databases]\n\"app\" = host=b port=1 dbname=x\n* = host=a port=9\n", "app",
                             &place, &restored, &error),
        0);
    assert_string_equal(restored, "[databases]\n\"app\" = host=a port=9\n* = host=a port=9\n");
    free(restored);
}

static void refuses_what_it_cannot_know(void **state)
{
    (void)state;
    Error error;
    char *line;
    bool fallback;
    assert_int_equal(
        ini_database_line("[databases]\nb = host=a\n[other]\napp = x\n", "app", &line, &fallback, &error),
        -1);
    assert_int_equal(error.code, ERROR_STATE);
    assert_int_equal(
        ini_database_line("[databases]\napp = host=a\napp = host=b\n", "app", &line, &fallback, &error), -1);
    assert_non_null(strstr(error.message, "2 lines"));
    assert_int_equal(ini_database_line("", "app", &line, &fallback, &error), -1);
}

static void values_of_other_sections(void **state)
{
    (void)state;
    const char *text =
        "[databases]\nauth_file = no\n[pgbouncer]\n;auth_file = comment\nauth_file = '/etc/a b'\n";
    char *value = ini_value(text, "pgbouncer", "auth_file");
    assert_string_equal(value, "/etc/a b");
    free(value);
    assert_null(ini_value(text, "pgbouncer", "missing"));
}

static bool is_known(const void *context, const char *key)
{
    return strcmp(key, context) == 0;
}

static void finds_the_line_that_pgbouncer_would_stumble_over(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *words; /* NULL: nothing is wrong */
    } rows[] = {
        {"[databases]\r\napp = host=a port=1 password='it''s'\r\n* =\n\n; c\n# c\n[pgbouncer]\nmode = x y\n",
         NULL},
        {"%include /etc/x.ini\n[users]\nu = pool_mode=session\n[peers]\n1 = host=/a\n", NULL},
        {"[databases]\n\"quoted\" = host=a\n", NULL},
        {"[pgbouncer]\nmode = x\nmodes = x\n", "line 3"},
        {"[pgbouncer]\nmode\n", "line 2"},
        {"[pgbouncr]\n", "no such section"},
        {"[databases]\napp = host=a oops\n", "line 2"},
        {"[databases]\napp = host='a\n", "settings cannot be read"},
        {"[databases]\na b = host=a\n", "no KEY = VALUE"},
        {"%exclude x\n", "only %include"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Error error = {.message = ""};
        int status = ini_check(rows[i].text, is_known, "mode", &error);
        assert_int_equal(status, rows[i].words == NULL ? 0 : -1);
        if (rows[i].words != NULL) {
            assert_non_null(strstr(error.message, rows[i].words));
        }
    }
}

static void copies_of_lines_keep_their_settings(void **state)
{
    (void)state;
    char *copy = ini_line_copy("app = host=a pool_size=9 auth_user=x", "ours", "app", NULL, "o'b", "1");
    assert_string_equal(copy, "ours = host=a pool_size=1 auth_user=x dbname=app user='o''b'");
    free(copy);
    copy = ini_line_copy("* = host=a", "ours", "app", &target, NULL, NULL);
    assert_string_equal(copy, "ours = host=10.0.0.2 port=5414 dbname=app");
    free(copy);
}

static void settings_of_a_section_come_one_after_another(void **state)
{
    (void)state;
    const char *text =
        "[users]\na = query_timeout=3\nb = pool_mode=session\n[databases]\nc = query_timeout=9\n"
        "[users]\nd = pool_size=1 query_timeout=4\n";
    const char *at = text;
    char *name, *value = ini_next_setting(text, &at, "users", "query_timeout", &name);
    assert_string_equal(value, "3");
    assert_string_equal(name, "a");
    free(name);
    free(value);
    value = ini_next_setting(text, &at, "users", "query_timeout", &name);
    assert_string_equal(value, "4");
    assert_string_equal(name, "d");
    free(name);
    free(value);
    assert_null(ini_next_setting(text, &at, "users", "query_timeout", NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(host_and_port_change_in_place),
        cmocka_unit_test(missing_settings_are_added_and_taken_out_again),
        cmocka_unit_test(quoted_names_and_values),
        cmocka_unit_test(line_ends_of_windows_stay),
        cmocka_unit_test(dbname_is_written_only_where_it_differs),
        cmocka_unit_test(fallback_gets_a_line_of_its_own),
        cmocka_unit_test(fallback_line_leads_back_when_restored),
        cmocka_unit_test(refuses_what_it_cannot_know),
        cmocka_unit_test(values_of_other_sections),
        cmocka_unit_test(finds_the_line_that_pgbouncer_would_stumble_over),
        cmocka_unit_test(copies_of_lines_keep_their_settings),
        cmocka_unit_test(settings_of_a_section_come_one_after_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
