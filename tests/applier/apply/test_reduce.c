/*
 * reduce() on changes written by hand; what it makes of them is printed as text and compared:
 *
 *     D[1 2] U(1x)[1:1/x/~] L(01)[:1/x] I[3:3/y/-] | R[…]
 *
 * deletes with their keys, updates with the columns they write (by number) and key:cells, rows that go with the
 * columns that they are found by, inserts, and after
 * each | the next segment; R is one that is applied row by row.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reduce.h"
#include "script.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof *(array))

static void put_cell(FILE *out, const RowImage *image, uint32_t column)
{
    Bytes value = {0};
    switch (image_cell(image, column, &value)) {
    case CELL_VALUE:
        fprintf(out, "%.*s", (int)value.size, (const char *)value.data);
        break;
    case CELL_NULL:
        fputc('-', out);
        break;
    case CELL_UNCHANGED:
        fputc('~', out);
        break;
    case CELL_ABSENT:
        fputc('?', out);
        break;
    }
}

static void put_rows(FILE *out, const SourceRelation *source, const NetRow *rows, size_t count, bool cells)
{
    fputc('[', out);
    for (size_t i = 0; i < count; i++) {
        fputs(i == 0 ? "" : " ", out);
        for (uint32_t k = 0; k < source->key_count; k++) {
            fputs(k == 0 ? "" : ",", out);
            put_cell(out, &rows[i].key, source->keys[k]);
        }
        for (uint32_t c = 0; cells && c < source->column_count; c++) {
            fputc(c == 0 ? ':' : '/', out);
            put_cell(out, &rows[i].image, c);
        }
    }
    fputc(']', out);
}

static void put_segment(FILE *out, const Segment *segment, const Change *changes)
{
    const SourceRelation *source = segment->relation->source;
    if (segment->by_rows) {
        fputs(" R[", out);
        for (size_t i = 0; i < segment->change_count; i++) {
            fprintf(out, "%s%d", i == 0 ? "" : " ", (int)(segment->changes[i] - changes));
        }
        fputc(']', out);
    }
    if (segment->delete_count != 0) {
        fputs(" D", out);
        put_rows(out, source, segment->deletes, segment->delete_count, false);
    }
    for (size_t g = 0; g < segment->update_count; g++) {
        fputs(" U(", out);
        for (uint32_t c = 0; c < source->column_count; c++) {
            if (column_in(segment->updates[g].columns, c)) {
                fprintf(out, "%u", c);
            }
        }
        fputc(')', out);
        put_rows(out, source, segment->updates[g].rows, segment->updates[g].count, true);
    }
    for (size_t g = 0; g < segment->lost_count; g++) {
        fputs(" L(", out);
        for (uint32_t c = 0; c < source->column_count; c++) {
            if (column_in(segment->lost[g].find, c)) {
                fprintf(out, "%u", c);
            }
        }
        fputc(')', out);
        put_rows(out, source, segment->lost[g].rows, segment->lost[g].count, true);
    }
    if (segment->insert_count != 0) {
        fputs(" I", out);
        put_rows(out, source, segment->inserts, segment->insert_count, true);
    }
}

/* Changes of several relations: lines start with the number of the relation. */
static char *reduced(const char *const *relations, size_t relation_count, const char *const *lines,
                     size_t count)
{
    Arena *arena = arena_new(4096);
    ApplyRelation *targets = arena_zalloc(arena, sizeof(*targets) * relation_count);
    for (size_t i = 0; i < relation_count; i++) {
        targets[i].source = script_relation(arena, relations[i]);
        targets[i].columns =
            arena_zalloc(arena, sizeof(TargetColumn) * (targets[i].source->column_count + 1));
        ReplicaIdentity identity = targets[i].source->identity;
        targets[i].match = identity == IDENTITY_FULL      ? MATCH_ROW
                           : identity == IDENTITY_NOTHING ? MATCH_NONE
                                                          : MATCH_KEY;
        targets[i].row_sets = strcmp(targets[i].source->schema, "sets") == 0;
        targets[i].serial = i + 1;
    }
    Change *changes = arena_alloc(arena, sizeof(*changes) * (count + 1));
    for (size_t i = 0; i < count; i++) {
        changes[i] = script_change(arena, &targets[lines[i][0] - '0'], lines[i] + 2, (Position){1, i + 1});
    }
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    for (const Segment *s = reduce(arena, changes, count); s != NULL; s = s->next) {
        put_segment(out, s, changes);
        fputs(s->next != NULL ? " |" : "", out);
    }
    fclose(out);
    arena_free(arena);
    return text;
}

static const char *const keyed[] = {"public.t default id* a b"};

#define EXPECT(relations, expected, ...)                                                                     \
    do {                                                                                                     \
        const char *const lines[] = {__VA_ARGS__};                                                           \
        char *text = reduced(relations, ARRAY_SIZE(relations), lines, ARRAY_SIZE(lines));                    \
        assert_string_equal(text[0] == ' ' ? text + 1 : text, expected);                                     \
        free(text);                                                                                          \
    } while (0)

static void single_changes_stay_as_they_are(void **state)
{
    (void)state;
    EXPECT(keyed, "I[1:1/x/y]", "0 I 1 x y");
    EXPECT(keyed, "U(12)[1:1/x/y]", "0 U 1 x y");
    EXPECT(keyed, "U(1)[1:1/x/~]", "0 U 1 x ~");
    EXPECT(keyed, "U()[1:1/~/~]", "0 U 1 ~ ~");
    EXPECT(keyed, "D[1]", "0 D 1");
}

static void pairs_become_their_net_effect(void **state)
{
    (void)state;
    EXPECT(keyed, "I[1:1/z/-]", "0 I 1 x y", "0 U 1 z -");
    EXPECT(keyed, "", "0 I 1 x y", "0 D 1");
    EXPECT(keyed, "U(12)[1:1/p/q]", "0 U 1 x y", "0 U 1 p q");
    EXPECT(keyed, "D[1]", "0 U 1 x y", "0 D 1");
    EXPECT(keyed, "D[1] I[1:1/x/y]", "0 D 1", "0 I 1 x y");
}

static void longer_histories_become_their_net_effect(void **state)
{
    (void)state;
    EXPECT(keyed, "I[1:1/p/q]", "0 I 1 x y", "0 D 1", "0 I 1 p q");
    EXPECT(keyed, "", "0 I 1 x y", "0 D 1", "0 I 1 p q", "0 D 1");
    EXPECT(keyed, "D[1] I[1:1/r/y]", "0 D 1", "0 I 1 x y", "0 U 1 r ~");
    EXPECT(keyed, "D[1]", "0 D 1", "0 I 1 x y", "0 D 1");
    EXPECT(keyed, "D[1] I[1:1/p/q]", "0 D 1", "0 I 1 x y", "0 D 1", "0 I 1 p q");
    EXPECT(keyed, "D[1] I[1:1/p/q]", "0 U 1 a b", "0 D 1", "0 I 1 p q");
    EXPECT(keyed, "I[1:1/c/y]", "0 I 1 x y", "0 U 1 a ~", "0 U 1 b ~", "0 U 1 c ~");
}

static void unchanged_cells_keep_the_earlier_value(void **state)
{
    (void)state;
    EXPECT(keyed, "I[1:1/z/y]", "0 I 1 x y", "0 U 1 z ~");
    EXPECT(keyed, "U(12)[1:1/p/y]", "0 U 1 x y", "0 U 1 p ~");
    EXPECT(keyed, "U(12)[1:1/p/q]", "0 U 1 ~ q", "0 U 1 p ~");
    EXPECT(keyed, "U(1)[1:1/p/~]", "0 U 1 x ~", "0 U 1 p ~");
    EXPECT(keyed, "U(12)[1:1/r/q]", "0 U 1 ~ q", "0 U 1 p ~", "0 U 1 r ~");
    EXPECT(keyed, "U(12)[1:1/p/-]", "0 U 1 x -", "0 U 1 p ~");
}

static void old_key_that_is_the_same_moves_nothing(void **state)
{
    (void)state;
    EXPECT(keyed, "U(12)[1:1/x/y]", "0 U 1 > 1 x y");
    EXPECT(keyed, "U(1)[1:~/x/~]", "0 U 1 > ~ x ~");
    EXPECT(keyed, "I[1:1/z/y]", "0 I 1 x y", "0 U 1 > ~ z ~");
}

static void updates_are_grouped_by_their_columns(void **state)
{
    (void)state;
    EXPECT(keyed, "U(12)[1:1/a/b 3:3/a/b] U(1)[2:2/a/~ 4:4/a/~]", "0 U 3 a b", "0 U 4 a ~", "0 U 1 a b",
           "0 U 2 a ~");
    EXPECT(keyed, "U(1)[1:1/a/~] U(2)[2:2/~/b] U(12)[3:3/a/b] U()[4:4/~/~]", "0 U 1 a ~", "0 U 2 ~ b",
           "0 U 3 a b", "0 U 4 ~ ~");
}

static void lists_are_sorted_by_key(void **state)
{
    (void)state;
    EXPECT(keyed, "D[10 11 2] I[1:1/x/x 5:5/x/x 7:7/x/x]", "0 D 2", "0 I 7 x x", "0 D 11", "0 I 1 x x",
           "0 D 10", "0 I 5 x x");
    EXPECT(keyed, "D[aaaaaaaaa aaaaaaaab]", "0 D aaaaaaaab", "0 D aaaaaaaaa");
}

static void key_change_is_a_row_between_segments(void **state)
{
    (void)state;
    EXPECT(keyed, "R[0]", "0 U 1 > 2 x y");
    EXPECT(keyed, "I[1:1/x/y] | R[1] | D[2]", "0 I 1 x y", "0 U 1 > 2 x y", "0 D 2");
    EXPECT(keyed, "R[0 1 2]", "0 U 1 > 3 x y", "0 U 2 > 1 x y", "0 U 3 > 2 x y");
    EXPECT(keyed, "U(12)[1:1/p/q] | R[1] | I[1:1/x/y]", "0 U 1 p q", "0 U 1 > 2 p q", "0 I 1 x y");
}

static void what_does_not_fit_is_left_to_rows(void **state)
{
    (void)state;
    EXPECT(keyed, "I[1:1/x/y] | R[1]", "0 I 1 x y", "0 I 1 x y");
    EXPECT(keyed, "D[1] | R[1]", "0 D 1", "0 D 1");
    EXPECT(keyed, "D[1] | R[1] | U(12)[2:2/x/y]", "0 D 1", "0 U 1 x y", "0 U 2 x y");
    EXPECT(keyed, "R[2]", "0 I 1 x y", "0 D 1", "0 U 1 x y");
}

static void keys_of_several_columns(void **state)
{
    (void)state;
    static const char *const wide[] = {"public.t default a* x b*"};
    EXPECT(wide, "D[1,2] U(1)[12,1:12/x/1] I[1,12:1/x/12]", "0 D 1 2", "0 U 12 x 1", "0 I 1 x 12");
    EXPECT(wide, "U(1)[1,2:1/y/2]", "0 U 1 x 2", "0 U 1 y 2");
}

static void relations_without_key_keep_their_order(void **state)
{
    (void)state;
    static const char *const full[] = {"public.t full a b"};
    EXPECT(full, "I[:1/x :1/x]", "0 I 1 x", "0 I 1 x");
    EXPECT(full, "I[:1/x] | R[1 2] | I[:3/z]", "0 I 1 x", "0 U 1 x > 1 y", "0 D 1 y", "0 I 3 z");
    static const char *const none[] = {"public.t nothing a b"};
    EXPECT(none, "I[:1/x] | R[1]", "0 I 1 x", "0 U 1 y");
    static const char *const empty[] = {"public.t nothing"};
    EXPECT(empty, "R[0 1]", "0 I", "0 I");
}

static void rows_without_key_go_and_come_together(void **state)
{
    (void)state;
    static const char *const full[] = {"sets.t full a b"};
    EXPECT(full, "L(01)[:1/x :2/x :3/x :4/x]", "0 D 1 x", "0 D 2 x", "0 D 3 x", "0 D 4 x");
    EXPECT(full, "L(01)[:1/x :2/x :3/x :4/x] I[:1/y :2/y :3/y :4/y]", "0 U 1 x > 1 y", "0 U 2 x > 2 y",
           "0 U 3 x > 3 y", "0 U 4 x > 4 y");
    EXPECT(full, "L(01)[:1/x :2/x :3/x :4/x] I[:1/z]", "0 U 1 x > 1 y", "0 U 1 y > 1 z", "0 D 2 x", "0 D 3 x",
           "0 D 4 x", "0 I 9 q", "0 D 9 q");
    /* What goes before it comes is the target's. */
    EXPECT(full, "L(01)[:9/q :1/x :2/x :3/x] I[:9/q]", "0 D 9 q", "0 I 9 q", "0 D 1 x", "0 D 2 x", "0 D 3 x");
    /* The same row more than once, and nulls. */
    EXPECT(full, "L(01)[:1/x :2/x] L(01)[:1/x] L(0)[:3/-]", "0 D 1 x", "0 D 1 x", "0 D 2 x", "0 D 3 -");
    /* An update that does not send a large value has it in the old row. */
    EXPECT(full, "L(01)[:1/x :2/x :3/x :4/x] I[:7/x]", "0 U 1 x > 7 ~", "0 D 2 x", "0 D 3 x", "0 D 4 x");
}

static void rows_without_key_are_few_or_unclear(void **state)
{
    (void)state;
    static const char *const full[] = {"sets.t full a b"};
    EXPECT(full, "R[0 1 2]", "0 D 1 x", "0 D 2 x", "0 D 3 x");
    EXPECT(full, "R[0 1] | I[:5/x :6/x]", "0 D 1 x", "0 D 2 x", "0 I 5 x", "0 I 6 x");
    EXPECT(full, "R[0 1 2 3]", "0 D 1 x", "0 D 2 x", "0 D 3 x", "0 D - -");
    EXPECT(full, "R[0 1 2 3]", "0 D 1 x", "0 D 2 x", "0 D 3 x", "0 D 4 ~");
    static const char *const key[] = {"public.t full a b"};
    EXPECT(key, "R[0 1 2 3]", "0 D 1 x", "0 D 2 x", "0 D 3 x", "0 D 4 x");
}

static void relations_do_not_disturb_each_other(void **state)
{
    (void)state;
    static const char *const two[] = {"public.t default id* a", "public.u default id* a"};
    EXPECT(two, "U(1)[1:1/z] | D[1] | R[2] | I[1:1/y]", "0 U 1 x", "1 D 1", "1 U 2 > 3 x", "0 U 1 z",
           "1 I 1 y");
}

/* Whatever came first: the target's catalogs are read from one end to the other. */
static void tables_come_in_the_order_of_their_oids(void **state)
{
    (void)state;
    static const uint32_t oids[] = {500, 4000000000, 20, 20, 300};
    static const size_t expected[] = {2, 3, 4, 0, 1};
    enum { TABLES = ARRAY_SIZE(oids) };
    Arena *arena = arena_new(4096);
    ApplyRelation targets[TABLES];
    Change changes[TABLES];
    for (size_t i = 0; i < TABLES; i++) {
        targets[i] = (ApplyRelation){.source = script_relation(arena, keyed[0]),
                                     .columns = arena_zalloc(arena, sizeof(TargetColumn) * 3),
                                     .match = MATCH_KEY,
                                     .serial = i,
                                     .oid = oids[i]};
        changes[i] = script_change(arena, &targets[i], "D 1", (Position){1, (uint64_t)i});
    }
    const Segment *segment = reduce(arena, changes, TABLES);
    for (size_t i = 0; i < TABLES; i++, segment = segment->next) {
        assert_ptr_equal(segment->relation, &targets[expected[i]]);
    }
    assert_null(segment);
    arena_free(arena);
}

static void many_keys_in_many_segments(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    Arena *arena = arena_new(4096);
    ApplyRelation target = {.source = script_relation(arena, keyed[0]), .match = MATCH_KEY, .serial = 1};
    target.columns = arena_zalloc(arena, sizeof(TargetColumn) * 3);
    Change *changes = arena_alloc(arena, sizeof(*changes) * COUNT);
    for (int i = 0; i < COUNT; i++) {
        const char *format = i % 100 == 99 ? "U %d > x%d a b" : "U %d x%d b";
        changes[i] =
            script_change(arena, &target, arena_printf(arena, format, i % 7, i), (Position){1, (uint64_t)i});
    }
    size_t net = 0;
    size_t segments = 0;
    for (const Segment *s = reduce(arena, changes, COUNT); s != NULL; s = s->next, segments++) {
        net += s->by_rows ? s->change_count : s->updates[0].count;
    }
    assert_int_equal(segments, 60);
    assert_int_equal(net, 30 * 8);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(single_changes_stay_as_they_are),
        cmocka_unit_test(pairs_become_their_net_effect),
        cmocka_unit_test(longer_histories_become_their_net_effect),
        cmocka_unit_test(unchanged_cells_keep_the_earlier_value),
        cmocka_unit_test(old_key_that_is_the_same_moves_nothing),
        cmocka_unit_test(updates_are_grouped_by_their_columns),
        cmocka_unit_test(lists_are_sorted_by_key),
        cmocka_unit_test(key_change_is_a_row_between_segments),
        cmocka_unit_test(what_does_not_fit_is_left_to_rows),
        cmocka_unit_test(keys_of_several_columns),
        cmocka_unit_test(relations_without_key_keep_their_order),
        cmocka_unit_test(rows_without_key_go_and_come_together),
        cmocka_unit_test(rows_without_key_are_few_or_unclear),
        cmocka_unit_test(relations_do_not_disturb_each_other),
        cmocka_unit_test(tables_come_in_the_order_of_their_oids),
        cmocka_unit_test(many_keys_in_many_segments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
