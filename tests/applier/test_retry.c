/*
 * How often an error is tried again that hardly passes by waiting.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "retry.h"

static Error error_of(const char *sqlstate)
{
    Error error = {.code = ERROR_TRANSIENT};
    strcpy(error.sqlstate, sqlstate);
    return error;
}

/* How many times it is tried again, up to 1000. */
static int tries(Retry *retry, Error *error)
{
    int count = 0;
    while (count < 1000 && retry_again(retry, error)) {
        count++;
    }
    return count;
}

static void a_server_that_is_gone_is_waited_for(void **state)
{
    (void)state;
    Retry retry = {0};
    Error error = error_of("57P01"), disk = error_of("53100");
    assert_int_equal(tries(&retry, &error), 1000);
    assert_int_equal(tries(&retry, &disk), 1000);
}

static void no_lock_left_has_an_end_and_a_cure(void **state)
{
    (void)state;
    Retry retry = {0};
    Error error = error_of("53200");
    assert_int_equal(tries(&retry, &error), 5);
    assert_non_null(strstr(error.hint, "max_locks_per_transaction"));
}

static void progress_begins_the_count_anew(void **state)
{
    (void)state;
    Retry retry = {0};
    Error error = error_of("53200");
    for (int i = 0; i < 100; i++) {
        assert_true(retry_again(&retry, &error));
        retry_progress(&retry);
    }
    assert_int_equal(tries(&retry, &error), 5);
}

static void another_error_begins_the_count_anew(void **state)
{
    (void)state;
    Retry retry = {0};
    Error locks = error_of("53200"), limit = error_of("53400");
    for (int i = 0; i < 100; i++) {
        assert_true(retry_again(&retry, &locks));
        assert_true(retry_again(&retry, &limit));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_that_is_gone_is_waited_for),
        cmocka_unit_test(no_lock_left_has_an_end_and_a_cure),
        cmocka_unit_test(progress_begins_the_count_anew),
        cmocka_unit_test(another_error_begins_the_count_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
