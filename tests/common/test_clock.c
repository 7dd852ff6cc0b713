/*
 * The clock and what is built on it. Nothing here says how long something may take at most: a machine can be slow.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "clock.h"

static int64_t ms_of(struct timespec time)
{
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static void the_units_are_of_one_clock(void **state)
{
    (void)state;
    uint64_t before = clock_usec();
    int64_t ms = clock_ms();
    double seconds = clock_seconds();
    uint64_t after = clock_usec();
    assert_true((int64_t)(before / 1000) <= ms && ms <= (int64_t)(after / 1000));
    assert_true((double)before / 1e6 <= seconds && seconds <= (double)after / 1e6);
}

static void a_pause_takes_its_time(void **state)
{
    (void)state;
    uint64_t before = clock_usec();
    clock_pause_ms(3);
    assert_true(clock_usec() - before >= 3000);
}

static void a_deadline_lies_that_far_ahead(void **state)
{
    (void)state;
    for (int ms = 0; ms < 3000; ms += 7) {
        int64_t before = clock_ms();
        struct timespec deadline = clock_after_ms(ms);
        int64_t after = clock_ms();
        assert_in_range(deadline.tv_nsec, 0, 999999999);
        assert_true(before + ms <= ms_of(deadline) && ms_of(deadline) <= after + ms);
    }
}

static void a_condition_waits_until_its_deadline(void **state)
{
    (void)state;
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t never;
    clock_condition(&never);
    struct timespec deadline = clock_after_ms(5);
    pthread_mutex_lock(&mutex);
    int status;
    while ((status = pthread_cond_timedwait(&never, &mutex, &deadline)) == 0) {
    }
    pthread_mutex_unlock(&mutex);
    assert_int_equal(status, ETIMEDOUT);
    assert_true(clock_ms() >= ms_of(deadline));
    pthread_cond_destroy(&never);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_units_are_of_one_clock),
        cmocka_unit_test(a_pause_takes_its_time),
        cmocka_unit_test(a_deadline_lies_that_far_ahead),
        cmocka_unit_test(a_condition_waits_until_its_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
