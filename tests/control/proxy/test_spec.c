/*
 * The argument of --proxy, and the passwords of an auth_file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "credentials.h"
#include "proxy.h"

static void settings_are_taken_from_the_end(void **state)
{
    (void)state;
    ProxySpec spec;
    Error error;
    assert_int_equal(
        proxy_spec_parse("pgbouncer:postgresql://a@h1,h2/pgbouncer,config=/etc/p.ini,database=app", &spec,
                         &error),
        0);
    assert_string_equal(spec.kind, "pgbouncer");
    assert_string_equal(spec.admin_uri, "postgresql://a@h1,h2/pgbouncer");
    assert_string_equal(spec.config, "/etc/p.ini");
    assert_string_equal(spec.database, "app");
    assert_ptr_equal(proxy_operations(&spec, &error), &proxy_pgbouncer);
    proxy_spec_free(&spec);
}

static void values_may_hold_commas_and_words_stand_alone(void **state)
{
    (void)state;
    ProxySpec spec;
    Error error;
    assert_int_equal(
        proxy_spec_parse("pgbouncer:host=/run user=a,sessions=end,config=exec:run a,b 'x',logins=accept",
                         &spec, &error),
        0);
    assert_string_equal(spec.admin_uri, "host=/run user=a");
    assert_string_equal(spec.config, "exec:run a,b 'x'");
    assert_true(spec.ends_sessions);
    assert_true(spec.accepts_untried);
    proxy_spec_free(&spec);
    assert_int_equal(proxy_spec_parse("pgbouncer:host=h", &spec, &error), 0);
    assert_false(spec.ends_sessions);
    assert_false(spec.accepts_untried);
    proxy_spec_free(&spec);
}

/* What a round keeps of how it was called is what --resume goes by: nothing but the password may be missing. */
static void what_is_kept_says_the_same_without_the_password(void **state)
{
    (void)state;
    ProxySpec spec;
    Error error;
    char *kept = proxy_spec_redact(
        "pgbouncer:postgresql://admin:secret@h:6432/pgbouncer,sessions=end,config=exec:run a,b,database=app,"
        "logins=accept");
    assert_null(strstr(kept, "secret"));
    assert_int_equal(proxy_spec_parse(kept, &spec, &error), 0);
    assert_string_equal(spec.kind, "pgbouncer");
    assert_non_null(strstr(spec.admin_uri, "6432"));
    assert_string_equal(spec.config, "exec:run a,b");
    assert_string_equal(spec.database, "app");
    assert_true(spec.ends_sessions);
    assert_true(spec.accepts_untried);
    proxy_spec_free(&spec);
    free(kept);
    kept = proxy_spec_redact("none,logins=accept");
    assert_string_equal(kept, "none,logins=accept");
    free(kept);
}

static void warnings_add_up_and_fit(void **state)
{
    (void)state;
    ProxyReport report = {0};
    proxy_warn(&report, "one %d", 1);
    proxy_warn(&report, "two");
    assert_string_equal(report.warning, "one 1; two");
    for (int i = 0; i < 200; i++) {
        proxy_warn(&report, "more than fits");
    }
    assert_int_equal(strlen(report.warning), sizeof report.warning - 1);
}

static void none_stands_alone(void **state)
{
    (void)state;
    ProxySpec spec;
    Error error;
    assert_int_equal(proxy_spec_parse("none", &spec, &error), 0);
    assert_null(spec.admin_uri);
    assert_ptr_equal(proxy_operations(&spec, &error), &proxy_none);
    proxy_spec_free(&spec);
}

static void an_unknown_kind_names_the_known_ones(void **state)
{
    (void)state;
    ProxySpec spec;
    Error error;
    assert_int_equal(proxy_spec_parse("haproxy:x", &spec, &error), 0);
    assert_null(proxy_operations(&spec, &error));
    assert_int_equal(error.code, ERROR_USAGE);
    assert_non_null(strstr(error.hint, "pgbouncer"));
    proxy_spec_free(&spec);
    assert_int_equal(proxy_spec_parse(":x", &spec, &error), -1);
}

static void passwords_are_taken_only_when_plain(void **state)
{
    (void)state;
    const char *file =
        "\"a\" \"it\"\"s\"\n\"b\" \"md5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"\n;\"d\" \"x\"\n\"c\" \"\"\n";
    char *password = credentials_password(file, "a");
    assert_string_equal(password, "it\"s");
    free(password);
    assert_null(credentials_password(file, "b"));
    assert_null(credentials_password(file, "d"));
    password = credentials_password(file, "c");
    assert_string_equal(password, "");
    free(password);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_are_taken_from_the_end),
        cmocka_unit_test(values_may_hold_commas_and_words_stand_alone),
        cmocka_unit_test(what_is_kept_says_the_same_without_the_password),
        cmocka_unit_test(warnings_add_up_and_fit),
        cmocka_unit_test(none_stands_alone),
        cmocka_unit_test(an_unknown_kind_names_the_known_ones),
        cmocka_unit_test(passwords_are_taken_only_when_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
