/*
 * Log lines, read back from a pipe that stands in for stderr.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "log.h"

static int saved_stderr;
static int pipe_ends[2];

static int redirect(void **state)
{
    (void)state;
    saved_stderr = dup(STDERR_FILENO);
    return pipe2(pipe_ends, O_NONBLOCK) == 0 && dup2(pipe_ends[1], STDERR_FILENO) >= 0 ? 0 : -1;
}

static int restore(void **state)
{
    (void)state;
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    return 0;
}

/* What was logged since the last call. */
static char *logged(char text[8192])
{
    ssize_t size = read(pipe_ends[0], text, 8191);
    text[size > 0 ? size : 0] = '\0';
    return text;
}

static void line_has_time_level_and_message(void **state)
{
    (void)state;
    char text[8192];
    log_line(&(Log){.level = LOG_INFO}, LOG_INFO, "lane %d", 3);
    logged(text);
    /* 2026-11-22 03:14:07.123 UTC  info  lane 3 */
    assert_int_equal(strlen(text), 24 + strlen("UTC  info  lane 3\n"));
    assert_string_equal(text + 24, "UTC  info  lane 3\n");
    assert_int_equal(text[4], '-');
    assert_int_equal(text[19], '.');
}

static void lines_below_the_level_are_not_written(void **state)
{
    (void)state;
    char text[8192];
    log_line(&(Log){.level = LOG_WARNING}, LOG_INFO, "quiet");
    assert_string_equal(logged(text), "");
}

static void message_cannot_make_a_line_of_its_own(void **state)
{
    (void)state;
    char text[8192];
    log_line(&(Log){.level = LOG_INFO}, LOG_WARNING, "one\ntwo\r\x1b[31m");
    assert_string_equal(logged(text) + 24, "UTC  warning  one two  [31m\n");
}

static void long_message_is_one_whole_line(void **state)
{
    (void)state;
    char text[8192];
    log_line(&(Log){.level = LOG_INFO}, LOG_INFO, "%07000d", 1);
    size_t size = strlen(logged(text));
    assert_true(size <= 4096);
    assert_int_equal(text[size - 1], '\n');
}

static void error_shows_sqlstate_and_hint(void **state)
{
    (void)state;
    char text[8192];
    Error error = {.code = ERROR_TARGET, .sqlstate = "23505", .message = "a key twice", .hint = "remove one"};
    log_error(&(Log){.level = LOG_ERROR}, &error);
    logged(text);
    assert_non_null(strstr(text, "UTC  error  a key twice (SQLSTATE 23505)\n"));
    assert_non_null(strstr(text, "UTC  hint  remove one\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(line_has_time_level_and_message, redirect, restore),
        cmocka_unit_test_setup_teardown(lines_below_the_level_are_not_written, redirect, restore),
        cmocka_unit_test_setup_teardown(message_cannot_make_a_line_of_its_own, redirect, restore),
        cmocka_unit_test_setup_teardown(long_message_is_one_whole_line, redirect, restore),
        cmocka_unit_test_setup_teardown(error_shows_sqlstate_and_hint, redirect, restore),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
