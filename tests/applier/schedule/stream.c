/*
 * A frame holds at most FRAME_RECORDS records: enough for any transaction a test makes.
 */
#include "stream.h"

#include <assert.h>
#include <string.h>

#define FRAME_RECORDS 256

void test_table(TestTable *table, uint32_t id, char *name, LaneClass lane_class)
{
    memset(table, 0, sizeof *table);
    table->columns[0] = (SourceColumn){.name = "id", .key = true, .format = FORMAT_BINARY};
    table->columns[1] = (SourceColumn){.name = "v", .format = FORMAT_TEXT};
    table->source = (SourceRelation){.id = id,
                                     .fingerprint = id + 1,
                                     .schema = "public",
                                     .name = name,
                                     .identity = IDENTITY_DEFAULT,
                                     .column_count = 2,
                                     .columns = table->columns,
                                     .key_count = 1,
                                     .keys = &table->key};
    table->target = (ApplyRelation){.source = &table->source, .lane_class = lane_class, .match = MATCH_KEY};
}

DecodedFrame *test_frame(void)
{
    Arena *arena = arena_new(4096);
    DecodedFrame *frame = arena_zalloc(arena, sizeof *frame);
    frame->arena = arena;
    frame->records = arena_zalloc(arena, FRAME_RECORDS * sizeof *frame->records);
    frame->truncated = arena_zalloc(arena, FRAME_RECORDS * sizeof *frame->truncated);
    atomic_init(&frame->references, 1);
    return frame;
}

static size_t add(DecodedFrame *frame, Record record)
{
    assert(frame->count < FRAME_RECORDS);
    frame->records[frame->count] = record;
    return frame->count++;
}

size_t test_begin(DecodedFrame *frame, Lsn commit_lsn)
{
    return add(frame, (Record){.kind = RECORD_BEGIN, .begin = {.commit_lsn = commit_lsn}});
}

size_t test_commit(DecodedFrame *frame, Lsn commit_lsn, uint64_t changes)
{
    return add(frame, (Record){.kind = RECORD_COMMIT,
                               .commit = {.commit_lsn = commit_lsn,
                                          .end_lsn = commit_lsn + TEST_COMMIT_SIZE,
                                          .change_count = changes}});
}

size_t test_heartbeat(DecodedFrame *frame, Lsn lsn)
{
    return add(frame, (Record){.kind = RECORD_HEARTBEAT, .heartbeat = {.lsn = lsn}});
}

size_t test_truncate(DecodedFrame *frame, uint64_t sequence, const TestTable *const *tables, uint32_t count)
{
    uint32_t *relations = arena_zalloc(frame->arena, (count + 1) * sizeof *relations);
    const SourceRelation **sources = arena_zalloc(frame->arena, (count + 1) * sizeof *sources);
    for (uint32_t i = 0; i < count; i++) {
        relations[i] = tables[i]->source.id;
        sources[i] = &tables[i]->source;
    }
    frame->truncated[frame->count] = sources;
    return add(frame,
               (Record){.kind = RECORD_TRUNCATE,
                        .truncate = {.sequence = sequence, .relation_count = count, .relations = relations}});
}

/* A row's key and its null. */
static const CellList *single_side_of(Arena *arena, int32_t key)
{
    static const uint8_t states[] = {CELL_VALUE, CELL_NULL};
    static const uint32_t offsets[] = {0, sizeof key, sizeof key};
    CellList *cells = arena_zalloc(arena, sizeof *cells);
    int32_t *data = arena_alloc(arena, sizeof *data);
    *data = key;
    *cells = (CellList){.states = states, .offsets = offsets, .data = (const uint8_t *)data};
    return cells;
}

static const CellList *side_of(Arena *arena, uint32_t count, const int32_t *keys)
{
    if (count == 1) {
        return single_side_of(arena, keys[0]);
    }
    CellList *columns = arena_zalloc(arena, 2 * sizeof *columns);
    int32_t *data = arena_alloc(arena, (count + 1) * sizeof *data);
    uint32_t *offsets = arena_alloc(arena, (count + 1) * sizeof *offsets);
    uint32_t *none = arena_zalloc(arena, (count + 1) * sizeof *none);
    memcpy(data, keys, count * sizeof *data);
    for (uint32_t i = 0; i <= count; i++) {
        offsets[i] = i * (uint32_t)sizeof *data;
    }
    columns[0] = (CellList){.offsets = offsets, .data = (const uint8_t *)data};
    columns[1] = (CellList){.uniform_state = CELL_NULL, .offsets = none, .data = (const uint8_t *)data};
    return columns;
}

size_t test_rows(DecodedFrame *frame, const TestTable *table, ChangeKind kind, uint64_t first_sequence,
                 uint32_t count, const int32_t *new_keys, const int32_t *old_keys)
{
    RowsRecord rows = {.relation = table->source.id,
                       .column_count = 2,
                       .kind = kind,
                       .old = old_keys != NULL ? OLD_KEY : OLD_NONE,
                       .count = count,
                       .first_sequence = first_sequence};
    rows.sides[SIDE_NEW] = new_keys != NULL ? side_of(frame->arena, count, new_keys) : NULL;
    rows.sides[SIDE_OLD] = old_keys != NULL ? side_of(frame->arena, count, old_keys) : NULL;
    return add(frame, (Record){.kind = RECORD_ROWS, .rows = rows});
}
