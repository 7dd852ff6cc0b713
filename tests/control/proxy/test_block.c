/*
 * Lines of several in one file: each has its own, and takes them away without a trace, in whatever order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "block.h"

static const char *const files[] = {"[databases]\napp = x\n", "[databases]\napp = x", ""};

/* The caller frees it; text is freed. */
static char *put(char *text, const BlockKey *key, const char *lines)
{
    char *out = block_put(text, ";", key, lines);
    free(text);
    return out;
}

static void each_goes_alone(void **state)
{
    (void)state;
    const BlockKey keys[] = {block_key('l', "default", "app"), block_key('l', "default", "app2")};
    for (size_t i = 0; i < 6; i++) {
        const char *file = files[i / 2];
        const BlockKey *first = &keys[i % 2], *second = &keys[1 - i % 2];
        char *text = put(put(strdup(file), &keys[0], "one = 1\n"), &keys[1], "two = 2\n");
        assert_int_equal(strncmp(text, file, strlen(file)), 0);
        text = put(text, first, NULL);
        assert_false(block_stands(text, ";", first));
        assert_true(block_stands(text, ";", second));
        text = put(text, second, NULL);
        assert_string_equal(text, file);
        free(put(text, first, NULL));
    }
}

static void what_is_put_again_takes_its_place(void **state)
{
    (void)state;
    const BlockKey one = block_key('l', "default", "app"), two = block_key('r', "default", "app");
    char *text = put(put(strdup(files[1]), &one, "one = 1\n"), &two, "two = 2\n");
    char *again = put(put(strdup(text), &one, "three = 3\n"), &one, "one = 1\n");
    assert_string_equal(again, text);
    free(again);
    free(text);
}

/* What somebody else has written behind the lines is not joined to the line before them, and one whose end is gone ends before the next. */
static void others_keep_theirs(void **state)
{
    (void)state;
    const BlockKey one = block_key('l', "default", "app"), two = block_key('l', "two", "app");
    char *text = put(strdup(files[1]), &one, "one = 1\n");
    text = realloc(text, strlen(text) + 32);
    strcat(text, "late = y\n");
    text = put(text, &one, NULL);
    assert_non_null(strstr(text, "\nlate = y\n"));
    assert_non_null(strstr(text, "\napp = x\n"));
    free(text);
    char *cut = put(strdup(files[0]), &one, "one = 1\n");
    *strstr(cut, "; penstock: end") = '\0';
    cut = put(put(cut, &two, "two = 2\n"), &one, NULL);
    assert_true(block_stands(cut, ";", &two));
    assert_null(strstr(cut, "one"));
    cut = put(cut, &two, NULL);
    assert_string_equal(cut, files[0]);
    free(cut);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_goes_alone),
        cmocka_unit_test(what_is_put_again_takes_its_place),
        cmocka_unit_test(others_keep_theirs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
