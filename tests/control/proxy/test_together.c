/*
 * What is done with many at once is done with all, whoever fails; and a program that does not end is ended.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "program.h"
#include "together.h"

/* Each waits until all have come: one after another they never would. */
typedef struct Meeting {
    _Atomic size_t there;
    size_t wanted;
    _Atomic size_t done;
    size_t failing;
} Meeting;

static int meet(void *context, size_t number, Error *error)
{
    Meeting *meeting = context;
    meeting->there++;
    while (meeting->there < meeting->wanted) {
    }
    meeting->done++;
    return number % 3 == 1 && number <= meeting->failing ? error_set(error, ERROR_PROXY, "number %zu", number)
                                                         : 0;
}

static void all_go_at_once_and_all_are_done(void **state)
{
    (void)state;
    Error error;
    Meeting meeting = {.wanted = 10};
    assert_int_equal(together(10, meet, &meeting, &error), 0);
    meeting = (Meeting){.wanted = 10, .failing = 4};
    assert_int_equal(together(10, meet, &meeting, &error), -1);
    assert_int_equal(meeting.done, 10);
    assert_non_null(strstr(error.message, "2 of 10 proxies failed"));
    assert_non_null(strstr(error.message, "number 1"));
    meeting = (Meeting){.wanted = 0};
    assert_int_equal(together(0, meet, &meeting, &error), 0);
}

static void all_processes_of_a_port_have_to_be_named(void **state)
{
    (void)state;
    Error error;
    const ProxyReport alone = {0}, one = {.port = 6432, .processes = 2},
                      other = {.port = 6432, .processes = 2};
    assert_int_equal(together_check((const ProxyReport *const[]){&alone, &one, &other}, 3, &error), 0);
    assert_int_equal(together_check((const ProxyReport *const[]){&alone, &one}, 2, &error), -1);
    assert_non_null(strstr(error.message, "2 processes listen at port 6432, and 1 of them is named"));
}

static void programs_are_fed_and_bounded(void **state)
{
    (void)state;
    Error error;
    char *out = NULL;
    /* More than pipes hold, both ways. */
    size_t size = 1 << 20;
    char *text = malloc(size + 1);
    memset(text, 'x', size);
    text[size] = '\0';
    assert_int_equal(program_run((const char *const[]){"cat", NULL}, text, NULL, 20000, &out, &error), 0);
    assert_string_equal(out, text);
    free(out);
    assert_int_equal(program_run((const char *const[]){"true", NULL}, text, NULL, 20000, NULL, &error), 0);
    free(text);
    assert_int_equal(program_run((const char *const[]){"sh", "-c", "printf %s $A", NULL}, NULL,
                                 (const char *const[]){"A=b", NULL}, 20000, &out, &error),
                     0);
    assert_string_equal(out, "b");
    free(out);
    assert_int_equal(program_run((const char *const[]){"/nowhere/x", NULL}, NULL, NULL, 20000, NULL, &error),
                     -1);
    assert_non_null(strstr(error.message, "No such file"));
    assert_int_equal(program_run((const char *const[]){"sh", "-c", "sleep 600 & sleep 600", NULL}, NULL, NULL,
                                 200, NULL, &error),
                     -1);
    assert_int_equal(error.code, ERROR_LIMIT);
}

/* Also before it has come so far as to have children. */
static void a_program_is_ended_however_soon(void **state)
{
    (void)state;
    Error error;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(
            program_run((const char *const[]){"sleep", "600", NULL}, NULL, NULL, 0, NULL, &error), -1);
        assert_int_equal(error.code, ERROR_LIMIT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_go_at_once_and_all_are_done),
        cmocka_unit_test(all_processes_of_a_port_have_to_be_named),
        cmocka_unit_test(programs_are_fed_and_bounded),
        cmocka_unit_test(a_program_is_ended_however_soon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
