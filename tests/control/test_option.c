/*
 * Options that set one member each, by their table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "option.h"

enum { KEY_FLAG = 1, KEY_NUMBER, KEY_TEXT, KEY_OTHER };

typedef struct Options {
    bool before, flag, after;
    int first, number, last;
    const char *text;
} Options;

static const OptionField fields[] = {
    OPTION_FLAG(KEY_FLAG, Options, flag),
    OPTION_NUMBER(KEY_NUMBER, "number", Options, number, -3, 12),
    OPTION_TEXT(KEY_TEXT, Options, text),
};

/* What argp_error looks at: it neither prints nor ends the program. */
static const struct argp_state state = {.flags = ARGP_NO_ERRS};

static bool take(Options *options, int key, const char *argument)
{
    return option_take(fields, sizeof fields / sizeof *fields, key, argument, &state, options);
}

static void each_sets_its_own_member(void **unused)
{
    (void)unused;
    Options options = {0};
    assert_true(take(&options, KEY_FLAG, NULL));
    assert_true(options.flag && !options.before && !options.after);
    assert_true(take(&options, KEY_NUMBER, "12"));
    assert_int_equal(options.number, 12);
    assert_int_equal(options.first, 0);
    assert_int_equal(options.last, 0);
    assert_true(take(&options, KEY_NUMBER, "-3"));
    assert_int_equal(options.number, -3);
    assert_true(take(&options, KEY_TEXT, "12"));
    assert_string_equal(options.text, "12");
    assert_int_equal(options.number, -3);
}

static void other_keys_are_left_to_the_caller(void **unused)
{
    (void)unused;
    Options options = {0};
    assert_false(take(&options, KEY_OTHER, "1"));
    assert_int_equal(options.number, 0);
}

static void anything_but_a_number_in_bounds_is_refused(void **unused)
{
    (void)unused;
    static const char *const texts[] = {"", "x", "1x", "13", "-4", "99999999999999999999"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        Options options = {.number = 7};
        assert_true(take(&options, KEY_NUMBER, texts[i]));
        assert_int_equal(options.number, -3); /* the least: argp_error would have ended the program */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_sets_its_own_member),
        cmocka_unit_test(other_keys_are_left_to_the_caller),
        cmocka_unit_test(anything_but_a_number_in_bounds_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
