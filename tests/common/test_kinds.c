/*
 * Numbers of errors: by words, by SQLSTATE, by code; every code has one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kinds.h"

static void every_code_has_a_number(void **state)
{
    (void)state;
    char number[ERROR_NUMBER_SIZE];
    for (ErrorCode code = ERROR_NONE + 1; code <= ERROR_INTERRUPTED; code++) {
        Error error = {.code = code, .message = "nobody has said this before"};
        assert_non_null(error_kind(&error));
        assert_int_equal(error_kind(&error)->code, code);
        assert_int_equal(strlen(error_number(&error, number)), strlen("PST-1000"));
    }
    assert_string_equal(error_number(&(Error){.code = ERROR_NONE, .message = "fine"}, number), "");
}

static void words_go_before_sqlstate_before_code(void **state)
{
    (void)state;
    char number[ERROR_NUMBER_SIZE];
    Error error;
    error_set(&error, ERROR_TARGET, "%s: %s", "target", "the target has no such row");
    assert_string_equal(error_number(&error, number), "PST-1005"); /* the server's words are not ours */
    strcpy(error.sqlstate, "23505");
    assert_string_equal(error_number(&error, number), "PST-1602");
    strcpy(error.sqlstate, "23514");
    assert_string_equal(error_number(&error, number), "PST-1603");
    strcpy(error.sqlstate, "53100");
    assert_string_equal(error_number(&error, number), "PST-1206");
    strcpy(error.sqlstate, "53200");
    assert_string_equal(error_number(&error, number), "PST-1207");
    error_set(&error, ERROR_CONFLICT, "the target has no such row");
    strcpy(error.sqlstate, "53100");
    assert_string_equal(error_number(&error, number), "PST-1601");
    error_context(&error, "table public.a");
    error_hint(&error, "look");
    assert_string_equal(error_number(&error, number), "PST-1601");
}

static void numbers_are_found_by_name(void **state)
{
    (void)state;
    assert_int_equal(error_kind_named("PST-1501")->number, 1501);
    assert_int_equal(error_kind_named("pst-1501")->number, 1501);
    assert_int_equal(error_kind_named("1501")->number, 1501);
    assert_null(error_kind_named("PST-9999"));
    assert_null(error_kind_named("PST-"));
    assert_null(error_kind_named("cutover"));
    assert_null(error_kind_named("1501x"));
}

static void every_row_says_what_to_do(void **state)
{
    (void)state;
    size_t count;
    const ErrorSection *const *sections = error_sections(&count);
    int last = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < sections[i]->count; j++) {
            const ErrorKind *kind = &sections[i]->kinds[j];
            assert_true(kind->number > last && kind->number / 100 * 100 == sections[i]->first);
            assert_true(strlen(kind->title) > 5 && strlen(kind->cause) > 10 && strlen(kind->cure) > 10);
            assert_true(kind->words != NULL || kind->sqlstates != NULL || kind->code != ERROR_NONE);
            last = kind->number;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_a_number),
        cmocka_unit_test(words_go_before_sqlstate_before_code),
        cmocka_unit_test(numbers_are_found_by_name),
        cmocka_unit_test(every_row_says_what_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
