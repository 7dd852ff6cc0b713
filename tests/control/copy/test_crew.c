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

static int wait_for_stop(const CrewMember *member, Error *error)
{
    while (!atomic_load(member->stop)) {
        sched_yield();
    }
    return error_set(error, ERROR_INTERRUPTED, "stopped by another");
}

static int fail_beside(void *context, Error *error)
{
    (void)context;
    return error_set(error, ERROR_TARGET, "beside");
}

static void what_fails_beside_stops_them_all(void **state)
{
    (void)state;
    atomic_bool stop = false;
    Error error = {0};
    assert_int_equal(crew_run(4, wait_for_stop, fail_beside, NULL, &stop, &error), -1);
    assert_int_equal(error.code, ERROR_TARGET);
    assert_string_equal(error.message, "beside");
}

typedef struct Beside {
    atomic_bool stop, called;
} Beside;

/* A member fails while what is done beside them looks at stop, too. */
static int stopped_beside(void *context, Error *error)
{
    Beside *beside = context;
    atomic_store(&beside->called, true);
    while (!atomic_load(&beside->stop)) {
        sched_yield();
    }
    return error_set(error, ERROR_INTERRUPTED, "stopped by a member");
}

static int fail_once_beside_is_called(const CrewMember *member, Error *error)
{
    Beside *beside = member->context;
    while (!atomic_load(&beside->called)) {
        sched_yield();
    }
    return error_set(error, ERROR_SOURCE, "a member");
}

static void what_is_stopped_beside_hides_no_error(void **state)
{
    (void)state;
    Beside beside = {0};
    Error error = {0};
    assert_int_equal(crew_run(2, fail_once_beside_is_called, stopped_beside, &beside, &beside.stop, &error),
                     -1);
    assert_int_equal(error.code, ERROR_SOURCE);
    assert_string_equal(error.message, "a member");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_member_works_once),
        cmocka_unit_test(the_first_error_stops_the_rest),
        cmocka_unit_test(what_fails_beside_stops_them_all),
        cmocka_unit_test(what_is_stopped_beside_hides_no_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
