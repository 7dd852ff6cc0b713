/*
 * The transactions that lanes stand at are met again, as they were, or it is said that they are not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "witness.h"

static const Witnessed lanes[] = {{300, 3}, {200, 2}, {300, 3}, {100, 1}};

static Witness *from(Lsn start)
{
    return witness_new(lanes, sizeof lanes / sizeof *lanes, start);
}

static void assert_missing(int status, const Error *error, const char *lsn)
{
    assert_int_equal(status, -1);
    assert_int_equal(error->code, ERROR_STATE);
    assert_non_null(strstr(error->message, lsn));
    assert_non_null(strstr(error->hint, "penstock copy again"));
}

static void the_same_stream_passes(void **state)
{
    (void)state;
    Witness *witness = from(100);
    Error error;
    assert_int_equal(witness_passed(witness, 100, &error), 0);
    for (Lsn lsn = 100; lsn <= 400; lsn += 50) {
        assert_int_equal(witness_begin(witness, lsn, (int64_t)lsn / 100, &error), 0);
        assert_int_equal(witness_passed(witness, lsn + 10, &error), 0);
    }
    witness_free(witness);
}

static void what_lies_before_the_start_is_not_expected(void **state)
{
    (void)state;
    Witness *witness = from(201);
    Error error;
    assert_int_equal(witness_begin(witness, 250, 7, &error), 0);
    assert_missing(witness_begin(witness, 301, 8, &error), &error, "0/12C");
    witness_free(witness);
}

static void a_stream_without_it_is_another_one(void **state)
{
    (void)state;
    Witness *witness = from(100);
    Error error;
    assert_missing(witness_begin(witness, 101, 1, &error), &error, "0/64");
    witness_free(witness);
}

static void a_position_behind_it_is_enough(void **state)
{
    (void)state;
    Witness *witness = from(150);
    Error error;
    assert_int_equal(witness_passed(witness, 200, &error), 0);
    assert_missing(witness_passed(witness, 201, &error), &error, "0/C8");
    witness_free(witness);
}

static void the_same_place_at_another_time_is_another_one(void **state)
{
    (void)state;
    Witness *witness = from(100);
    Error error;
    assert_int_equal(witness_begin(witness, 100, 1, &error), 0);
    assert_missing(witness_begin(witness, 200, 3, &error), &error, "0/C8");
    witness_free(witness);
}

static void a_batch_ends_in_one_of_the_last_two_transactions(void **state)
{
    (void)state;
    Witness *witness = witness_new(NULL, 0, 0);
    Error error;
    Batch batch = {.last = {100, 4}};
    assert_int_equal(witness_time(witness, &batch), 0);
    assert_int_equal(witness_begin(witness, 100, 11, &error), 0);
    assert_int_equal(witness_time(witness, &batch), 11);
    assert_int_equal(witness_begin(witness, 200, 12, &error), 0);
    assert_int_equal(witness_time(witness, &batch), 11);
    batch.last.commit_lsn = 200;
    assert_int_equal(witness_time(witness, &batch), 12);
    witness_free(witness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_stream_passes),
        cmocka_unit_test(what_lies_before_the_start_is_not_expected),
        cmocka_unit_test(a_stream_without_it_is_another_one),
        cmocka_unit_test(a_position_behind_it_is_enough),
        cmocka_unit_test(the_same_place_at_another_time_is_another_one),
        cmocka_unit_test(a_batch_ends_in_one_of_the_last_two_transactions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
