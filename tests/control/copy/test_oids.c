/*
 * OIDs within the values of a row in binary.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oids.h"

#define ENUM 20001
#define ENUMS 20002
#define PAIR 20003

#define HEADER "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0"

static Oids *oids_with_types(void)
{
    static const OidsType types[] = {
        {.oid = ENUM, .on_target = 0x01020304, .kind = OIDS_ATOM},
        {.oid = ENUMS, .on_target = 0x05060708, .kind = OIDS_ARRAY, .inner = ENUM, .changes = true},
        {.oid = PAIR, .on_target = 0x090A0B0C, .kind = OIDS_RECORD, .changes = true},
    };
    static const uint32_t columns[] = {23, ENUMS, PAIR};
    Oids *oids = oids_new();
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        oids_add(oids, &types[i]);
    }
    oids_columns(oids, columns, 3);
    return oids;
}

/* 0x4E21 is ENUM, 0x4E22 ENUMS. */
#define ARRAY(element) "\0\0\0\1\0\0\0\0" element "\0\0\0\1\0\0\0\1\0\0\0\1x"
#define ROW(element, first, second)                                                                          \
    "\0\3\0\0\0\4\0\0\x4E\x21\0\0\0\x19" ARRAY(element) "\0\0\0\x2E\0\0\0\2" first "\0\0\0\1y" second        \
                                                        "\0\0\0\x19" ARRAY(element)

static void oids_are_put_in_place(void **state)
{
    (void)state;
    Oids *oids = oids_with_types();
    Error error = {0};
    char row[] = HEADER ROW("\0\0\x4E\x21", "\0\0\x4E\x21", "\0\0\x4E\x22");
    static const char expected[] = HEADER ROW("\1\2\3\4", "\1\2\3\4", "\5\6\7\10");
    assert_int_equal(oids_row(oids, row, sizeof row - 1, true, &error), 0);
    assert_memory_equal(row, expected, sizeof expected);
    oids_free(oids);
}

static void nulls_and_the_trailer_pass(void **state)
{
    (void)state;
    Oids *oids = oids_with_types();
    Error error = {0};
    char nulls[] = "\0\3\377\377\377\377\377\377\377\377\377\377\377\377";
    char trailer[] = "\377\377", header[] = HEADER, both[] = HEADER "\377\377";
    assert_int_equal(oids_row(oids, nulls, sizeof nulls - 1, false, &error), 0);
    assert_int_equal(oids_row(oids, trailer, sizeof trailer - 1, false, &error), 0);
    assert_int_equal(oids_row(oids, header, sizeof header - 1, true, &error), 0);
    assert_int_equal(oids_row(oids, both, sizeof both - 1, true, &error), 0);
    oids_free(oids);
}

/* Cut anywhere, or with a byte more: never read behind the end, never taken for a row. */
static void what_is_no_row_is_refused(void **state)
{
    (void)state;
    Oids *oids = oids_with_types();
    Error error = {0};
    static const char row[] = ROW("\0\0\x4E\x21", "\0\0\x4E\x21", "\0\0\x4E\x22");
    for (size_t size = 0; size < sizeof row - 1; size++) {
        char *copy = malloc(size + 1);
        memcpy(copy, row, size);
        assert_int_equal(oids_row(oids, copy, size, false, &error), -1);
        free(copy);
    }
    char *longer = malloc(sizeof row);
    memcpy(longer, row, sizeof row);
    assert_int_equal(oids_row(oids, longer, sizeof row, false, &error), -1);
    assert_int_equal(oids_row(oids, longer, sizeof row - 1, true, &error), -1);
    free(longer);
    oids_free(oids);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(oids_are_put_in_place),
        cmocka_unit_test(nulls_and_the_trailer_pass),
        cmocka_unit_test(what_is_no_row_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
