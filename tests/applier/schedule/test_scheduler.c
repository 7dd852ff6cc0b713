/*
 * What the scheduler promises, rule by rule (they are numbered in scheduler.c, durable.c and batcher.c). Streams are a few
 * records by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lane.h"
#include "scheduler.h"
#include "stream.h"

#define LANES 8

typedef struct Fixture {
    TestTable spread, whole;
    const ApplyRelation *many; /* of the rows that are fed, when they are of neither */
    uint32_t left_out;         /* 1, 2: the first, second relation of each truncate takes no part */
    Position positions[LANES];
    SchedulerOptions options;
    Scheduler *scheduler;
    DecodedFrame *frame;
    size_t fed; /* records of frame */
} Fixture;

static int set_up(void **state)
{
    Fixture *fixture = calloc(1, sizeof *fixture);
    test_table(&fixture->spread, 1, "spread", LANE_SPREAD);
    test_table(&fixture->whole, 2, "whole", LANE_WHOLE);
    fixture->options = (SchedulerOptions){.lanes = LANES,
                                          .workers = LANES,
                                          .batch_rows = 1000,
                                          .batch_bytes = 1000000,
                                          .linger_usec = 1000,
                                          .lane_positions = fixture->positions,
                                          .start = 50};
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

/* Feeds what has been added to the frame since. */
static void feed(Fixture *fixture, uint64_t now)
{
    if (fixture->scheduler == NULL) {
        fixture->scheduler = scheduler_new(&fixture->options);
    }
    for (; fixture->fed < fixture->frame->count; fixture->fed++) {
        const Record *record = &fixture->frame->records[fixture->fed];
        const ApplyRelation *targets[2] = {fixture->many != NULL        ? fixture->many
                                           : record->rows.relation == 1 ? &fixture->spread.target
                                                                        : &fixture->whole.target};
        for (uint32_t i = 0; record->kind == RECORD_TRUNCATE && i < record->truncate.relation_count; i++) {
            bool spread = fixture->frame->truncated[fixture->fed][i] == &fixture->spread.source;
            targets[i] = fixture->left_out == i + 1 ? NULL
                         : spread                   ? &fixture->spread.target
                                                    : &fixture->whole.target;
        }
        Error error;
        assert_int_equal(
            scheduler_record(fixture->scheduler, fixture->frame, fixture->fed, targets, now, &error), 0);
    }
}

static void insert(Fixture *fixture, const TestTable *table, uint64_t sequence, int32_t key)
{
    test_rows(fixture->frame, table, CHANGE_INSERT, sequence, 1, &key, NULL);
}

/* The worker that the scheduler gives a key. */
static int worker_of_key(Fixture *fixture, int32_t key)
{
    DecodedFrame *frame = test_frame();
    SchedulerOptions options = fixture->options;
    Position positions[LANES] = {{0, 0}};
    options.lane_positions = positions;
    Scheduler *scheduler = scheduler_new(&options);
    const ApplyRelation *target = &fixture->spread.target;
    Error error;
    test_begin(frame, 1);
    test_rows(frame, &fixture->spread, CHANGE_INSERT, 1, 1, &key, NULL);
    assert_int_equal(scheduler_record(scheduler, frame, 0, NULL, 0, &error), 0);
    assert_int_equal(scheduler_record(scheduler, frame, 1, &target, 0, &error), 0);
    scheduler_close(scheduler, 0, true);
    Batch *batch = scheduler_take(scheduler);
    int worker = batch->worker;
    batch_free(batch);
    scheduler_free(scheduler);
    frame_release(frame);
    return worker;
}

/* A key of another worker than key's. */
static int32_t far_key(Fixture *fixture, int32_t key)
{
    int32_t other = key + 1;
    while (worker_of_key(fixture, other) == worker_of_key(fixture, key)) {
        other++;
    }
    return other;
}

static void batch_closes_when_full(void **state)
{
    Fixture *fixture = *state;
    fixture->options.batch_rows = 2;
    test_begin(fixture->frame, 100);
    insert(fixture, &fixture->whole, 1, 1);
    feed(fixture, 0);
    assert_null(scheduler_take(fixture->scheduler));
    insert(fixture, &fixture->whole, 2, 2);
    feed(fixture, 0);
    Batch *batch = scheduler_take(fixture->scheduler);
    assert_non_null(batch);
    assert_int_equal(batch->count, 2);
    assert_true(batch->commits);
    assert_int_equal(batch->last.sequence, 2);
    batch_free(batch);
}

#define MANY 40

/* Very many tables, a change or two of each. */
static void insert_into_many(Fixture *fixture, TestTable *tables, uint64_t first, int rounds)
{
    for (int i = 0; i < MANY * rounds; i++) {
        insert(fixture, &tables[i % MANY], first + (uint64_t)i, i);
        fixture->many = &tables[i % MANY].target;
        feed(fixture, 0);
    }
    fixture->many = NULL;
}

static TestTable *make_many(char (*names)[8])
{
    TestTable *tables = calloc(MANY, sizeof *tables);
    for (int i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "t%d", i);
        test_table(&tables[i], (uint32_t)(10 + i), names[i], LANE_WHOLE);
        tables[i].target.locks = 2;
    }
    return tables;
}

/* A transaction of `rounds` changes of each of very many tables, which the caller frees; names: room for MANY. */
static TestTable *feed_many(Fixture *fixture, char (*names)[8], int workers, size_t batch_tables, int rounds)
{
    TestTable *tables = make_many(names);
    fixture->options.workers = workers;
    fixture->options.batch_tables = batch_tables;
    test_begin(fixture->frame, 100);
    feed(fixture, 0);
    insert_into_many(fixture, tables, 1, rounds);
    return tables;
}

/*
 * A table's changes come together, in transactions of no more tables than they may have; what waits for the batch waits for
 * all of it.
 */
static void batch_of_many_tables_grows_and_is_cut_by_lanes(void **state)
{
    Fixture *fixture = *state;
    char names[MANY][8];
    fixture->options.batch_rows = 10;
    TestTable *tables = feed_many(fixture, names, 2, 10, 2);
    assert_null(scheduler_take(fixture->scheduler));
    assert_int_not_equal(scheduler_footprint(fixture->scheduler), 0);
    /* It waits for more, but not for ever. */
    assert_true(scheduler_deadline(fixture->scheduler) > fixture->options.linger_usec);
    scheduler_close(fixture->scheduler, fixture->options.linger_usec, false);
    assert_null(scheduler_take(fixture->scheduler));
    assert_true(scheduler_deadline(fixture->scheduler) <= 1000 * fixture->options.linger_usec);
    scheduler_close(fixture->scheduler, scheduler_deadline(fixture->scheduler), false);
    size_t changes = 0;
    uint64_t numbers[2] = {0};
    int parts[2] = {0};
    bool moved[LANES] = {0};
    for (Batch *batch; (batch = scheduler_take(fixture->scheduler)) != NULL;) {
        assert_in_range(batch->tables, 1, 10);
        assert_int_equal(batch->floor, 50);
        assert_int_equal(batch->last.sequence, 2 * MANY);
        for (int i = 0; i < batch->lane_count; i++) {
            assert_false(moved[batch->lanes[i]]);
            moved[batch->lanes[i]] = true;
        }
        for (size_t i = 0; i < batch->count; i++) {
            assert_true(moved[batch->changes[i].lane]);
        }
        assert_true(numbers[batch->worker] == 0); /* the part before was not the last */
        numbers[batch->worker] = batch->number;
        parts[batch->worker]++;
        changes += batch->count;
        batch_free(batch);
    }
    assert_int_equal(changes, 2 * MANY);
    for (int worker = 0; worker < 2; worker++) {
        assert_int_equal(numbers[worker], 1);
        assert_in_range(parts[worker], 2, LANES);
    }
    free(tables);
}

/* Where the stream is hours behind, a moment more for the changes of the same tables is won back many times. */
static void batch_of_many_tables_waits_for_a_part_of_what_it_is_late(void **state)
{
    Fixture *fixture = *state;
    char names[MANY][8];
    const uint64_t hour = 3600 * UINT64_C(1000000);
    fixture->options.batch_rows = 10;
    TestTable *tables = feed_many(fixture, names, 1, 64, 1);
    uint64_t soon = scheduler_deadline(fixture->scheduler);
    scheduler_set_late(fixture->scheduler, hour);
    assert_true(scheduler_deadline(fixture->scheduler) > 100 * soon);
    assert_true(scheduler_deadline(fixture->scheduler) < hour / 4);
    scheduler_close(fixture->scheduler, 100 * soon, false);
    assert_null(scheduler_take(fixture->scheduler));
    assert_true(scheduler_gathers(fixture->scheduler));
    /* Nearly there: what is open is due at once. */
    scheduler_set_late(fixture->scheduler, 0);
    assert_int_equal(scheduler_deadline(fixture->scheduler), soon);
    scheduler_close(fixture->scheduler, 100 * soon, false);
    Batch *batch = scheduler_take(fixture->scheduler);
    assert_int_equal(batch->count, MANY);
    batch_free(batch);
    free(tables);
}

/* What gathers can be had as it is, once it is as much as a batch that does not gather may be. */
static void full_batch_can_be_had_while_it_gathers(void **state)
{
    Fixture *fixture = *state;
    char names[MANY][8];
    fixture->options.batch_rows = MANY + 1;
    TestTable *tables = feed_many(fixture, names, 1, 64, 1);
    scheduler_close_full(fixture->scheduler, 0);
    assert_null(scheduler_take(fixture->scheduler));
    insert_into_many(fixture, tables, MANY + 1, 1);
    assert_null(scheduler_take(fixture->scheduler));
    scheduler_close_full(fixture->scheduler, 0);
    Batch *batch = scheduler_take(fixture->scheduler);
    assert_int_equal(batch->count, 2 * MANY);
    batch_free(batch);
    assert_true(scheduler_gathers(fixture->scheduler));
    /* An ordinary one comes: nothing is gained any more. */
    insert(fixture, &fixture->whole, 2 * MANY + 1, 1);
    feed(fixture, 0);
    scheduler_close(fixture->scheduler, 0, true);
    batch_free(scheduler_take(fixture->scheduler));
    assert_false(scheduler_gathers(fixture->scheduler));
    free(tables);
}

/* A transaction of the target has no more bytes than it may, however many come together. */
static void batch_of_many_tables_is_cut_by_bytes(void **state)
{
    Fixture *fixture = *state;
    char names[MANY][8];
    fixture->options.batch_rows = 10;
    fixture->options.batch_bytes = 60;
    TestTable *tables = feed_many(fixture, names, 1, 64, 1);
    scheduler_close(fixture->scheduler, 0, true);
    size_t changes = 0;
    int parts = 0;
    for (Batch *batch; (batch = scheduler_take(fixture->scheduler)) != NULL; parts++) {
        bool one_lane = true;
        for (size_t i = 1; i < batch->count; i++) {
            one_lane &= batch->changes[i].lane == batch->changes[0].lane;
        }
        assert_true(one_lane || batch->bytes <= fixture->options.batch_bytes);
        changes += batch->count;
        batch_free(batch);
    }
    assert_int_equal(changes, MANY);
    assert_in_range(parts, 2, MANY);
    free(tables);
}

/* A table takes its locks once, however many changes of it there are. */
static void batch_closes_when_it_takes_many_locks(void **state)
{
    Fixture *fixture = *state;
    fixture->options.workers = 1;
    fixture->options.batch_locks = 6;
    fixture->spread.target.locks = fixture->whole.target.locks = 3;
    test_begin(fixture->frame, 100);
    for (int32_t key = 1; key <= 50; key++) {
        insert(fixture, &fixture->spread, (uint64_t)key, key);
    }
    feed(fixture, 0);
    assert_null(scheduler_take(fixture->scheduler));
    insert(fixture, &fixture->whole, 51, 1);
    feed(fixture, 0);
    Batch *batch = scheduler_take(fixture->scheduler);
    assert_non_null(batch);
    assert_int_equal(batch->count, 51);
    batch_free(batch);
}

static void batch_closes_when_it_has_waited(void **state)
{
    Fixture *fixture = *state;
    test_begin(fixture->frame, 100);
    insert(fixture, &fixture->whole, 1, 1);
    feed(fixture, 5000);
    assert_int_equal(scheduler_deadline(fixture->scheduler), 6000);
    scheduler_close(fixture->scheduler, 5999, false);
    assert_null(scheduler_take(fixture->scheduler));
    scheduler_close(fixture->scheduler, 6000, false);
    Batch *batch = scheduler_take(fixture->scheduler);
    assert_non_null(batch);
    batch_free(batch);
    assert_true(scheduler_deadline(fixture->scheduler) == UINT64_MAX);
}

static void whole_relation_stays_with_one_worker(void **state)
{
    Fixture *fixture = *state;
    test_begin(fixture->frame, 100);
    for (int32_t key = 1; key <= 50; key++) {
        insert(fixture, &fixture->whole, (uint64_t)key, key);
    }
    feed(fixture, 0);
    scheduler_close(fixture->scheduler, 0, true);
    Batch *batch = scheduler_take(fixture->scheduler);
    assert_int_equal(batch->count, 50);
    assert_null(scheduler_take(fixture->scheduler));
    batch_free(batch);
}

static void spread_relation_uses_every_worker(void **state)
{
    Fixture *fixture = *state;
    test_begin(fixture->frame, 100);
    for (int32_t key = 1; key <= 200; key++) {
        insert(fixture, &fixture->spread, (uint64_t)key, key);
    }
    feed(fixture, 0);
    scheduler_close(fixture->scheduler, 0, true);
    size_t changes = 0;
    int batches = 0;
    for (Batch *batch; (batch = scheduler_take(fixture->scheduler)) != NULL; batches++) {
        assert_int_equal(batch->lane_count, 1);
        assert_int_equal(batch->last.sequence, 200);
        changes += batch->count;
        batch_free(batch);
    }
    assert_int_equal(batches, LANES);
    assert_int_equal(changes, 200);
}

static void key_change_across_workers_is_a_barrier(void **state)
{
    Fixture *fixture = *state;
    int32_t from = 1, to = far_key(fixture, 1);
    test_begin(fixture->frame, 100);
    insert(fixture, &fixture->spread, 1, from);
    test_rows(fixture->frame, &fixture->spread, CHANGE_UPDATE, 2, 1, &to, &from);
    insert(fixture, &fixture->spread, 3, from);
    test_commit(fixture->frame, 100, 3);
    feed(fixture, 0);
    Batch *before = scheduler_take(fixture->scheduler);
    Batch *barrier = scheduler_take(fixture->scheduler);
    assert_false(before->barrier);
    assert_int_equal(before->last.sequence, 1);
    assert_true(barrier->barrier);
    assert_int_equal(barrier->count, 2); /* the rest of the transaction goes along */
    assert_int_equal(barrier->lane_count, LANES);
    assert_null(scheduler_take(fixture->scheduler));
    batch_free(before);
    batch_free(barrier);
}

static void key_change_within_a_worker_is_no_barrier(void **state)
{
    Fixture *fixture = *state;
    fixture->options.workers = 1;
    int32_t from = 1, to = 2;
    test_begin(fixture->frame, 100);
    test_rows(fixture->frame, &fixture->spread, CHANGE_UPDATE, 1, 1, &to, &from);
    test_commit(fixture->frame, 100, 1);
    feed(fixture, 0);
    scheduler_close(fixture->scheduler, 0, true);
    Batch *batch = scheduler_take(fixture->scheduler);
    assert_false(batch->barrier);
    assert_int_equal(batch->lane_count, 2); /* those that it concerns, and no other */
    batch_free(batch);
}

static void old_key_that_did_not_change_is_no_barrier(void **state)
{
    Fixture *fixture = *state;
    int32_t key = 1;
    test_begin(fixture->frame, 100);
    test_rows(fixture->frame, &fixture->spread, CHANGE_UPDATE, 1, 1, &key, &key);
    feed(fixture, 0);
    scheduler_close(fixture->scheduler, 0, true);
    Batch *batch = scheduler_take(fixture->scheduler);
    assert_false(batch->barrier);
    batch_free(batch);
}

static void truncate_waits_only_for_what_is_to_be_truncated(void **state)
{
    Fixture *fixture = *state;
    fixture->whole.target.copy_lsn = 101; /* its copy has this truncate already */
    int home = lane_home(&fixture->spread.source, LANES) % fixture->options.workers;
    int32_t near = 1, far;
    while (worker_of_key(fixture, near) != home) {
        near++;
    }
    far = far_key(fixture, near);
    test_begin(fixture->frame, 100);
    insert(fixture, &fixture->spread, 1, far);
    test_truncate(fixture->frame, 2, (const TestTable *[]){&fixture->spread, &fixture->whole}, 2);
    insert(fixture, &fixture->spread, 3, far);
    insert(fixture, &fixture->spread, 4, near);
    feed(fixture, 0);
    scheduler_close(fixture->scheduler, 0, true);
    Batch *before = scheduler_take(fixture->scheduler);
    Batch *truncate = scheduler_take(fixture->scheduler);
    assert_int_equal(truncate->kind, BATCH_TRUNCATE);
    assert_false(truncate->barrier);
    assert_int_equal(truncate->worker, home);
    assert_int_equal(truncate->after[before->worker], before->number);
    assert_ptr_equal(truncate->truncated[0], &fixture->spread.target);
    assert_null(truncate->truncated[1]);
    for (int i = 0; i < 2; i++) {
        Batch *behind = scheduler_take(fixture->scheduler);
        if (behind->worker == home) {
            assert_null(behind->after);
        } else {
            assert_int_equal(behind->after[home], truncate->number);
        }
        batch_free(behind);
    }
    batch_free(before);
    batch_free(truncate);
}

static void truncate_of_a_whole_table_waits_for_nothing(void **state)
{
    Fixture *fixture = *state;
    fixture->spread.target.copy_lsn = 101;
    test_begin(fixture->frame, 100);
    insert(fixture, &fixture->whole, 1, 1);
    test_truncate(fixture->frame, 2, (const TestTable *[]){&fixture->whole, &fixture->spread}, 2);
    insert(fixture, &fixture->whole, 3, 2);
    feed(fixture, 0);
    scheduler_close(fixture->scheduler, 0, true);
    for (int i = 0; i < 3; i++) {
        Batch *batch = scheduler_take(fixture->scheduler);
        assert_false(batch->barrier);
        assert_null(batch->after);
        assert_int_equal(batch->number, i + 1);
        batch_free(batch);
    }
}

static void lanes_are_even_once_the_furthest_is_passed(void **state)
{
    Fixture *fixture = *state;
    fixture->positions[3] = (Position){100, 2};
    test_begin(fixture->frame, 100);
    insert(fixture, &fixture->whole, 1, 1);
    feed(fixture, 0);
    assert_false(scheduler_even(fixture->scheduler));
    insert(fixture, &fixture->whole, 2, 1);
    feed(fixture, 0);
    assert_true(scheduler_even(fixture->scheduler));
}

static void what_is_durable_is_left_out_after_a_restart(void **state)
{
    Fixture *fixture = *state;
    for (int lane = 0; lane < LANES; lane++) {
        fixture->positions[lane] = (Position){100, 2};
    }
    test_begin(fixture->frame, 100);
    for (int32_t key = 1; key <= 3; key++) {
        insert(fixture, &fixture->whole, (uint64_t)key, key);
    }
    feed(fixture, 0);
    scheduler_close(fixture->scheduler, 0, true);
    Batch *batch = scheduler_take(fixture->scheduler);
    assert_int_equal(batch->count, 1);
    assert_int_equal(batch->changes[0].position.sequence, 3);
    batch_free(batch);
}

static void no_lane_is_moved_back(void **state)
{
    Fixture *fixture = *state;
    fixture->options.workers = 1;
    fixture->positions[3] = (Position){500, 1};
    test_begin(fixture->frame, 100);
    for (int32_t key = 1; key <= 50; key++) {
        insert(fixture, &fixture->spread, (uint64_t)key, key);
    }
    feed(fixture, 0);
    scheduler_close(fixture->scheduler, 0, true);
    Batch *batch = scheduler_take(fixture->scheduler);
    assert_int_equal(batch->lane_count, LANES - 1);
    for (int i = 0; i < batch->lane_count; i++) {
        assert_int_not_equal(batch->lanes[i], 3);
    }
    batch_free(batch);
}

static void truncate_is_durable_when_its_home_lane_says_so(void **state)
{
    Fixture *fixture = *state;
    for (int lane = 0; lane < LANES; lane++) {
        fixture->positions[lane] = (Position){500, 1};
    }
    fixture->positions[lane_home(&fixture->spread.source, LANES)] = (Position){100, 2};
    test_begin(fixture->frame, 100);
    test_truncate(fixture->frame, 1, (const TestTable *[]){&fixture->spread, &fixture->whole}, 2);
    test_truncate(fixture->frame, 2, (const TestTable *[]){&fixture->spread, &fixture->whole}, 2);
    test_truncate(fixture->frame, 3, (const TestTable *[]){&fixture->spread, &fixture->whole}, 2);
    feed(fixture, 0);
    Batch *batch = scheduler_take(fixture->scheduler);
    assert_int_equal(batch->truncate->sequence, 3);
    batch_free(batch);
    assert_null(scheduler_take(fixture->scheduler));
}

static void truncate_asks_the_same_lane_when_its_first_table_is_left_out(void **state)
{
    Fixture *fixture = *state;
    fixture->positions[lane_home(&fixture->spread.source, LANES)] = (Position){100, 1};
    fixture->left_out = 1;
    test_begin(fixture->frame, 100);
    test_truncate(fixture->frame, 1, (const TestTable *[]){&fixture->spread, &fixture->whole}, 2);
    feed(fixture, 0);
    assert_null(scheduler_take(fixture->scheduler));
    test_truncate(fixture->frame, 2, (const TestTable *[]){&fixture->spread, &fixture->whole}, 2);
    feed(fixture, 0);
    Batch *batch = scheduler_take(fixture->scheduler);
    assert_int_equal(batch->worker, lane_home(&fixture->spread.source, LANES) % fixture->options.workers);
    assert_null(batch->truncated[0]);
    assert_ptr_equal(batch->truncated[1], &fixture->whole.target);
    batch_free(batch);
}

static void changes_that_the_copy_has_are_left_out(void **state)
{
    Fixture *fixture = *state;
    fixture->whole.target.copy_lsn = 101;
    test_begin(fixture->frame, 100);
    insert(fixture, &fixture->whole, 1, 1);
    test_commit(fixture->frame, 100, 1);
    test_begin(fixture->frame, 101 + TEST_COMMIT_SIZE);
    insert(fixture, &fixture->whole, 1, 1);
    feed(fixture, 0);
    scheduler_close(fixture->scheduler, 0, true);
    Batch *batch = scheduler_take(fixture->scheduler);
    assert_int_equal(batch->count, 1);
    assert_int_equal(batch->changes[0].position.commit_lsn, 101 + TEST_COMMIT_SIZE);
    batch_free(batch);
}

static void floor_stays_below_a_transaction_that_is_not_done(void **state)
{
    Fixture *fixture = *state;
    test_begin(fixture->frame, 100);
    feed(fixture, 0);
    assert_int_equal(scheduler_floor(fixture->scheduler), 50);
    insert(fixture, &fixture->whole, 1, 1);
    test_commit(fixture->frame, 100, 1);
    feed(fixture, 0);
    assert_int_equal(scheduler_floor(fixture->scheduler), 50); /* its batch is open */
    scheduler_close(fixture->scheduler, 0, true);
    assert_int_equal(scheduler_floor(fixture->scheduler), 50); /* its batch waits */
    batch_free(scheduler_take(fixture->scheduler));
    assert_int_equal(scheduler_floor(fixture->scheduler), 100 + TEST_COMMIT_SIZE);
}

static void keepalive_counts_between_transactions_only(void **state)
{
    Fixture *fixture = *state;
    test_begin(fixture->frame, 100);
    feed(fixture, 0);
    scheduler_advance(fixture->scheduler, 400);
    assert_int_equal(scheduler_floor(fixture->scheduler), 50);
    test_commit(fixture->frame, 100, 0);
    test_heartbeat(fixture->frame, 300);
    feed(fixture, 0);
    assert_int_equal(scheduler_floor(fixture->scheduler), 300);
    scheduler_advance(fixture->scheduler, 200);
    assert_int_equal(scheduler_floor(fixture->scheduler), 300);
}

static void sync_brings_all_lanes_to_one_point(void **state)
{
    Fixture *fixture = *state;
    test_begin(fixture->frame, 100);
    insert(fixture, &fixture->whole, 1, 1);
    feed(fixture, 0);
    scheduler_sync(fixture->scheduler);
    batch_free(scheduler_take(fixture->scheduler));
    Batch *batch = scheduler_take(fixture->scheduler);
    assert_int_equal(batch->kind, BATCH_EMPTY);
    assert_true(batch->barrier);
    assert_int_equal(batch->lane_count, LANES);
    assert_int_equal(batch->last.sequence, 1);
    batch_free(batch);
}

static void stream_that_goes_back_is_refused(void **state)
{
    Fixture *fixture = *state;
    test_begin(fixture->frame, 100);
    test_commit(fixture->frame, 100, 0);
    feed(fixture, 0);
    size_t index = test_begin(fixture->frame, 90);
    Error error;
    assert_int_equal(scheduler_record(fixture->scheduler, fixture->frame, index, NULL, 0, &error), -1);
    assert_int_equal(error.code, ERROR_PROTOCOL);
}

static void one_lane(Fixture *fixture, size_t batch_rows)
{
    fixture->options.lanes = fixture->options.workers = 1;
    fixture->options.batch_rows = batch_rows;
}

static void one_lane_keeps_transactions_whole(void **state)
{
    Fixture *fixture = *state;
    one_lane(fixture, 3);
    for (Lsn lsn = 100; lsn < 400; lsn += 100) {
        test_begin(fixture->frame, lsn);
        insert(fixture, &fixture->whole, 1, 1);
        insert(fixture, &fixture->spread, 2, 1);
        test_commit(fixture->frame, lsn, 2);
    }
    test_begin(fixture->frame, 400);
    insert(fixture, &fixture->whole, 1, 1);
    feed(fixture, 0);
    Batch *batch = scheduler_take(fixture->scheduler);
    assert_int_equal(batch->count, 4); /* two transactions: the first commit at which it is full */
    assert_true(batch->commits);
    assert_null(scheduler_take(fixture->scheduler));
    scheduler_close(fixture->scheduler, 1000000, false);
    assert_null(scheduler_take(fixture->scheduler)); /* old, but in a transaction */
    batch_free(batch);
}

static void one_lane_cuts_a_large_transaction_without_committing(void **state)
{
    Fixture *fixture = *state;
    one_lane(fixture, 2);
    test_begin(fixture->frame, 100);
    for (int32_t key = 1; key <= 8; key++) {
        insert(fixture, &fixture->whole, (uint64_t)key, key);
    }
    feed(fixture, 0);
    Batch *first = scheduler_take(fixture->scheduler), *second = scheduler_take(fixture->scheduler);
    assert_false(first->commits);
    assert_false(second->commits);
    assert_int_equal(scheduler_floor(fixture->scheduler), 50); /* though all batches are taken */
    test_commit(fixture->frame, 100, 8);
    feed(fixture, 0);
    Batch *last = scheduler_take(fixture->scheduler);
    assert_int_equal(last->kind, BATCH_EMPTY);
    assert_true(last->commits);
    assert_int_equal(last->floor, 50);
    assert_int_equal(scheduler_floor(fixture->scheduler), 100 + TEST_COMMIT_SIZE);
    batch_free(first);
    batch_free(second);
    batch_free(last);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(batch_closes_when_full),
        TEST(batch_closes_when_it_takes_many_locks),
        TEST(batch_closes_when_it_has_waited),
        TEST(batch_of_many_tables_grows_and_is_cut_by_lanes),
        TEST(batch_of_many_tables_waits_for_a_part_of_what_it_is_late),
        TEST(full_batch_can_be_had_while_it_gathers),
        TEST(batch_of_many_tables_is_cut_by_bytes),
        TEST(whole_relation_stays_with_one_worker),
        TEST(spread_relation_uses_every_worker),
        TEST(key_change_across_workers_is_a_barrier),
        TEST(key_change_within_a_worker_is_no_barrier),
        TEST(old_key_that_did_not_change_is_no_barrier),
        TEST(truncate_waits_only_for_what_is_to_be_truncated),
        TEST(truncate_of_a_whole_table_waits_for_nothing),
        TEST(lanes_are_even_once_the_furthest_is_passed),
        TEST(what_is_durable_is_left_out_after_a_restart),
        TEST(no_lane_is_moved_back),
        TEST(truncate_is_durable_when_its_home_lane_says_so),
        TEST(truncate_asks_the_same_lane_when_its_first_table_is_left_out),
        TEST(changes_that_the_copy_has_are_left_out),
        TEST(floor_stays_below_a_transaction_that_is_not_done),
        TEST(keepalive_counts_between_transactions_only),
        TEST(sync_brings_all_lanes_to_one_point),
        TEST(stream_that_goes_back_is_refused),
        TEST(one_lane_keeps_transactions_whole),
        TEST(one_lane_cuts_a_large_transaction_without_committing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
