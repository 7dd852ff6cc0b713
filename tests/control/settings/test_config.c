/*
 * The settings file: what a line may be, for which command it is, and that the command line goes before it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "settings.h"

static const struct argp_option shared_options[] = {
    {"proxy", 1, "KIND", 0, NULL, 0}, {"verify", 2, NULL, 0, NULL, 0}, {"yes", 3, NULL, 0, NULL, 0}, {0}};
static const struct argp shared = {.options = shared_options};
static const struct argp_child children[] = {{.argp = &shared}, {0}};
static const struct argp_option move_options[] = {{NULL, 0, NULL, 0, "A heading", 0},
                                                  {"target-address", 4, "A", 0, NULL, 0},
                                                  {"target", 5, "A", 0, NULL, 0},
                                                  {0}};
static const struct argp move_argp = {.options = move_options, .children = children};
static const struct argp_option show_options[] = {{"jobs", 6, "N", 0, NULL, 0}, {0}};
static const struct argp show_argp = {.options = show_options};
static const Command move = {.name = "move", .argp = &move_argp}, show = {.name = "show", .argp = &show_argp},
                     plain = {.name = "plain"};
static const Command *const commands[] = {&move, &show, &plain, NULL};

static int parse(Arena *arena, const char *text, Config *config, Error *error)
{
    FILE *file = fmemopen((void *)text, strlen(text), "r");
    int status = config_parse(file, "file", arena, config, error);
    fclose(file);
    return status == 0 ? config_check(config, settings_names, SETTINGS, commands, error) : -1;
}

/* The arguments that command gets, joined. */
static const char *arguments(Arena *arena, const char *text, const Command *command, int argc, char **argv)
{
    Config config;
    Error error = {.code = ERROR_NONE};
    const char *joined = "";
    assert_int_equal(parse(arena, text, &config, &error), 0);
    char **out = config_arguments(&config, command, &argc, argv, arena, &error);
    assert_non_null(out);
    assert_null(out[argc]);
    for (int i = 0; i < argc; i++) {
        joined = arena_printf(arena, "%s%s%s", joined, i > 0 ? " " : "", out[i]);
    }
    return joined;
}

static const char text[] = "# all of it\nsource = host=h dbname=d\nproxy = a\nproxy = b,c=d\nverify = on\n"
                           "move.target-address = x:1\njobs = 4\n";

static void a_command_gets_what_it_has_options_for(void **state)
{
    Arena *arena = arena_new(1024);
    char *argv[] = {"name", "--last", NULL};
    (void)state;
    assert_string_equal(arguments(arena, text, &move, 2, argv),
                        "name --proxy=a --proxy=b,c=d --verify --target-address=x:1 --last");
    assert_string_equal(arguments(arena, text, &show, 2, argv), "name --jobs=4 --last");
    assert_string_equal(arguments(arena, text, &plain, 2, argv), "name --last");
    assert_string_equal(arguments(arena, "verify = off\n", &move, 2, argv), "name --last");
    assert_string_equal(arguments(arena, "show.jobs = 4\n", &move, 2, argv), "name --last");
    arena_free(arena);
}

static void the_command_line_takes_the_place_of_all_lines_of_a_name(void **state)
{
    Arena *arena = arena_new(1024);
    (void)state;
    char *given[] = {"name", "--proxy", "z", NULL};
    assert_string_equal(arguments(arena, text, &move, 3, given),
                        "name --verify --target-address=x:1 --proxy z");
    char *brief[] = {"name", "--pro=z", NULL};
    assert_string_equal(arguments(arena, text, &move, 2, brief),
                        "name --verify --target-address=x:1 --pro=z");
    char *other[] = {"name", "--target=z", NULL}; /* a whole name is not short for a longer one */
    assert_string_equal(arguments(arena, "target-address = x:1\n", &move, 2, other),
                        "name --target-address=x:1 --target=z");
    char *behind[] = {"name", "--", "--proxy", NULL};
    assert_string_equal(arguments(arena, "proxy = a\n", &move, 3, behind), "name --proxy=a -- --proxy");
    arena_free(arena);
}

static void what_is_not_understood_names_line_and_nearest(void **state)
{
    static const struct {
        const char *text, *message, *hint;
    } rows[] = {
        {"source = x\nsorce = y\n", "file:2: there is no setting \"sorce\"", "\"source\""},
        {"prxy = y\n", "file:1: there is no setting \"prxy\"", "\"proxy\""},
        {"show.proxy = y\n", "file:1: there is no setting \"show.proxy\"", "\"proxy\""},
        {"yes = on\n", "file:1: \"yes\" is for the command line only", ""},
        {"source\n", "file:1: a line is `name = value`", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Arena *arena = arena_new(1024);
        Config config;
        Error error = {.code = ERROR_NONE};
        assert_int_equal(parse(arena, rows[i].text, &config, &error), -1);
        assert_int_equal(error.code, ERROR_USAGE);
        assert_non_null(strstr(error.message, rows[i].message));
        assert_non_null(strstr(error.hint, rows[i].hint));
        arena_free(arena);
    }
}

static void a_flag_is_on_or_off(void **state)
{
    Arena *arena = arena_new(1024);
    Config config;
    Error error = {.code = ERROR_NONE};
    int argc = 1;
    char *argv[] = {"name", NULL};
    (void)state;
    assert_int_equal(parse(arena, "\nverify = maybe\n", &config, &error), 0);
    assert_null(config_arguments(&config, &move, &argc, argv, arena, &error));
    assert_non_null(strstr(error.message, "file:2: \"verify\" is on or off"));
    arena_free(arena);
}

static void many_lines_are_kept(void **state)
{
    Arena *arena = arena_new(1024);
    char lines[200 * 8 + 1] = "";
    char *argv[] = {"name", NULL};
    (void)state;
    for (int i = 0; i < 200; i++) {
        strcat(lines, "jobs=7\n");
    }
    assert_int_equal(strlen(arguments(arena, lines, &show, 1, argv)), 4 + 200 * 9);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_gets_what_it_has_options_for),
        cmocka_unit_test(the_command_line_takes_the_place_of_all_lines_of_a_name),
        cmocka_unit_test(what_is_not_understood_names_line_and_nearest),
        cmocka_unit_test(a_flag_is_on_or_off),
        cmocka_unit_test(many_lines_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
