/*
 * What an arena promises: alignment, apartness, and memory that comes back with reset.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arena.h"

static void allocations_are_aligned_and_apart(void **state)
{
    (void)state;
    Arena *arena = arena_new(256);
    unsigned char *last = NULL;
    for (size_t size = 0; size < 100; size++) {
        unsigned char *bytes = arena_alloc(arena, size);
        assert_int_equal((uintptr_t)bytes % _Alignof(max_align_t), 0);
        assert_ptr_not_equal(bytes, last);
        memset(bytes, (int)size, size);
        if (last != NULL && size > 1) {
            assert_int_equal(last[size - 2], size - 1);
        }
        last = bytes;
    }
    arena_free(arena);
}

static void large_allocation_leaves_the_open_chunk_open(void **state)
{
    (void)state;
    Arena *arena = arena_new(1024);
    char *first = arena_alloc(arena, 16);
    memset(arena_alloc(arena, 100000), 1, 100000);
    char *second = arena_alloc(arena, 16);
    assert_ptr_equal(second, first + 16);
    arena_free(arena);
}

static void reset_keeps_one_chunk_only(void **state)
{
    (void)state;
    Arena *arena = arena_new(1024);
    char *first = arena_alloc(arena, 16);
    size_t small = arena_footprint(arena);
    for (int i = 0; i < 100; i++) {
        arena_alloc(arena, 500);
    }
    arena_alloc(arena, 1000000);
    assert_true(arena_footprint(arena) > 1000000);
    arena_reset(arena);
    assert_int_equal(arena_footprint(arena), small);
    (void)first;
    memset(arena_alloc(arena, 1024), 0, 1024);
    assert_int_equal(arena_footprint(arena), small);
    arena_free(arena);
}

static void reset_after_one_huge_unit_gives_it_back(void **state)
{
    (void)state;
    Arena *arena = arena_new(1024);
    arena_alloc(arena, 1000000);
    arena_reset(arena);
    assert_true(arena_footprint(arena) < 2048);
    arena_free(arena);
}

static void texts_end_with_nul(void **state)
{
    (void)state;
    Arena *arena = arena_new(64);
    assert_string_equal(arena_strndup(arena, "penstock", 3), "pen");
    assert_string_equal(arena_strndup(arena, NULL, 0), "");
    assert_string_equal(arena_printf(arena, "%s %d", "lane", 7), "lane 7");
    char *cleared = arena_zalloc(arena, 300);
    for (int i = 0; i < 300; i++) {
        assert_int_equal(cleared[i], 0);
    }
    arena_free(arena);
    arena_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_are_aligned_and_apart),
        cmocka_unit_test(large_allocation_leaves_the_open_chunk_open),
        cmocka_unit_test(reset_keeps_one_chunk_only),
        cmocka_unit_test(reset_after_one_huge_unit_gives_it_back),
        cmocka_unit_test(texts_end_with_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
