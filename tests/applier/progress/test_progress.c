/*
 * The low-water mark: what holds it, what moves it, and that thousands of transactions in flight only make its
 * statistics coarser.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "progress.h"

static void lowest_floor_holds_the_mark(void **state)
{
    (void)state;
    Progress *progress = progress_new(10);
    Batch early = {.id = 1, .floor = 20}, late = {.id = 2, .floor = 30};
    progress_begin(progress, &early);
    progress_begin(progress, &late);
    assert_true(progress_advance(progress, 40));
    assert_int_equal(progress_totals(progress)->low_water, 20);
    progress_done(progress, &late);
    assert_false(progress_advance(progress, 40));
    progress_done(progress, &early);
    assert_true(progress_advance(progress, 40));
    assert_int_equal(progress_totals(progress)->low_water, 40);
    assert_int_equal(progress_outstanding(progress), 0);
    progress_free(progress);
}

static void mark_never_goes_back(void **state)
{
    (void)state;
    Progress *progress = progress_new(100);
    assert_false(progress_advance(progress, 50));
    assert_int_equal(progress_totals(progress)->low_water, 100);
    progress_free(progress);
}

static void transactions_below_the_mark_are_counted(void **state)
{
    (void)state;
    Progress *progress = progress_new(0);
    progress_commit(progress, 10, 1000);
    progress_commit(progress, 20, 2000);
    progress_commit(progress, 30, 3000);
    progress_advance(progress, 20);
    assert_int_equal(progress_totals(progress)->transactions, 2);
    assert_int_equal(progress_totals(progress)->commit_time, 2000);
    progress_free(progress);
}

static void many_transactions_in_flight_are_counted_in_the_end(void **state)
{
    (void)state;
    Progress *progress = progress_new(0);
    for (int i = 1; i <= 100000; i++) {
        progress_commit(progress, (Lsn)i * 10, i);
    }
    progress_advance(progress, 500000);
    uint64_t half = progress_totals(progress)->transactions;
    assert_true(half <= 50000 && half > 49000);
    progress_advance(progress, 1000000);
    assert_int_equal(progress_totals(progress)->transactions, 100000);
    progress_free(progress);
}

static void a_heartbeat_counts_once_the_mark_has_passed_it(void **state)
{
    (void)state;
    Progress *progress = progress_new(10);
    assert_int_equal(progress_totals(progress)->heartbeat_time, 0);
    progress_heartbeat(progress, 10, 500);
    assert_int_equal(progress_totals(progress)->heartbeat_time, 500);
    progress_heartbeat(progress, 30, 600);
    progress_heartbeat(progress, 40, 700);
    progress_advance(progress, 29);
    assert_int_equal(progress_totals(progress)->heartbeat_time, 500);
    progress_advance(progress, 30);
    assert_int_equal(progress_totals(progress)->heartbeat_time, 600);
    progress_heartbeat(progress, 50, 800);
    progress_advance(progress, 60);
    assert_int_equal(progress_totals(progress)->heartbeat_time, 800);
    progress_free(progress);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lowest_floor_holds_the_mark),
        cmocka_unit_test(mark_never_goes_back),
        cmocka_unit_test(transactions_below_the_mark_are_counted),
        cmocka_unit_test(a_heartbeat_counts_once_the_mark_has_passed_it),
        cmocka_unit_test(many_transactions_in_flight_are_counted_in_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
