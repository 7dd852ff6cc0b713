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
    assert_non_null(strstr(text, "UTC  error  a key twice (PST-1602, SQLSTATE 23505)\n"));
    assert_non_null(strstr(text, "UTC  hint  remove one\n"));
}

/* A log of this form, of a program in the middle of a migration. */
static Log placed(LogFormat format, LogPlace *place)
{
    *place = (LogPlace){.program = "penstock", .migration = "my \"shop\""};
    Log log = {.level = LOG_DEBUG, .format = format, .place = place};
    log_stands(&log, "copied", 0x1000000a0);
    log_stands(&log, NULL, 0);
    return log;
}

static void logfmt_has_fields(void **state)
{
    (void)state;
    char text[8192];
    LogPlace place;
    Log log = placed(LOG_LOGFMT, &place);
    log_line(&log, LOG_INFO, "a = \"b\"\nc");
    logged(text);
    assert_memory_equal(text, "time=2", 6);
    assert_string_equal(text + strlen("time=2026-11-22T03:14:07.123Z"),
                        " level=info program=penstock migration=\"my \\\"shop\\\"\" phase=copied lsn=1/A0 "
                        "msg=\"a = \\\"b\\\" c\"\n");
}

static void json_has_the_error_in_fields(void **state)
{
    (void)state;
    char text[8192];
    LogPlace place;
    Log log = placed(LOG_JSON, &place);
    Error error;
    error_set(&error, ERROR_STATE, "the source has no replication slot \"%s\"", "x");
    error_hint(&error, "begin anew");
    error_context(&error, "starting");
    error.lsn = 0x20;
    log_error(&log, &error);
    logged(text);
    assert_memory_equal(text, "{\"time\":\"2", 10);
    assert_non_null(
        strstr(text, "\"level\":\"error\",\"program\":\"penstock\",\"migration\":\"my \\\"shop\\\"\","
                     "\"phase\":\"copied\",\"lsn\":\"0/20\",\"code\":\"PST-1501\",\"hint\":\"begin anew\","
                     "\"msg\":\"starting: the source has no replication slot \\\"x\\\"\"}\n"));
    assert_null(strstr(text, "sqlstate"));
}

static void long_json_is_whole(void **state)
{
    (void)state;
    char text[8192], quotes[3000];
    LogPlace place;
    Log log = placed(LOG_JSON, &place);
    Error error = {.code = ERROR_TARGET, .sqlstate = "23505"};
    memset(error.message, '"', sizeof error.message - 1);
    memset(error.hint, '\\', sizeof error.hint - 1);
    log_error(&log, &error);
    size_t size = strlen(logged(text));
    assert_true(size <= 4096);
    assert_string_equal(text + size - 3, "\"}\n");
    memset(quotes, '"', sizeof quotes - 1);
    quotes[sizeof quotes - 1] = '\0';
    log_line(&log, LOG_INFO, "%s", quotes);
    size = strlen(logged(text));
    assert_true(size <= 4096);
    assert_string_equal(text + size - 3, "\"}\n");
}

static void journal_gets_the_priority_and_no_time(void **state)
{
    (void)state;
    char text[8192];
    LogPlace place;
    Log log = {.level = LOG_INFO, .journal = true};
    log_line(&log, LOG_WARNING, "slow");
    assert_string_equal(logged(text), "<4>warning  slow\n");
    log_error(&log, &(Error){.code = ERROR_LIMIT, .message = "too late", .hint = "hurry"});
    assert_string_equal(logged(text), "<3>error  too late (PST-1009)\n<3>hint  hurry\n");
    log = placed(LOG_LOGFMT, &place);
    log.journal = true;
    log_line(&log, LOG_DEBUG, "x");
    assert_memory_equal(logged(text), "<7>time=2", 9);
}

static void what_is_done_about_an_error_is_a_warning(void **state)
{
    (void)state;
    char text[8192];
    LogPlace place;
    Error error;
    error_set(&error, ERROR_CONNECTION, "cannot connect to the %s: %s", "source", "refused");
    log_handled(&(Log){.level = LOG_INFO}, &error, "trying again in %d s", 3);
    assert_string_equal(
        logged(text) + 24,
        "UTC  warning  cannot connect to the source: refused; trying again in 3 s (PST-1201)\n");
    Log log = placed(LOG_LOGFMT, &place);
    log_handled(&log, &error, "trying again in %d s", 3);
    assert_non_null(strstr(logged(text), " level=warning "));
    assert_non_null(
        strstr(text, " code=PST-1201 msg=\"cannot connect to the source: refused; trying again in 3 s\"\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(line_has_time_level_and_message, redirect, restore),
        cmocka_unit_test_setup_teardown(lines_below_the_level_are_not_written, redirect, restore),
        cmocka_unit_test_setup_teardown(message_cannot_make_a_line_of_its_own, redirect, restore),
        cmocka_unit_test_setup_teardown(long_message_is_one_whole_line, redirect, restore),
        cmocka_unit_test_setup_teardown(error_shows_sqlstate_and_hint, redirect, restore),
        cmocka_unit_test_setup_teardown(logfmt_has_fields, redirect, restore),
        cmocka_unit_test_setup_teardown(json_has_the_error_in_fields, redirect, restore),
        cmocka_unit_test_setup_teardown(long_json_is_whole, redirect, restore),
        cmocka_unit_test_setup_teardown(journal_gets_the_priority_and_no_time, redirect, restore),
        cmocka_unit_test_setup_teardown(what_is_done_about_an_error_is_a_warning, redirect, restore),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
