/*
 * Patterns, and which names they fit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "selection.h"

static bool takes(const char *text)
{
    Selection selection = {0};
    Error error;
    bool taken = selection_add(&selection, SELECTION_ONLY, text, &error) == 0;
    selection_free(&selection);
    return taken;
}

static void a_pattern_is_a_schema_or_a_relation(void **unused)
{
    (void)unused;
    static const char *const good[] = {"a",       "a.b",     "*", "*.*",  "a.[bc]*", "a\\.b.c",
                                       "a.b\\.c", "a[.]b.c", "[", "a.b[", "a.\\*"};
    static const char *const bad[] = {"", ".", "a.", ".b", "a.b.c", "a..b", "a\\", "a.b\\"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        if (!takes(good[i])) {
            fail_msg("\"%s\" is refused", good[i]);
        }
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (takes(bad[i])) {
            fail_msg("\"%s\" is taken", bad[i]);
        }
    }
}

static void names_are_matched_by_part(void **unused)
{
    static const struct {
        const char *pattern, *schema, *name;
        bool fits;
    } cases[] = {
        {"shop", "shop", "orders", true},
        {"shop", "shop2", "orders", false},
        {"shop*", "shop2", "orders", true},
        {"shop.orders", "shop", "orders", true},
        {"shop.orders", "shop", "Orders", false},
        {"shop.*", "shop", "", true},
        {"*.tmp_*", "a.b", "tmp_.x", true},
        {"a\\.b.c", "a.b", "c", true},
        {"a\\.b.c", "a", "b.c", false},
        {"a.tmp_?", "a", "tmp_1", true},
        {"a.tmp_?", "a", "tmp_", false},
        {"a.\\*", "a", "*", true},
        {"a.\\*", "a", "b", false},
        {"a.[!x]*", "a", "y1", true},
        {"a.[!x]*", "a", "x1", false},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Selection selection = {0};
        Error error;
        assert_int_equal(selection_add(&selection, SELECTION_EXCLUDE, cases[i].pattern, &error), 0);
        bool fits = selection_match(&selection, SELECTION_EXCLUDE, cases[i].schema, cases[i].name) != NULL;
        if (fits != cases[i].fits) {
            fail_msg("%s and %s.%s", cases[i].pattern, cases[i].schema, cases[i].name);
        }
        assert_null(selection_match(&selection, SELECTION_ONLY, cases[i].schema, cases[i].name));
        selection_free(&selection);
    }
}

static void order_and_repetition_are_of_no_account(void **unused)
{
    Selection one = {0}, other = {0}, copy = {0};
    Error error;
    Text text = {0};
    (void)unused;
    assert_int_equal(selection_add(&one, SELECTION_EXCLUDE, "b.*", &error), 0);
    assert_int_equal(selection_add(&one, SELECTION_ONLY, "c", &error), 0);
    assert_int_equal(selection_add(&one, SELECTION_EXCLUDE, "a.*", &error), 0);
    assert_int_equal(selection_add(&other, SELECTION_EXCLUDE, "a.*", &error), 0);
    assert_int_equal(selection_add(&other, SELECTION_EXCLUDE, "b.*", &error), 0);
    assert_false(selection_equal(&one, &other));
    assert_int_equal(selection_add(&other, SELECTION_ONLY, "c", &error), 0);
    assert_int_equal(selection_add(&other, SELECTION_ONLY, "c", &error), 0);
    assert_true(selection_equal(&one, &other));
    assert_int_equal(selection_copy(&one, &copy, &error), 0);
    assert_true(selection_equal(&copy, &other));
    assert_true(selection_has(&copy, SELECTION_ONLY));
    assert_false(selection_has(&copy, SELECTION_SCHEMA_ONLY));
    selection_describe(&copy, &text);
    assert_string_equal(text.data, "--only c --exclude a.* --exclude b.*");
    text_free(&text);
    selection_free(&one);
    selection_free(&other);
    selection_free(&copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pattern_is_a_schema_or_a_relation),
        cmocka_unit_test(names_are_matched_by_part),
        cmocka_unit_test(order_and_repetition_are_of_no_account),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
