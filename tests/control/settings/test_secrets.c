/*
 * No password is left in the text, wherever in it it stands, and nothing else is touched.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "secrets.h"

static void hides_passwords_and_nothing_else(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"--proxy=pgcat:postgresql://admin:geheim@127.0.0.1:6433/pgcat,config=/x", NULL},
        {"postgresql://app:a@b:geheim@host/db", NULL},
        {"postgresql:///db?user=app&password=geheim&sslmode=require", "sslmode=require"},
        {"host=h password=geheim dbname=d", "dbname=d"},
        {"pgbouncer:host=/run password = 'a \\' geheim' user=a,config=/x", NULL},
        {"sslpassword=geheim", "sslpassword=******"},
        {"postgresql://app@host:5432/db", "postgresql://app@host:5432/db"},
        {"exec:run --a:b", "exec:run --a:b"},
        {"password", "password"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[200];
        snprintf(text, sizeof text, "%s", rows[i][0]);
        secrets_hide(text);
        assert_null(strstr(text, "geheim"));
        assert_int_equal(strlen(text), strlen(rows[i][0]));
        if (rows[i][1] != NULL) {
            assert_non_null(strstr(text, rows[i][1]));
        }
    }
}

static void the_copy_keeps_them(void **state)
{
    (void)state;
    char name[] = "penstock", option[] = "postgresql://app:geheim@host/db";
    char *argv[] = {name, option, NULL};
    Arena *arena = arena_new(256);
    char **copy = secrets_take(2, argv, arena);
    assert_string_equal(copy[1], "postgresql://app:geheim@host/db");
    assert_string_equal(option, "postgresql://app:******@host/db");
    assert_null(copy[2]);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hides_passwords_and_nothing_else),
        cmocka_unit_test(the_copy_keeps_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
