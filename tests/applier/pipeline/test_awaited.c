/*
 * Who waits for the applier hears of it with the first mark behind his message, and batches are handed out once for each that came.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "awaited.h"

static MessageRecord message(const char *prefix, bool transactional)
{
    return (MessageRecord){.transactional = transactional, .prefix = bytes_of(prefix, strlen(prefix))};
}

static Record record_of(MessageRecord *message)
{
    return (Record){.kind = RECORD_MESSAGE, .message = message};
}

static void only_our_own_messages_are_waited_for(void **state)
{
    (void)state;
    MessageRecord messages[] = {message("penstock.ddl", true), message("penstockx", true),
                                message("pen", true), message("penstock", false)};
    const Record others[] = {{.kind = RECORD_COMMIT}, {.kind = RECORD_BEGIN},  record_of(&messages[0]),
                             record_of(&messages[1]), record_of(&messages[2]), record_of(&messages[3])};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        Awaited awaited = {0};
        awaited_came(&awaited, &others[i], 100);
        assert_false(awaited_hurries(&awaited));
        assert_false(awaited_passed(&awaited, 200));
    }
}

static void the_mark_has_to_be_behind_the_message(void **state)
{
    (void)state;
    Awaited awaited = {0};
    MessageRecord said = message("penstock", true);
    Record ours = record_of(&said);
    awaited_came(&awaited, &ours, 100);
    assert_true(awaited_hurries(&awaited));
    assert_false(awaited_hurries(&awaited));
    assert_false(awaited_passed(&awaited, 99));
    assert_false(awaited_passed(&awaited, 100));
    assert_true(awaited_passed(&awaited, 101));
    assert_false(awaited_passed(&awaited, 102));
}

static void several_are_heard_in_their_order(void **state)
{
    (void)state;
    Awaited awaited = {0};
    MessageRecord said = message("penstock", true);
    Record ours = record_of(&said);
    awaited_came(&awaited, &ours, 100);
    awaited_came(&awaited, &ours, 200);
    awaited_came(&awaited, &ours, 300);
    assert_true(awaited_passed(&awaited, 150));
    assert_false(awaited_passed(&awaited, 250));
    assert_true(awaited_passed(&awaited, 301));
    assert_false(awaited_passed(&awaited, 400));
    awaited_came(&awaited, &ours, 500);
    assert_true(awaited_passed(&awaited, 501));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_our_own_messages_are_waited_for),
        cmocka_unit_test(the_mark_has_to_be_behind_the_message),
        cmocka_unit_test(several_are_heard_in_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
