/*
 * What a copy takes yet, from what it has done.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "estimate.h"

static void near(double found, double wanted)
{
    if (fabs(found - wanted) > 0.001 * (1 + fabs(wanted))) {
        fail_msg("%f instead of %f", found, wanted);
    }
}

static void rows_go_on_at_their_speed(void **unused)
{
    (void)unused;
    const Estimate half = {.rows = {.total = 1000, .done = 500, .here = 500, .seconds = 50}};
    near(estimate_left(&half), 50);
    near(estimate_share(&half), 0.5);
}

static void what_an_earlier_run_did_is_done_and_says_nothing_of_the_speed(void **unused)
{
    (void)unused;
    const Estimate resumed = {.rows = {.total = 1000, .done = 900, .here = 100, .seconds = 50}};
    near(estimate_left(&resumed), 50);
}

static void indexes_cost_twice_as_much_as_rows_until_one_was_made(void **unused)
{
    (void)unused;
    Estimate estimate = {.rows = {.total = 1000, .done = 500, .here = 500, .seconds = 50},
                         .indexes = {.total = 300}};
    near(estimate_left(&estimate), 50 + 60);
    estimate.rows = (EstimateWork){.total = 1000, .done = 1000, .here = 1000, .seconds = 100};
    estimate.indexes = (EstimateWork){.total = 300, .done = 100, .here = 100, .seconds = 20};
    near(estimate_left(&estimate), 40);
    near(estimate_share(&estimate), (100 + 20) / (100.0 + 60));
}

static void nothing_is_known_at_the_beginning_and_nothing_left_at_the_end(void **unused)
{
    (void)unused;
    const Estimate fresh = {.rows = {.total = 1e12}};
    near(estimate_left(&fresh), -1);
    near(estimate_share(&fresh), 0);
    const Estimate over = {.rows = {.total = 10, .done = 12, .here = 12, .seconds = 1}};
    near(estimate_left(&over), 0);
    near(estimate_share(&over), 1);
    const Estimate empty = {.rows = {0}};
    near(estimate_left(&empty), 0);
    near(estimate_share(&empty), 1);
}

/* A run that only makes indexes: rows were copied by an earlier one. */
static void a_run_of_indexes_alone(void **unused)
{
    (void)unused;
    const Estimate indexes = {.rows = {.total = 1000, .done = 1000},
                              .indexes = {.total = 200, .done = 150, .here = 50, .seconds = 10}};
    near(estimate_left(&indexes), 10);
}

/* Those of one table, while another is copied: they took some of the rows' time. */
static void indexes_made_while_rows_are_carried_are_one_work_with_them(void **unused)
{
    (void)unused;
    const Estimate both = {.rows = {.total = 1000, .done = 500, .here = 500, .seconds = 70},
                           .indexes = {.total = 300, .done = 100},
                           .beside = 100};
    near(estimate_left(&both), (500 + 2 * 200) * 0.1);
    near(estimate_share(&both), 700 / 1600.0);
    const Estimate behind = {.rows = {.total = 1000, .done = 1000, .here = 1000, .seconds = 120},
                             .indexes = {.total = 300, .done = 200, .here = 100, .seconds = 30},
                             .beside = 100};
    near(estimate_left(&behind), 30);
}

/* Others have nothing to do any more. */
static void the_longest_job_is_waited_for(void **unused)
{
    (void)unused;
    near(estimate_job_left(0.25, 10), 30);
    near(estimate_job_left(0.001, 10), 0);
    near(estimate_job_left(0.5, 0.1), 0);
    near(estimate_job_left(1.5, 10), 0);
    Estimate last = {.rows = {.total = 1000, .done = 900, .here = 900, .seconds = 90}, .longest = 20};
    near(estimate_left(&last), 20);
    last.longest = 5;
    near(estimate_left(&last), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_go_on_at_their_speed),
        cmocka_unit_test(what_an_earlier_run_did_is_done_and_says_nothing_of_the_speed),
        cmocka_unit_test(indexes_cost_twice_as_much_as_rows_until_one_was_made),
        cmocka_unit_test(nothing_is_known_at_the_beginning_and_nothing_left_at_the_end),
        cmocka_unit_test(a_run_of_indexes_alone),
        cmocka_unit_test(indexes_made_while_rows_are_carried_are_one_work_with_them),
        cmocka_unit_test(the_longest_job_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
