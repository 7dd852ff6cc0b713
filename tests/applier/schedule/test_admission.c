/*
 * Which changes the target still needs, part by part; an update between parts; what has to be copied anew.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "scheduler.h"
#include "stream.h"

#define END ((Lsn)1000)
#define XID 55

/* Keys below 100 are not copied; up to 200 they are under a snapshot that does not see XID; from there, under one that does. */
typedef struct Fixture {
    TestTable table;
    OriginPart parts[3];
    Origin origin;
    uint64_t running[1];
    Scheduler *scheduler;
    DecodedFrame *frame;
} Fixture;

static int set_up(void **state)
{
    Fixture *fixture = calloc(1, sizeof *fixture);
    fixture->running[0] = XID;
    Snapshot unseeing = {.end = END, .xmin = 50, .xmax = 60, .running = fixture->running, .running_count = 1};
    fixture->parts[0] = (OriginPart){.first_key = INT64_MIN, .job = 11};
    fixture->parts[1] = (OriginPart){.first_key = 100, .job = 12, .copied = true, .snapshot = unseeing};
    fixture->parts[2] =
        (OriginPart){.first_key = 200, .job = 13, .copied = true, .snapshot = snapshot_by_lsn(END)};
    fixture->origin = (Origin){.column = 0, .least = 2, .most = 8, .count = 3, .parts = fixture->parts};
    test_table(&fixture->table, 1, "parts", LANE_SPREAD);
    fixture->table.target.origin = &fixture->origin;
    fixture->table.target.copy_lsn = UINT64_MAX;
    static const Position positions[1];
    SchedulerOptions options = {.lanes = 1,
                                .workers = 1,
                                .batch_rows = 1000,
                                .batch_bytes = 1000000,
                                .linger_usec = 1000,
                                .lane_positions = positions,
                                .start = 50};
    fixture->scheduler = scheduler_new(&options);
    fixture->frame = test_frame();
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *fixture = *state;
    scheduler_free(fixture->scheduler);
    frame_release(fixture->frame);
    free(fixture);
    return 0;
}

/* Schedules all records of the frame, in a transaction of XID. */
static void feed(Fixture *fixture)
{
    const ApplyRelation *target = &fixture->table.target;
    Error error;
    for (size_t i = 0; i < fixture->frame->count; i++) {
        if (fixture->frame->records[i].kind == RECORD_BEGIN) {
            fixture->frame->records[i].begin.xid = XID;
        }
        assert_int_equal(scheduler_record(fixture->scheduler, fixture->frame, i, &target, 0, &error), 0);
    }
}

static size_t add(Fixture *fixture, ChangeKind kind, uint64_t sequence, const int32_t *new_key,
                  const int32_t *old_key)
{
    int32_t new = new_key != NULL ? (int32_t)htonl((uint32_t)*new_key) : 0;
    int32_t old = old_key != NULL ? (int32_t)htonl((uint32_t)*old_key) : 0;
    return test_rows(fixture->frame, &fixture->table, kind, sequence, 1, new_key != NULL ? &new : NULL,
                     old_key != NULL ? &old : NULL);
}

static void insert(Fixture *fixture, uint64_t sequence, int32_t key)
{
    add(fixture, CHANGE_INSERT, sequence, &key, NULL);
}

/* The only batch. */
static Batch *take(Fixture *fixture)
{
    scheduler_close(fixture->scheduler, 0, true);
    return scheduler_take(fixture->scheduler);
}

static void only_what_no_copy_has_is_applied(void **state)
{
    Fixture *fixture = *state;
    test_begin(fixture->frame, 500);
    insert(fixture, 1, -7);
    insert(fixture, 2, 99);
    insert(fixture, 3, 100);
    insert(fixture, 4, 199);
    insert(fixture, 5, 200);
    insert(fixture, 6, 100000);
    test_commit(fixture->frame, 500, 6);
    feed(fixture);
    Batch *batch = take(fixture);
    assert_int_equal(batch->count, 2);
    assert_int_equal(batch->changes[0].position.sequence, 3);
    assert_int_equal(batch->changes[1].position.sequence, 4);
    assert_int_equal(batch->last.sequence, 6);
    batch_free(batch);
}

static void keys_are_ordered_by_bytes_where_their_type_is(void **state)
{
    Fixture *fixture = *state;
    static const unsigned char second[] = {0, 0, 0, 100}, third[] = {0, 0, 0, 200, 0};
    fixture->origin.by_bytes = true;
    fixture->parts[0].first_key = fixture->parts[1].first_key = fixture->parts[2].first_key = 0;
    fixture->parts[1].first_bytes = bytes_of(second, sizeof second);
    fixture->parts[2].first_bytes = bytes_of(third, sizeof third);
    test_begin(fixture->frame, 500);
    insert(fixture, 1, 99);
    insert(fixture, 2, 100);
    insert(fixture, 3, 200); /* the beginning of a longer one comes before it */
    insert(fixture, 4, 201);
    insert(fixture, 5, -7); /* the highest, as bytes */
    test_commit(fixture->frame, 500, 5);
    feed(fixture);
    Batch *batch = take(fixture);
    assert_int_equal(batch->count, 2);
    assert_int_equal(batch->changes[0].position.sequence, 2);
    assert_int_equal(batch->changes[1].position.sequence, 3);
    batch_free(batch);
}

static void a_key_of_another_type_is_refused(void **state)
{
    Fixture *fixture = *state;
    const ApplyRelation *target = &fixture->table.target;
    Error error;
    int status = 0;
    fixture->origin.least = fixture->origin.most = 8;
    test_begin(fixture->frame, 500);
    insert(fixture, 1, 99);
    fixture->frame->records[0].begin.xid = XID;
    for (size_t i = 0; i < fixture->frame->count && status == 0; i++) {
        status = scheduler_record(fixture->scheduler, fixture->frame, i, &target, 0, &error);
    }
    assert_int_equal(status, -1);
    assert_int_equal(error.code, ERROR_PROTOCOL);
}

static void a_table_that_is_not_copied_takes_no_part(void **state)
{
    Fixture *fixture = *state;
    fixture->table.target.origin = NULL;
    test_begin(fixture->frame, 500);
    insert(fixture, 1, 150);
    test_commit(fixture->frame, 500, 1);
    feed(fixture);
    assert_null(take(fixture));
    assert_int_equal(scheduler_position(fixture->scheduler).sequence, 1);
}

static void behind_all_snapshots_nobody_is_asked(void **state)
{
    Fixture *fixture = *state;
    fixture->table.target.copy_lsn = 400;
    test_begin(fixture->frame, 500);
    insert(fixture, 1, 5);
    insert(fixture, 2, 500);
    test_commit(fixture->frame, 500, 2);
    feed(fixture);
    Batch *batch = take(fixture);
    assert_int_equal(batch->count, 2);
    batch_free(batch);
}

static void a_row_that_leaves_a_part_goes_there(void **state)
{
    Fixture *fixture = *state;
    int32_t from = 150, to = 300;
    test_begin(fixture->frame, 500);
    add(fixture, CHANGE_UPDATE, 1, &to, &from);
    test_commit(fixture->frame, 500, 1);
    feed(fixture);
    Batch *batch = take(fixture);
    assert_int_equal(batch->count, 1);
    assert_int_equal(batch->changes[0].rows->kind, CHANGE_DELETE);
    assert_int_equal(batch->changes[0].rows->old, OLD_KEY);
    assert_null(batch->changes[0].rows->sides[SIDE_NEW]);
    assert_non_null(batch->changes[0].rows->sides[SIDE_OLD]);
    batch_free(batch);
}

static void a_row_that_comes_into_a_part_comes_there(void **state)
{
    Fixture *fixture = *state;
    int32_t from = 5, to = 150;
    test_begin(fixture->frame, 500);
    add(fixture, CHANGE_UPDATE, 1, &to, &from);
    test_commit(fixture->frame, 500, 1);
    feed(fixture);
    Batch *batch = take(fixture);
    assert_int_equal(batch->count, 1);
    assert_int_equal(batch->changes[0].rows->kind, CHANGE_INSERT);
    assert_null(batch->changes[0].rows->sides[SIDE_OLD]);
    batch_free(batch);
}

static void between_parts_that_agree_it_stays_an_update(void **state)
{
    Fixture *fixture = *state;
    int32_t from = 110, to = 150, low = 5, high = 300;
    test_begin(fixture->frame, 500);
    add(fixture, CHANGE_UPDATE, 1, &to, &from);
    add(fixture, CHANGE_UPDATE, 2, &high, &low);
    test_commit(fixture->frame, 500, 2);
    feed(fixture);
    Batch *batch = take(fixture);
    assert_int_equal(batch->count, 1);
    assert_int_equal(batch->changes[0].rows->kind, CHANGE_UPDATE);
    batch_free(batch);
}

static void what_comes_without_all_its_values_has_its_part_copied_anew(void **state)
{
    Fixture *fixture = *state;
    int32_t from = 5, to = 150;
    size_t count;
    test_begin(fixture->frame, 500);
    insert(fixture, 1, 120);
    size_t record = add(fixture, CHANGE_UPDATE, 2, &to, &from);
    static const uint8_t states[] = {CELL_VALUE, CELL_UNCHANGED};
    CellList *cells = (CellList *)fixture->frame->records[record].rows.sides[SIDE_NEW];
    cells->states = states;
    feed(fixture);
    const int64_t *jobs = scheduler_recopy(fixture->scheduler, &count);
    assert_int_equal(count, 1);
    assert_int_equal(jobs[0], 12);
    assert_int_equal(scheduler_position(fixture->scheduler).sequence, 1);
}

static void a_truncate_that_some_parts_have_copies_the_others_anew(void **state)
{
    Fixture *fixture = *state;
    const TestTable *tables[1] = {&fixture->table};
    size_t count;
    test_begin(fixture->frame, 500);
    test_truncate(fixture->frame, 1, tables, 1);
    feed(fixture);
    const int64_t *jobs = scheduler_recopy(fixture->scheduler, &count);
    assert_int_equal(count, 1);
    assert_int_equal(jobs[0], 12);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(only_what_no_copy_has_is_applied),
        TEST(keys_are_ordered_by_bytes_where_their_type_is),
        TEST(a_key_of_another_type_is_refused),
        TEST(a_table_that_is_not_copied_takes_no_part),
        TEST(behind_all_snapshots_nobody_is_asked),
        TEST(a_row_that_leaves_a_part_goes_there),
        TEST(a_row_that_comes_into_a_part_comes_there),
        TEST(between_parts_that_agree_it_stays_an_update),
        TEST(what_comes_without_all_its_values_has_its_part_copied_anew),
        TEST(a_truncate_that_some_parts_have_copies_the_others_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
