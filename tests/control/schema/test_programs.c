/*
 * Programs of PostgreSQL's that are run: what they say, how they end, how they are ended; and which majors of them will do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "command.h"
#include "process.h"
#include "tools.h"

static bool signal_seen;

bool interrupted(void)
{
    return signal_seen;
}

static int run_shell(const char *script, Text *out, Text *messages, Error *error)
{
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    const char *const environment[] = {"PENSTOCK_TEST=from the caller", NULL};
    Process process = {.argv = argv, .environment = environment, .what = "the shell"};
    return process_run(&process, out, messages, error);
}

static void both_outputs_are_read_to_their_ends(void **state)
{
    (void)state;
    Text out = {0}, messages = {0};
    Error error = {0};
    assert_int_equal(run_shell("seq 50000; seq 40000 >&2; echo \"$PENSTOCK_TEST\"", &out, &messages, &error),
                     0);
    assert_int_equal(out.size, 288894 + strlen("from the caller\n"));
    assert_int_equal(messages.size, 228894);
    assert_string_equal(out.data + 288894, "from the caller\n");
    text_free(&out);
    text_free(&messages);
}

static void a_failure_shows_the_error_line_and_what_follows(void **state)
{
    (void)state;
    Text out = {0}, messages = {0};
    Error error = {0};
    assert_int_equal(run_shell("echo chatter >&2; echo 'pg_restore: error: it broke' >&2;"
                               "echo 'Command was: SELECT 1' >&2; exit 3",
                               &out, &messages, &error),
                     -1);
    assert_int_equal(error.code, ERROR_SYSTEM);
    assert_string_equal(error.message, "the shell: it broke\nCommand was: SELECT 1");
    text_free(&out);
    text_free(&messages);
}

static void a_program_that_is_not_there_is_an_error(void **state)
{
    (void)state;
    const char *const argv[] = {"/nowhere/pg_dump", NULL};
    Process process = {.argv = argv, .what = "pg_dump"};
    Text out = {0}, messages = {0};
    Error error = {0};
    assert_int_equal(process_run(&process, &out, &messages, &error), -1);
    assert_non_null(strstr(error.message, "No such file"));
    text_free(&messages);
}

static void a_signal_to_us_ends_the_program_and_its_children(void **state)
{
    (void)state;
    Text out = {0}, messages = {0};
    Error error = {0};
    signal_seen = true;
    assert_int_equal(run_shell("sleep 1000 & sleep 1000", &out, &messages, &error), -1);
    signal_seen = false;
    assert_int_equal(error.code, ERROR_INTERRUPTED);
    text_free(&out);
    text_free(&messages);
}

static void majors_are_read_from_version_lines(void **state)
{
    (void)state;
    assert_int_equal(tools_major("pg_dump (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)\n"), 15);
    assert_int_equal(tools_major("pg_restore (PostgreSQL) 17beta1"), 17);
    assert_int_equal(tools_major("something else 14"), 0);
}

static void the_targets_own_major_is_best_and_older_ones_will_not_do(void **state)
{
    (void)state;
    assert_true(tools_rank(14, 14) < tools_rank(15, 14));
    assert_true(tools_rank(15, 14) < tools_rank(16, 14));
    assert_int_equal(tools_rank(13, 14), -1);
    assert_int_equal(tools_rank(17, 14), -1);
    assert_int_equal(tools_rank(18, 17), 1);
}

static void write_script(const char *folder, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "#!/bin/sh\n%s\n", text);
    assert_int_equal(fchmod(fileno(file), 0755), 0);
    assert_int_equal(fclose(file), 0);
}

/* Each start of one takes as long as a question to a server, and longer. */
static void a_program_that_comes_by_several_ways_is_asked_once(void **state)
{
    (void)state;
    char folder[] = "/tmp/penstock-tools.XXXXXX", sameplace[64], log[64], script[200], path[300], line[8];
    assert_non_null(mkdtemp(folder));
    snprintf(sameplace, sizeof sameplace, "%s-link", folder);
    snprintf(log, sizeof log, "%s/asked", folder);
    snprintf(script, sizeof script, "echo 1 >>%s; echo 'pg_dump (PostgreSQL) 98.1'", log);
    write_script(folder, "pg_dump", script);
    write_script(folder, "pg_restore", "exit 1");
    assert_int_equal(symlink(folder, sameplace), 0);
    snprintf(path, sizeof path, "%s:%s:%s", folder, sameplace, folder);
    setenv("PATH", path, 1);
    Tools tools;
    Error error = {0};
    assert_int_equal(tools_find(97, &tools, &error), 0);
    assert_int_equal(tools.major, 98);
    FILE *asked = fopen(log, "r");
    assert_non_null(asked);
    assert_non_null(fgets(line, sizeof line, asked));
    assert_null(fgets(line, sizeof line, asked));
    fclose(asked);
    unlink(sameplace);
    const char *const names[] = {"pg_dump", "pg_restore", "asked"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_outputs_are_read_to_their_ends),
        cmocka_unit_test(a_failure_shows_the_error_line_and_what_follows),
        cmocka_unit_test(a_program_that_is_not_there_is_an_error),
        cmocka_unit_test(a_signal_to_us_ends_the_program_and_its_children),
        cmocka_unit_test(majors_are_read_from_version_lines),
        cmocka_unit_test(the_targets_own_major_is_best_and_older_ones_will_not_do),
        cmocka_unit_test(a_program_that_comes_by_several_ways_is_asked_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
