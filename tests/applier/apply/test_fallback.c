/*
 * When a relation goes by rows at once, and when sets are tried again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fallback.h"

static void begin(Fallbacks *fallbacks, int batches)
{
    for (int i = 0; i < batches; i++) {
        fallbacks_begin(fallbacks);
    }
}

static void one_failure_is_no_habit(void **state)
{
    (void)state;
    Fallbacks fallbacks = {0};
    ApplyRelation relation = {0};
    begin(&fallbacks, 1);
    fallbacks_failed(&fallbacks, &relation);
    begin(&fallbacks, 1);
    assert_false(fallbacks_pausing(&fallbacks, &relation));
}

static void failures_in_a_row_pause_longer_and_longer(void **state)
{
    (void)state;
    Fallbacks fallbacks = {0};
    ApplyRelation relation = {0}, other = {0};
    begin(&fallbacks, 1);
    fallbacks_failed(&fallbacks, &relation);
    for (int pause = 2; pause <= 1024; pause *= 2) {
        begin(&fallbacks, 1);
        assert_false(fallbacks_pausing(&fallbacks, &relation));
        fallbacks_failed(&fallbacks, &relation);
        assert_false(fallbacks_pausing(&fallbacks, &relation)); /* the batch itself knows */
        for (int i = 0; i < (pause < 256 ? pause : 256); i++) {
            begin(&fallbacks, 1);
            assert_true(fallbacks_pausing(&fallbacks, &relation));
            assert_false(fallbacks_pausing(&fallbacks, &other));
        }
    }
    begin(&fallbacks, 1);
    fallbacks_failed(&fallbacks, &relation);
    begin(&fallbacks, 1);
    assert_true(fallbacks_pausing(&fallbacks, &relation));
    begin(&fallbacks, 1000);
    fallbacks_failed(&fallbacks, &relation);
    begin(&fallbacks, 1);
    assert_false(fallbacks_pausing(&fallbacks, &relation)); /* it went well for long */
}

static void it_never_grows(void **state)
{
    (void)state;
    Fallbacks fallbacks = {0};
    ApplyRelation relations[FALLBACK_RELATIONS + 1] = {{0}};
    begin(&fallbacks, 1);
    for (size_t i = 0; i < 2 * (FALLBACK_RELATIONS + 1); i++) {
        fallbacks_failed(&fallbacks, &relations[i % (FALLBACK_RELATIONS + 1)]);
    }
    begin(&fallbacks, 1);
    assert_false(fallbacks_pausing(&fallbacks, &relations[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_failure_is_no_habit),
        cmocka_unit_test(failures_in_a_row_pause_longer_and_longer),
        cmocka_unit_test(it_never_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
