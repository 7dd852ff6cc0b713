#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "answer_limit.h"
#include "clock.h"

static void an_answer_has_ten_seconds_or_what_is_said(void **state)
{
    (void)state;
    assert_int_equal(answer_limit_ms(&(AnswerLimit){0}, -1), 10000);
    assert_int_equal(answer_limit_ms(&(AnswerLimit){.answer_ms = 5000}, -1), 5000);
}

static void one_that_was_silent_has_less(void **state)
{
    (void)state;
    assert_int_equal(answer_limit_ms(&(AnswerLimit){0}, 0), 1000);
    assert_int_equal(answer_limit_ms(&(AnswerLimit){0}, 1500), 3000);
    assert_int_equal(answer_limit_ms(&(AnswerLimit){.answer_ms = 2000}, 1500), 2000);
    assert_int_equal(answer_limit_ms(&(AnswerLimit){.answer_ms = 20}, 0), 20);
}

static void none_comes_past_the_deadline(void **state)
{
    (void)state;
    assert_int_equal(answer_limit_ms(&(AnswerLimit){.deadline = clock_ms() - 5}, -1), 1);
    assert_in_range(answer_limit_ms(&(AnswerLimit){.deadline = clock_ms() + 2000}, -1), 1, 2000);
    assert_int_equal(answer_limit_ms(&(AnswerLimit){.deadline = clock_ms() + 60000, .answer_ms = 5000}, -1),
                     5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_has_ten_seconds_or_what_is_said),
        cmocka_unit_test(one_that_was_silent_has_less),
        cmocka_unit_test(none_comes_past_the_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
