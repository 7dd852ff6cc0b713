/*
 * Errors: filled once, given context on the way up, never longer than their room.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "error.h"

static void set_overwrites_everything(void **state)
{
    (void)state;
    Error error = {.code = ERROR_SOURCE, .sqlstate = "42P01", .message = "old", .hint = "old hint"};
    assert_int_equal(error_set(&error, ERROR_LIMIT, "%d rows", 7), -1);
    assert_int_equal(error.code, ERROR_LIMIT);
    assert_string_equal(error.sqlstate, "");
    assert_string_equal(error.message, "7 rows");
    assert_string_equal(error.hint, "");
}

static void context_goes_before(void **state)
{
    (void)state;
    Error error;
    error_set(&error, ERROR_TARGET, "no such column");
    error_hint(&error, "add it");
    assert_int_equal(error_context(&error, "relation %s", "t"), -1);
    error_context(&error, "lane 3");
    assert_string_equal(error.message, "lane 3: relation t: no such column");
    assert_string_equal(error.hint, "add it");
    assert_int_equal(error.code, ERROR_TARGET);
}

static void arguments_may_come_from_the_error_itself(void **state)
{
    (void)state;
    Error error;
    error_set(&error, ERROR_TARGET, "first");
    error_set(&error, ERROR_TARGET, "again %s", error.message);
    error_context(&error, "not '%s'", error.message);
    assert_string_equal(error.message, "not 'again first': again first");
}

static void long_texts_are_cut_and_say_so(void **state)
{
    (void)state;
    Error error;
    char text[3000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    error_set(&error, ERROR_TARGET, "%s", text);
    assert_int_equal(strlen(error.message), sizeof error.message - 1);
    error_context(&error, "lane 3");
    assert_int_equal(strlen(error.message), sizeof error.message - 1);
    assert_memory_equal(error.message, "lane 3: xxx", 11);
    assert_string_equal(error.message + sizeof error.message - 4, "...");
    error_context(&error, "%s", text);
    assert_string_equal(error.message + sizeof error.message - 4, "...");
}

static void exit_status_and_retry_follow_the_code(void **state)
{
    (void)state;
    static const struct {
        ErrorCode code;
        int status;
        bool retry;
    } cases[] = {
        {ERROR_USAGE, 2, false},    {ERROR_CONNECTION, 3, true}, {ERROR_TRANSIENT, 3, true},
        {ERROR_PROTOCOL, 3, false}, {ERROR_SOURCE, 3, false},    {ERROR_TARGET, 3, false},
        {ERROR_PROXY, 3, false},    {ERROR_CONFLICT, 3, false},  {ERROR_STATE, 3, false},
        {ERROR_LIMIT, 3, false},    {ERROR_SYSTEM, 3, false},    {ERROR_INTERRUPTED, 4, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Error error = {.code = cases[i].code};
        assert_int_equal(error_exit_status(&error), cases[i].status);
        assert_int_equal(error_is_retryable(&error), cases[i].retry);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_overwrites_everything),
        cmocka_unit_test(context_goes_before),
        cmocka_unit_test(arguments_may_come_from_the_error_itself),
        cmocka_unit_test(long_texts_are_cut_and_say_so),
        cmocka_unit_test(exit_status_and_retry_follow_the_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
