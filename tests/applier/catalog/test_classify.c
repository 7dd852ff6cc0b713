/*
 * Which relations spread over lanes and which do not, decided from values.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "classify.h"
#include "script.h"

#define INT4 23
#define TEXT 25
#define NUMERIC 1700
#define USER_TYPE 16400

/* The reason for a table whose key column is of source_type there and as `column` says here; "" when it spreads. */
static void expect(const char *relation, uint32_t target_type, char kind, FoundTable table,
                   bool nondeterministic, const char *expected)
{
    Arena *arena = arena_new(4096);
    const SourceRelation *source = script_relation(arena, relation);
    FoundColumn column = {.base_type = target_type, .type_kind = kind, .nondeterministic = nondeterministic};
    const FoundColumn *columns[] = {&column, &column, &column};
    char *reason = classify_whole(source, &table, columns);
    assert_string_equal(reason != NULL ? reason : "", expected);
    free(reason);
    arena_free(arena);
}

static const FoundTable indexed = {.key_indexed = true};

static void keys_of_bytewise_types_spread(void **state)
{
    (void)state;
    expect("public.t default id*:23 a", INT4, 'b', indexed, false, "");
    expect("public.t index id*:25 a", TEXT, 'b', indexed, false, "");
    expect("public.t default id*:16400", USER_TYPE, 'e', indexed, false, "");
}

static void keys_whose_equality_is_not_of_bytes_stay_whole(void **state)
{
    (void)state;
    const char *reason = "values of key column id can be equal and differ in bytes";
    expect("public.t default id*:1700", NUMERIC, 'b', indexed, false, reason);
    expect("public.t default id*:23", NUMERIC, 'b', indexed, false, reason);
    expect("public.t default id*:1700", INT4, 'b', indexed, false, reason);
    expect("public.t default id*:16400", USER_TYPE, 'b', indexed, false, reason);
    expect("public.t default id*:25", TEXT, 'b', indexed, true, reason);
    expect("public.t default id*:25", USER_TYPE, 'e', indexed, false, reason);
}

static void other_ways_to_meet_keep_a_table_whole(void **state)
{
    (void)state;
    FoundTable table = indexed;
    table.other_unique = "t_a_key";
    expect("public.t default id*:23", INT4, 'b', table, false, "t_a_key is unique besides the key");
    table = (FoundTable){0};
    expect("public.t default id*:23", INT4, 'b', table, false, "the target has no unique index on its key");
    expect("public.t full id:23", INT4, 'b', indexed, false, "its replica identity is full");
    expect("public.t nothing id:23", INT4, 'b', indexed, false, "it has no replica identity");
    expect("public.t default id:23", INT4, 'b', indexed, false, "it has no replica identity");
}

static void small_tables_among_very_many_stay_whole(void **state)
{
    (void)state;
    FoundTable table = indexed;
    table.bytes = 8192;
    expect("public.t default id*:23", INT4, 'b', table, false, "");
    table.among_many = true;
    expect("public.t default id*:23", INT4, 'b', table, false,
           "it is small, and one of very many: its worker alone keeps what the server needs for it");
    table.bytes = (int64_t)1 << 30;
    expect("public.t default id*:23", INT4, 'b', table, false, "");
}

static void match_follows_the_replica_identity(void **state)
{
    (void)state;
    Arena *arena = arena_new(4096);
    assert_int_equal(classify_match(script_relation(arena, "public.t default id*")), MATCH_KEY);
    assert_int_equal(classify_match(script_relation(arena, "public.t index id*")), MATCH_KEY);
    assert_int_equal(classify_match(script_relation(arena, "public.t full id")), MATCH_ROW);
    assert_int_equal(classify_match(script_relation(arena, "public.t default id")), MATCH_NONE);
    assert_int_equal(classify_match(script_relation(arena, "public.t nothing id")), MATCH_NONE);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_of_bytewise_types_spread),
        cmocka_unit_test(keys_whose_equality_is_not_of_bytes_stay_whole),
        cmocka_unit_test(other_ways_to_meet_keep_a_table_whole),
        cmocka_unit_test(small_tables_among_very_many_stay_whole),
        cmocka_unit_test(match_follows_the_replica_identity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
