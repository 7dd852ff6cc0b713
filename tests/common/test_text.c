/*
 * Texts that grow, and the quoting of what is put together in them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "text.h"

static void array_elements_are_quoted(void **state)
{
    (void)state;
    Text array = {0};
    text_array_add(&array, "plain");
    text_array_add(&array, "a \"b\" \\ {c,d}");
    text_array_add(&array, NULL);
    text_array_add(&array, "");
    text_array_end(&array);
    assert_string_equal(array.data, "{\"plain\",\"a \\\"b\\\" \\\\ {c,d}\",NULL,\"\"}");
    text_free(&array);
}

static void array_without_elements_is_empty(void **state)
{
    (void)state;
    Text array = {0};
    text_array_end(&array);
    assert_string_equal(array.data, "{}");
    text_free(&array);
}

static void text_grows_over_its_first_size(void **state)
{
    (void)state;
    Text text = {0};
    for (int i = 0; i < 1000; i++) {
        text_printf(&text, "%d,", i);
    }
    assert_int_equal(text.size, 3890);
    assert_memory_equal(text.data + text.size - 4, "999,", 5);
    text_free(&text);
}

static void a_copy_is_the_callers_own(void **state)
{
    (void)state;
    char text[] = "text";
    char *copy = text_copy(text);
    text[0] = 'n';
    assert_string_equal(copy, "text");
    assert_null(text_copy(NULL));
    free(copy);
}

static void names_and_literals_are_quoted(void **state)
{
    (void)state;
    Text sql = {0};
    text_name_add(&sql, "a\"b");
    text_append(&sql, " ");
    text_qualified_add(&sql, "Schema", "t.\"\"");
    text_append(&sql, " ");
    text_literal_add(&sql, "it's");
    text_append(&sql, " ");
    text_literal_add(&sql, "a\\'");
    assert_string_equal(sql.data, "\"a\"\"b\" \"Schema\".\"t.\"\"\"\"\" 'it''s' E'a\\\\'''");
    text_free(&sql);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(array_elements_are_quoted),     cmocka_unit_test(array_without_elements_is_empty),
        cmocka_unit_test(names_and_literals_are_quoted), cmocka_unit_test(text_grows_over_its_first_size),
        cmocka_unit_test(a_copy_is_the_callers_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
