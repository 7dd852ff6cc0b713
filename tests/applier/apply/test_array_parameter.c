/*
 * array_parameter() against the binary format of PostgreSQL's arrays, byte by byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "array_parameter.h"
#include "script.h"

static Bytes parameter_of(Arena *arena, const char *const *lines, size_t count, ImageSide side,
                          uint32_t column)
{
    ApplyRelation *relation = arena_zalloc(arena, sizeof(*relation));
    relation->source = script_relation(arena, "public.t default id* a");
    NetRow *rows = arena_zalloc(arena, sizeof(*rows) * count);
    for (size_t i = 0; i < count; i++) {
        Change change = script_change(arena, relation, lines[i], (Position){1, 1});
        rows[i].image = change_image(&change);
        rows[i].key = change_key(&change);
    }
    return array_parameter(arena, rows, count, side, column, 25);
}

static void values_and_empty_values(void **state)
{
    (void)state;
    Arena *arena = arena_new(4096);
    static const char *const lines[] = {"I 1 abc", "I 2 ''"};
    static const uint8_t expected[] = {0, 0, 0, 1, 0, 0, 0, 0, 0,   0,   0,   25, 0, 0, 0, 2,
                                       0, 0, 0, 1, 0, 0, 0, 3, 'a', 'b', 'c', 0,  0, 0, 0};
    Bytes array = parameter_of(arena, lines, 2, IMAGE_NEW, 1);
    assert_int_equal(array.size, sizeof expected);
    assert_memory_equal(array.data, expected, sizeof expected);
    arena_free(arena);
}

static void null_elements_are_announced(void **state)
{
    (void)state;
    Arena *arena = arena_new(4096);
    static const char *const lines[] = {"I 1 -", "I 2 x"};
    static const uint8_t expected[] = {0, 0, 0, 1, 0, 0,   0,   1,   0,   0, 0, 25, 0, 0,  0,
                                       2, 0, 0, 0, 1, 255, 255, 255, 255, 0, 0, 0,  1, 'x'};
    Bytes array = parameter_of(arena, lines, 2, IMAGE_NEW, 1);
    assert_int_equal(array.size, sizeof expected);
    assert_memory_equal(array.data, expected, sizeof expected);
    arena_free(arena);
}

static void key_side_is_the_old_row(void **state)
{
    (void)state;
    Arena *arena = arena_new(4096);
    static const char *const lines[] = {"U 1 > 2 x"};
    Bytes old = parameter_of(arena, lines, 1, IMAGE_KEY, 0);
    Bytes new = parameter_of(arena, lines, 1, IMAGE_NEW, 0);
    assert_int_equal(old.data[old.size - 1], '1');
    assert_int_equal(new.data[new.size - 1], '2');
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_empty_values),
        cmocka_unit_test(null_elements_are_announced),
        cmocka_unit_test(key_side_is_the_old_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
