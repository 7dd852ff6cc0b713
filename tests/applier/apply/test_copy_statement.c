/*
 * Rows as COPY's binary data: what the server reads when the pieces are put together again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "copy_statement.h"

#define SIGNATURE "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0"
#define END "\377\377"

static SourceColumn source_columns[3];
static const SourceRelation source = {
    .schema = "s", .name = "t", .column_count = 3, .columns = source_columns};
static TargetColumn columns[] = {
    {.quoted = "\"id\""}, {.quoted = "\"twice\"", .generated = true}, {.quoted = "\"odd\"\"name\""}};
static const ApplyRelation relation = {.source = &source, .qualified = "\"s\".\"t\"", .columns = columns};

static Cell text(const char *value)
{
    return (Cell){.state = CELL_VALUE, .value = bytes_of(value, strlen(value))};
}

static const Cell null = {.state = CELL_NULL};

/* All pieces, one after the other; none is larger than it may be. */
static size_t put_together(Arena *arena, const NetRow *rows, size_t count, uint8_t *out, size_t size)
{
    CopyData data = copy_data(arena, &relation, rows, count);
    size_t used = 0;
    for (Bytes piece = copy_data_next(&data); piece.size != 0; piece = copy_data_next(&data)) {
        assert_true(piece.size <= COPY_PIECE);
        assert_true(used + piece.size <= size);
        memcpy(out + used, piece.data, piece.size);
        used += piece.size;
    }
    assert_int_equal(copy_data_next(&data).size, 0);
    return used;
}

static void statement_names_what_is_written(void **state)
{
    (void)state;
    char *sql = copy_sql(&relation);
    assert_string_equal(sql, "COPY \"s\".\"t\" (\"id\", \"odd\"\"name\") FROM STDIN (FORMAT binary)");
    free(sql);
}

static void values_nulls_and_empty_texts(void **state)
{
    Arena *arena = *state;
    Cell cells[][3] = {{text("one"), text("left out"), null}, {text(""), text(""), text("x")}};
    NetRow rows[] = {{.image.merged = cells[0]}, {.image.merged = cells[1]}};
    static const char expected[] = SIGNATURE "\0\2\0\0\0\3one\377\377\377\377"
                                             "\0\2\0\0\0\0\0\0\0\1x" END;
    uint8_t out[256];
    assert_int_equal(put_together(arena, rows, 2, out, sizeof out), sizeof expected - 1);
    assert_memory_equal(out, expected, sizeof expected - 1);
}

static uint8_t *expect_int32(uint8_t *at, uint32_t value)
{
    for (int shift = 24; shift >= 0; shift -= 8) {
        *at++ = (uint8_t)(value >> shift);
    }
    return at;
}

/* Whatever its length, the head of the cell behind a value stands whole, in this piece or the next. */
static void values_go_on_in_the_next_piece(void **state)
{
    Arena *arena = *state;
    size_t longest = 3 * COPY_PIECE;
    uint8_t *bytes = malloc(longest), *out = malloc(longest + 256), *expected = malloc(longest + 256);
    for (size_t i = 0; i < longest; i++) {
        bytes[i] = (uint8_t)(i * 31 >> 3);
    }
    for (size_t size = COPY_PIECE - 64; size <= longest;
         size += size < COPY_PIECE + 64 ? 1 : COPY_PIECE - 7) {
        Cell cells[] = {{CELL_VALUE, bytes_of(bytes, size)}, null, text("behind")};
        NetRow row = {.image.merged = cells};
        uint8_t *at = expected;
        memcpy(at, SIGNATURE "\0\2", 21);
        at = expect_int32(at + 21, (uint32_t)size);
        memcpy(at, bytes, size);
        at = expect_int32(at + size, 6);
        memcpy(at, "behind" END, 8);
        at += 8;
        assert_int_equal(put_together(arena, &row, 1, out, longest + 256), at - expected);
        assert_memory_equal(out, expected, (size_t)(at - expected));
        arena_reset(arena);
    }
    free(bytes);
    free(out);
    free(expected);
}

static int set_up(void **state)
{
    *state = arena_new(1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    arena_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statement_names_what_is_written),
        cmocka_unit_test(values_nulls_and_empty_texts),
        cmocka_unit_test(values_go_on_in_the_next_piece),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
