/*
 * A crew ends when all have ended, and its first error stops the others and is the one that is told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sched.h>

#include <cmocka.h>

#include "crew.h"

static int add_number(const CrewMember *member, Error *error)
{
    (void)error;
    atomic_fetch_add((atomic_int *)member->context, member->number + 1);
    return 0;
}

static void every_member_works_once(void **state)
{
    (void)state;
    atomic_int sum = 0;
    atomic_bool stop = false;
    Error error = {0};
    assert_int_equal(crew_run(8, add_number, NULL, &sum, &stop, &error), 0);
    assert_int_equal(sum, 36);
}

static int fail_or_wait(const CrewMember *member, Error *error)
{
    if (member->number == 2) {
        return error_set(error, ERROR_SOURCE, "number two");
    }
    while (!atomic_load(member->stop)) {
        sched_yield();
    }
    return error_set(error, ERROR_INTERRUPTED, "stopped by another");
}

static void the_first_error_stops_the_rest(void **state)
{
    (void)state;
    atomic_bool stop = false;
    Error error = {0};
    assert_int_equal(crew_run(4, fail_or_wait, NULL, NULL, &stop, &error), -1);
    assert_int_equal(error.code, ERROR_SOURCE);
    assert_string_equal(error.message, "number two");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_member_works_once),
        cmocka_unit_test(the_first_error_stops_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
