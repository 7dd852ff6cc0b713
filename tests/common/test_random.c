/* Names that nobody else has. */
#include "random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void names_are_hexadecimal_and_differ(void **state)
{
    char one[RANDOM_NAME_SIZE], other[RANDOM_NAME_SIZE];
    Error error = {.code = ERROR_NONE};
    (void)state;
    assert_int_equal(random_name(one, &error), 0);
    assert_int_equal(random_name(other, &error), 0);
    assert_int_equal(strspn(one, "0123456789abcdef"), RANDOM_NAME_SIZE - 1);
    assert_int_equal(strlen(one), RANDOM_NAME_SIZE - 1);
    assert_string_not_equal(one, other);
}

static void all_bytes_are_filled(void **state)
{
    unsigned char bytes[64] = {0};
    unsigned seen = 0;
    Error error = {.code = ERROR_NONE};
    (void)state;
    for (int turn = 0; turn < 64; turn++) {
        assert_int_equal(random_fill(bytes, sizeof bytes, &error), 0);
        seen |= bytes[sizeof bytes - 1];
    }
    assert_true(seen > 0x7f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_hexadecimal_and_differ),
        cmocka_unit_test(all_bytes_are_filled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
