/*
 * Settings: which layer wins, what the config file may say, and that no password stays in argv.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "settings.h"

typedef struct Fixture {
    Arena *arena;
    char path[64];
    SettingsFlags flags;
    Settings settings;
    LogPlace place;
    Error error;
} Fixture;

static int set_up(void **state)
{
    Fixture *fixture = calloc(1, sizeof *fixture);
    fixture->arena = arena_new(1024);
    strcpy(fixture->path, "/tmp/penstock-settings-XXXXXX");
    close(mkstemp(fixture->path));
    fixture->flags.config = fixture->path;
    unsetenv("PENSTOCK_SOURCE");
    unsetenv("PENSTOCK_TARGET");
    unsetenv("PENSTOCK_MIGRATION");
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *fixture = *state;
    unlink(fixture->path);
    arena_free(fixture->arena);
    free(fixture);
    return 0;
}

static void write_config(const Fixture *fixture, const char *text, mode_t mode)
{
    FILE *file = fopen(fixture->path, "w");
    fputs(text, file);
    fclose(file);
    chmod(fixture->path, mode);
}

static int resolve(Fixture *fixture)
{
    Config config;
    return config_read(fixture->flags.config, fixture->arena, &config, &fixture->error) == 0
               ? settings_resolve(&fixture->flags, &config, &fixture->place, &fixture->settings,
                                  &fixture->error)
               : -1;
}

static void flag_goes_before_environment_before_file(void **state)
{
    Fixture *fixture = *state;
    write_config(fixture, "# where\n\nsource = from file \n target=from file\nmigration = from file\n", 0644);
    setenv("PENSTOCK_TARGET", "from environment", 1);
    setenv("PENSTOCK_MIGRATION", "from environment", 1);
    fixture->flags.values[SETTING_MIGRATION] = "from flag";
    assert_int_equal(resolve(fixture), 0);
    assert_string_equal(fixture->settings.source, "from file");
    assert_string_equal(fixture->settings.target, "from environment");
    assert_string_equal(fixture->settings.migration, "from flag");
}

static void nothing_given_leaves_it_to_libpq(void **state)
{
    Fixture *fixture = *state;
    setenv("PENSTOCK_SOURCE", "", 1);
    assert_int_equal(resolve(fixture), 0);
    assert_null(fixture->settings.source);
    assert_null(fixture->settings.target);
    assert_string_equal(fixture->settings.migration, "default");
}

static void value_keeps_its_equals_signs(void **state)
{
    Fixture *fixture = *state;
    write_config(fixture, "source = host=old.example dbname=shop\n", 0644);
    assert_int_equal(resolve(fixture), 0);
    assert_string_equal(fixture->settings.source, "host=old.example dbname=shop");
}

static void line_without_value_is_refused(void **state)
{
    Fixture *fixture = *state;
    write_config(fixture, "source\n", 0644);
    assert_int_equal(resolve(fixture), -1);
    assert_non_null(strstr(fixture->error.message, ":1: a line is `name = value`"));
}

static void missing_named_file_is_an_error(void **state)
{
    Fixture *fixture = *state;
    fixture->flags.config = "/nonexistent/penstock.conf";
    assert_int_equal(resolve(fixture), -1);
    assert_int_equal(fixture->error.code, ERROR_USAGE);
}

static void password_in_an_open_file_is_refused(void **state)
{
    Fixture *fixture = *state;
    write_config(fixture, "source = host=h password=secret\n", 0644);
    assert_int_equal(resolve(fixture), -1);
    assert_null(strstr(fixture->error.message, "secret"));
    write_config(fixture, "source = host=h password=secret\n", 0600);
    assert_int_equal(resolve(fixture), 0);
}

static void migration_name_has_a_length(void **state)
{
    Fixture *fixture = *state;
    char name[65];
    memset(name, 'x', 64);
    name[64] = '\0';
    fixture->flags.values[SETTING_MIGRATION] = name;
    assert_int_equal(resolve(fixture), -1);
    name[63] = '\0';
    assert_int_equal(resolve(fixture), 0);
}

static void password_is_found_in_every_form(void **state)
{
    (void)state;
    assert_true(settings_has_password("postgresql://u:secret@h/db"));
    assert_true(settings_has_password("postgresql://h/db?password=secret"));
    assert_true(settings_has_password("host=h password=secret"));
    assert_true(settings_has_password("host=h sslpassword=secret"));
    assert_false(settings_has_password("postgresql://u@h/db"));
    assert_false(settings_has_password("host=h passfile=/home/u/.pgpass"));
    assert_false(settings_has_password("shop"));
}

static void password_is_overwritten_in_argv(void **state)
{
    Fixture *fixture = *state;
    char uri[] = "--source=postgresql://u:secret@h/db", plain[] = "--target=postgresql://u@h/db";
    char *argv[] = {"penstock", uri, plain, NULL};
    SettingsInput input = {.flags = &fixture->flags, .arena = fixture->arena};
    assert_int_equal(argp_parse(&settings_argp, 3, argv, ARGP_NO_EXIT, NULL, &input), 0);
    assert_null(strstr(uri, "secret"));
    assert_non_null(strstr(plain, "u@h"));
    assert_string_equal(fixture->flags.values[SETTING_SOURCE], "postgresql://u:secret@h/db");
    assert_true(fixture->flags.password_shown);
}

static void nearest_is_by_edits(void **state)
{
    static const char *const names[] = {"check", "copy", "follow", "status", "cutover", "finish"};
    (void)state;
    assert_string_equal(settings_nearest("stauts", names, 6), "status");
    assert_string_equal(settings_nearest("cut", names, 6), "cutover");
    assert_string_equal(settings_nearest("chekc", names, 6), "check");
    assert_null(settings_nearest("frobnicate", names, 6));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(flag_goes_before_environment_before_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_given_leaves_it_to_libpq, set_up, tear_down),
        cmocka_unit_test_setup_teardown(value_keeps_its_equals_signs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(line_without_value_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(missing_named_file_is_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(password_in_an_open_file_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(migration_name_has_a_length, set_up, tear_down),
        cmocka_unit_test(password_is_found_in_every_form),
        cmocka_unit_test_setup_teardown(password_is_overwritten_in_argv, set_up, tear_down),
        cmocka_unit_test(nearest_is_by_edits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
