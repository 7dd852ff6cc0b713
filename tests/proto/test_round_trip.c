/*
 * What goes into a writer comes out of a reader: every record, every state, every size.
 */
#include "fixture.h"

static void every_record_comes_back(void **state)
{
    (void)state;
    Wire *wire = wire_new(WIRE_CODEC_ZSTD, 65536);
    wire_hello(wire);
    HeartbeatRecord heartbeat = {.lsn = 77, .time = -1};
    ok(wire, writer_heartbeat(wire->writer, &heartbeat, &wire->error));
    MessageRecord loose = {.sequence = 9, .lsn = 78, .prefix = text("p"), .content = text("")};
    ok(wire, writer_message(wire->writer, &loose, &wire->error));
    wire_pass(wire);
    assert_int_equal(wire->count, 3);
    const HelloRecord *hello = wire->records[0].hello;
    assert_int_equal(wire->records[0].kind, RECORD_HELLO);
    assert_bytes(hello->plugin_version, "0.1.0");
    assert_int_equal(hello->server_version, 110022);
    assert_bytes(hello->encoding, "UTF8");
    assert_int_equal(hello->option_count, 2);
    assert_bytes(hello->options[1], "level=1");
    assert_int_equal(wire->records[1].kind, RECORD_HEARTBEAT);
    assert_int_equal(wire->records[1].heartbeat.lsn, 77);
    assert_int_equal(wire->records[1].heartbeat.time, -1);
    assert_int_equal(wire->records[2].kind, RECORD_MESSAGE);
    assert_int_equal(wire->records[2].message->sequence, 0);
    assert_int_equal(wire->records[2].message->lsn, 78);
    assert_bytes(wire->records[2].message->content, "");

    BeginRecord begin = {
        .commit_lsn = UINT64_MAX - 100, .commit_time = INT64_MIN, .xid = 1, .origin = text("o")};
    ok(wire, writer_begin(wire->writer, &begin, &wire->error));
    wire_relation(wire, 5, 2);
    wire_insert(wire, 5, 2, "a", "b");
    const uint32_t relations[] = {5, 5};
    TruncateRecord truncate = {.relation_count = 2, .relations = relations, .cascade = true};
    ok(wire, writer_truncate(wire->writer, &truncate, &wire->error));
    MessageRecord message = {.transactional = true, .lsn = 79, .prefix = text("q"), .content = text("c\0d")};
    ok(wire, writer_message(wire->writer, &message, &wire->error));
    wire_commit(wire, UINT64_MAX - 100);
    wire_pass(wire);
    assert_int_equal(wire->count, 6);
    assert_int_equal(wire->records[0].kind, RECORD_BEGIN);
    assert_true(wire->records[0].begin.commit_lsn == UINT64_MAX - 100);
    assert_true(wire->records[0].begin.commit_time == INT64_MIN);
    assert_bytes(wire->records[0].begin.origin, "o");
    const RelationRecord *relation = wire->records[1].relation;
    assert_int_equal(wire->records[1].kind, RECORD_RELATION);
    assert_bytes(relation->schema, "public");
    assert_int_equal(relation->identity, IDENTITY_DEFAULT);
    assert_int_equal(relation->column_count, 2);
    assert_bytes(relation->columns[1].name, "c2");
    assert_int_equal(relation->columns[1].typmod, -1);
    assert_true(relation->columns[0].key && !relation->columns[1].key);
    assert_true(relation->fingerprint != 0);
    assert_int_equal(wire->records[2].kind, RECORD_ROWS);
    assert_int_equal(wire->records[3].truncate.sequence, 2);
    assert_int_equal(wire->records[3].truncate.relation_count, 2);
    assert_true(wire->records[3].truncate.cascade && !wire->records[3].truncate.restart_identity);
    assert_int_equal(wire->records[4].message->sequence, 3);
    assert_bytes(wire->records[4].message->content, "c\0d");
    assert_int_equal(wire->records[5].commit.change_count, 3);
    assert_true(wire->records[5].commit.end_lsn == UINT64_MAX - 60);
    wire_free(wire);
}

/* The reader's cell must be of this state and, being a value, this text. */
static void assert_cell(const RowsRecord *rows, RowSide side, uint32_t column, uint32_t row, CellState state,
                        const char *expected)
{
    Bytes value = {0};
    assert_int_equal(rows_cell(rows, side, column, row, &value), state);
    if (state == CELL_VALUE) {
        assert_int_equal(value.size, strlen(expected));
        assert_memory_equal(value.data, expected, value.size);
    }
}

/* Two whole transactions, and the first half of a third: each has a checksum of its own. */
static void frame_holds_several_transactions(void **state)
{
    (void)state;
    Wire *wire = wire_new(WIRE_CODEC_ZSTD, 65536);
    wire_hello(wire);
    for (Lsn lsn = 1000; lsn <= 3000; lsn += 1000) {
        wire_begin(wire, lsn);
        if (lsn == 1000) {
            wire_relation(wire, 5, 1);
        }
        wire_insert(wire, 5, 1, "a");
        if (lsn < 3000) {
            wire_commit(wire, lsn);
        }
    }
    wire_pass(wire);
    assert_int_equal(wire->count, 1 + 4 + 3 + 2);
    assert_int_equal(wire->records[4].commit.commit_lsn, 1000);
    assert_int_equal(wire->records[5].begin.commit_lsn, 2000);
    assert_int_equal(wire->records[6].rows.first_sequence, 1);
    assert_int_equal(wire->records[7].commit.end_lsn, 2040);
    assert_int_equal(wire->records[8].begin.commit_lsn, 3000);
    wire_insert(wire, 5, 1, "b");
    wire_commit(wire, 3000);
    HeartbeatRecord heartbeat = {.lsn = 3100};
    ok(wire, writer_heartbeat(wire->writer, &heartbeat, &wire->error));
    wire_begin(wire, 4000);
    wire_commit(wire, 4000);
    wire_pass(wire);
    assert_int_equal(wire->count, 2 + 1 + 2);
    assert_int_equal(wire->records[0].rows.first_sequence, 2);
    assert_int_equal(wire->records[1].commit.change_count, 2);
    assert_int_equal(wire->records[2].kind, RECORD_HEARTBEAT);
    assert_int_equal(wire->records[4].commit.commit_lsn, 4000);
    wire_free(wire);
}

/* A column that was dropped and added anew is another column, and the definition another definition. */
static void columns_keep_their_numbers(void **state)
{
    (void)state;
    Wire *wire = wire_new(WIRE_CODEC_NONE, 65536);
    wire_hello(wire);
    wire_begin(wire, 1000);
    static const uint32_t numbers[][3] = {{1, 2, 3}, {1, 3, 4}, {7, 8, 1600}};
    for (int i = 0; i < 3; i++) {
        RelationColumnRecord columns[3];
        for (int j = 0; j < 3; j++) {
            columns[j] = (RelationColumnRecord){.number = numbers[i][j], .name = text("c"), .typmod = -1};
        }
        RelationRecord relation = {
            .id = 5, .schema = text("s"), .name = text("t"), .column_count = 3, .columns = columns};
        ok(wire, writer_relation(wire->writer, &relation, &wire->error));
    }
    wire_commit(wire, 1000);
    wire_pass(wire);
    for (int i = 0; i < 3; i++) {
        const RelationRecord *relation = wire->records[2 + i].relation;
        for (int j = 0; j < 3; j++) {
            assert_int_equal(relation->columns[j].number, numbers[i][j]);
        }
        assert_true(relation->fingerprint != wire->records[2 + (i + 1) % 3].relation->fingerprint);
    }
    wire_free(wire);
}

static void runs_end_where_kind_or_relation_changes(void **state)
{
    (void)state;
    Wire *wire = wire_new(WIRE_CODEC_NONE, 65536);
    wire_hello(wire);
    wire_begin(wire, 1000);
    wire_relation(wire, 5, 1);
    wire_relation(wire, 6, 1);
    wire_insert(wire, 5, 1, "a");
    wire_insert(wire, 5, 1, "b");
    wire_insert(wire, 6, 1, "c");
    wire_insert(wire, 5, 1, "d");
    ok(wire, writer_row(wire->writer, 5, 1, CHANGE_DELETE, OLD_KEY, &wire->error));
    ok(wire, writer_value(wire->writer, SIDE_OLD, "d", 1, &wire->error));
    ok(wire, writer_row_end(wire->writer, &wire->error));
    wire_commit(wire, 1000);
    wire_pass(wire);
    assert_int_equal(wire->count, 4 + 4 + 1);
    const RowsRecord *rows = &wire->records[4].rows;
    assert_int_equal(rows->count, 2);
    assert_int_equal(rows->first_sequence, 1);
    assert_cell(rows, SIDE_NEW, 0, 0, CELL_VALUE, "a");
    assert_cell(rows, SIDE_NEW, 0, 1, CELL_VALUE, "b");
    assert_int_equal(wire->records[5].rows.relation, 6);
    assert_int_equal(wire->records[6].rows.first_sequence, 4);
    rows = &wire->records[7].rows;
    assert_int_equal(rows->kind, CHANGE_DELETE);
    assert_null(rows->sides[SIDE_NEW]);
    assert_cell(rows, SIDE_OLD, 0, 0, CELL_VALUE, "d");
    wire_free(wire);
}

/* One cell per state that may stand there, as digits: v value, e empty value, n null, u unchanged, a absent. */
static void put_cells(Wire *wire, RowSide side, const char *cells)
{
    for (const char *cell = cells; *cell != '\0'; cell++) {
        switch (*cell) {
        case 'v':
            ok(wire, writer_value(wire->writer, side, "value", 5, &wire->error));
            break;
        case 'e':
            ok(wire, writer_value(wire->writer, side, NULL, 0, &wire->error));
            break;
        default:
            ok(wire, writer_state(wire->writer, side,
                                  *cell == 'n'   ? CELL_NULL
                                  : *cell == 'u' ? CELL_UNCHANGED
                                                 : CELL_ABSENT,
                                  &wire->error));
        }
    }
}

static void assert_cells(const RowsRecord *rows, RowSide side, uint32_t row, const char *cells)
{
    for (uint32_t i = 0; cells[i] != '\0'; i++) {
        CellState state = cells[i] == 'n'   ? CELL_NULL
                          : cells[i] == 'u' ? CELL_UNCHANGED
                          : cells[i] == 'a' ? CELL_ABSENT
                                            : CELL_VALUE;
        assert_cell(rows, side, i, row, state, cells[i] == 'v' ? "value" : "");
    }
}

static void all_states_mix_in_all_ways(void **state)
{
    (void)state;
    static const char *const new_rows[] = {"vvvnue", "vvennu", "vnenue", "vuenve"};
    static const char *const old_rows[] = {"vaanav", "vavnae", "vavnav", "vaenav"};
    for (WireCodec codec = WIRE_CODEC_NONE; codec <= WIRE_CODEC_ZSTD; codec++) {
        Wire *wire = wire_new(codec, 65536);
        wire_hello(wire);
        wire_begin(wire, 1000);
        wire_relation(wire, 5, 6);
        for (size_t i = 0; i < 4; i++) {
            ok(wire, writer_row(wire->writer, 5, 6, CHANGE_UPDATE, OLD_KEY, &wire->error));
            put_cells(wire, i % 2 == 0 ? SIDE_OLD : SIDE_NEW, i % 2 == 0 ? old_rows[i] : new_rows[i]);
            put_cells(wire, i % 2 == 0 ? SIDE_NEW : SIDE_OLD, i % 2 == 0 ? new_rows[i] : old_rows[i]);
            ok(wire, writer_row_end(wire->writer, &wire->error));
        }
        wire_commit(wire, 1000);
        wire_pass(wire);
        const RowsRecord *rows = &wire->records[3].rows;
        assert_int_equal(rows->count, 4);
        for (uint32_t i = 0; i < 4; i++) {
            assert_cells(rows, SIDE_NEW, i, new_rows[i]);
            assert_cells(rows, SIDE_OLD, i, old_rows[i]);
        }
        assert_null(rows->sides[SIDE_NEW][0].states);
        assert_non_null(rows->sides[SIDE_NEW][1].states);
        wire_free(wire);
    }
}

static void relation_without_columns_has_rows(void **state)
{
    (void)state;
    Wire *wire = wire_new(WIRE_CODEC_ZSTD, 65536);
    wire_hello(wire);
    wire_begin(wire, 1000);
    wire_relation(wire, 5, 0);
    wire_insert(wire, 5, 0);
    wire_insert(wire, 5, 0);
    wire_commit(wire, 1000);
    wire_pass(wire);
    assert_int_equal(wire->records[3].rows.count, 2);
    assert_int_equal(wire->records[3].rows.column_count, 0);
    assert_non_null(wire->records[3].rows.sides[SIDE_NEW]);
    wire_free(wire);
}

static void widest_relation(void **state)
{
    (void)state;
    Wire *wire = wire_new(WIRE_CODEC_ZSTD, 65536);
    wire_hello(wire);
    wire_begin(wire, 1000);
    wire_relation(wire, 5, 1600);
    for (uint32_t row = 0; row < 3; row++) {
        ok(wire, writer_row(wire->writer, 5, 1600, CHANGE_UPDATE, OLD_FULL, &wire->error));
        for (uint32_t i = 0; i < 1600; i++) {
            uint32_t value = row * 1600 + i;
            ok(wire, writer_value(wire->writer, SIDE_NEW, &value, sizeof value, &wire->error));
            ok(wire, writer_value(wire->writer, SIDE_OLD, &value, i % 5, &wire->error));
        }
        ok(wire, writer_row_end(wire->writer, &wire->error));
    }
    wire_commit(wire, 1000);
    wire_pass(wire);
    const RowsRecord *rows = &wire->records[3].rows;
    assert_int_equal(rows->column_count, 1600);
    for (uint32_t row = 0; row < 3; row++) {
        for (uint32_t i = 0; i < 1600; i++) {
            uint32_t expected = row * 1600 + i;
            Bytes value;
            assert_int_equal(rows_cell(rows, SIDE_NEW, i, row, &value), CELL_VALUE);
            assert_int_equal(value.size, 4);
            assert_memory_equal(value.data, &expected, 4);
            assert_int_equal(rows_cell(rows, SIDE_OLD, i, row, &value), CELL_VALUE);
            assert_int_equal(value.size, i % 5);
        }
    }
    wire_free(wire);
}

static void large_values_pass_and_their_memory_goes(void **state)
{
    (void)state;
    Wire *wire = wire_new(WIRE_CODEC_ZSTD, 65536);
    size_t size = 20 * 1000 * 1000;
    char *value = malloc(size);
    for (size_t i = 0; i < size; i++) {
        value[i] = (char)(i * 2654435761u >> 13);
    }
    wire_hello(wire);
    wire_begin(wire, 1000);
    wire_relation(wire, 5, 1);
    ok(wire, writer_row(wire->writer, 5, 1, CHANGE_INSERT, OLD_NONE, &wire->error));
    ok(wire, writer_value(wire->writer, SIDE_NEW, value, size, &wire->error));
    ok(wire, writer_row_end(wire->writer, &wire->error));
    assert_true(frame_writer_full(wire->writer));
    wire_pass(wire);
    Bytes read;
    assert_int_equal(rows_cell(&wire->records[3].rows, SIDE_NEW, 0, 0, &read), CELL_VALUE);
    assert_int_equal(read.size, size);
    assert_memory_equal(read.data, value, size);
    wire_commit(wire, 1000);
    wire_pass(wire);
    assert_true(frame_writer_footprint(wire->writer) < 4000000);
    free(value);
    wire_free(wire);
}

static void transaction_spans_frames(void **state)
{
    (void)state;
    Wire *wire = wire_new(WIRE_CODEC_ZSTD, 1000);
    wire_hello(wire);
    wire_begin(wire, 1000);
    wire_relation(wire, 5, 2);
    size_t frames = 0;
    uint64_t rows = 0;
    for (int i = 0; i < 5000; i++) {
        wire_insert(wire, 5, 2, "some key", i % 7 == 0 ? NULL : "some value");
        if (frame_writer_full(wire->writer)) {
            wire_pass(wire);
            frames++;
            const RowsRecord *record = &wire->records[wire->count - 1].rows;
            assert_int_equal(wire->records[wire->count - 1].kind, RECORD_ROWS);
            assert_int_equal(record->first_sequence, rows + 1);
            rows += record->count;
            assert_false(frame_writer_pending(wire->writer));
        }
    }
    wire_commit(wire, 1000);
    wire_pass(wire);
    assert_true(frames > 50);
    assert_int_equal(wire->records[wire->count - 1].commit.change_count, 5000);
    wire_free(wire);
}

static void run_of_more_rows_than_a_run_may_have(void **state)
{
    (void)state;
    Wire *wire = wire_new(WIRE_CODEC_ZSTD, 10000000);
    wire_hello(wire);
    wire_begin(wire, 1000);
    wire_relation(wire, 5, 1);
    for (int i = 0; i < 65536 + 3; i++) {
        wire_insert(wire, 5, 1, i % 3 == 0 ? NULL : "");
    }
    wire_commit(wire, 1000);
    wire_pass(wire);
    assert_int_equal(wire->records[3].rows.count, 65536);
    assert_int_equal(wire->records[4].rows.count, 3);
    assert_cell(&wire->records[3].rows, SIDE_NEW, 0, 65534, CELL_VALUE, "");
    assert_cell(&wire->records[3].rows, SIDE_NEW, 0, 65535, CELL_NULL, "");
    wire_free(wire);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_record_comes_back),
        cmocka_unit_test(frame_holds_several_transactions),
        cmocka_unit_test(columns_keep_their_numbers),
        cmocka_unit_test(runs_end_where_kind_or_relation_changes),
        cmocka_unit_test(all_states_mix_in_all_ways),
        cmocka_unit_test(relation_without_columns_has_rows),
        cmocka_unit_test(widest_relation),
        cmocka_unit_test(large_values_pass_and_their_memory_goes),
        cmocka_unit_test(transaction_spans_frames),
        cmocka_unit_test(run_of_more_rows_than_a_run_may_have),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
