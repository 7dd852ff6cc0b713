/*
 * Random streams, applied by simulated workers that crash at any point and come back in other numbers: at the end
 * every change must have been committed exactly once, each row's changes in source order, and nothing may have been
 * confirmed that a restart still needed.
 *
 * The simulated target is a list of committed changes and the lanes' positions. A run feeds the stream from the
 * confirmed LSN, as the source would; batches run when they may (runnable.h), and end in random order between workers.
 * Batches of several tables may be taken apart by lanes. Tables are truncated by themselves and together, and change their
 * lane class, as somebody who adds a constraint on the target between two runs would have it; and one may be left out from
 * some moment on, in every later run from its beginning, as one that has to be copied again is.
 * PENSTOCK_TEST_SEED and PENSTOCK_TEST_ROUNDS choose what is run; a failure prints its seed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "progress.h"
#include "runnable.h"
#include "scheduler.h"
#include "stream.h"

#define TABLES 4
#define KEYS 12
#define MAX_TRANSACTIONS 60
#define MAX_CHANGES 40
#define MAX_BATCHES 8192
#define MAX_WORKERS 5
#define DEPTH 3

/* What a change of the stream is about. */
typedef struct Plan {
    int table;
    unsigned truncated; /* a truncate: the set of its tables; else 0 */
    int32_t key;
    int32_t other; /* the new key of an update that changes it, else key */
    bool
        expected; /* it must be applied: not in the copy, not excluded; unless its table is left out meanwhile */
    int applied; /* how often it was committed */
} Plan;

typedef struct Transaction {
    Lsn commit_lsn;
    DecodedFrame *frame;
    Plan plans[MAX_CHANGES + 1]; /* by sequence */
    uint64_t count;
} Transaction;

typedef struct World {
    uint64_t random;
    TestTable tables[TABLES];
    const ApplyRelation *targets[TABLES]; /* NULL: excluded, or left out by now */
    Transaction transactions[MAX_TRANSACTIONS];
    int transaction_count;
    int lanes;
    Position positions[64];
    int64_t moves[64]; /* by lane, in this run */ /* durable */
    Lsn confirmed;
    Position last_of_row[TABLES][KEYS]; /* newest change that was committed */

    /* One run. */
    int workers;
    Scheduler *scheduler;
    Progress *progress;
    Runnable *runnable;
    Batch *running[MAX_WORKERS][DEPTH];
    int running_count[MAX_WORKERS];
    Batch *open[MAX_BATCHES]; /* one lane: applied and not committed */
    int opened;
} World;

static uint32_t draw(World *world, uint32_t below)
{
    world->random ^= world->random << 13;
    world->random ^= world->random >> 7;
    world->random ^= world->random << 17;
    return (uint32_t)((world->random >> 11) % below);
}

/* Making a stream. */

static const TestTable *plan_rows(World *world, Transaction *transaction, Plan *first, ChangeKind *kind,
                                  uint32_t count, int32_t *new_keys, int32_t *old_keys)
{
    int number = (int)draw(world, TABLES);
    bool rekey = draw(world, 6) == 0;
    *kind = rekey ? CHANGE_UPDATE : (ChangeKind)draw(world, 3);
    const ApplyRelation *target = world->targets[number];
    for (uint32_t i = 0; i < count; i++) {
        int32_t key = (int32_t)draw(world, KEYS);
        int32_t other = rekey ? (int32_t)draw(world, KEYS) : key;
        first[i] = (Plan){.table = number,
                          .key = key,
                          .other = other,
                          .expected = target != NULL && transaction->commit_lsn >= target->copy_lsn};
        old_keys[i] = key;
        new_keys[i] = other;
    }
    return &world->tables[number];
}

static void make_rows(World *world, Transaction *transaction, bool keep_old)
{
    uint32_t room = (uint32_t)(MAX_CHANGES - transaction->count);
    uint32_t count = 1 + draw(world, room < 6 ? room : 6);
    int32_t new_keys[8], old_keys[8];
    ChangeKind kind;
    Plan *first = &transaction->plans[transaction->count + 1];
    const TestTable *table = plan_rows(world, transaction, first, &kind, count, new_keys, old_keys);
    bool rekey = false;
    for (uint32_t i = 0; i < count; i++) {
        rekey |= new_keys[i] != old_keys[i];
    }
    bool old = kind == CHANGE_DELETE || rekey || (kind == CHANGE_UPDATE && keep_old);
    test_rows(transaction->frame, table, kind, transaction->count + 1, count,
              kind == CHANGE_DELETE ? NULL : new_keys, old ? old_keys : NULL);
    transaction->count += count;
}

static bool is_migrated(const World *world, int table, Lsn commit_lsn)
{
    return world->targets[table] != NULL && commit_lsn >= world->targets[table]->copy_lsn;
}

static void make_truncate(World *world, Transaction *transaction)
{
    Plan *plan = &transaction->plans[++transaction->count];
    *plan = (Plan){.truncated = 1 + draw(world, (1u << TABLES) - 1)};
    uint32_t count = 0;
    const TestTable *tables[TABLES];
    for (int i = 0; i < TABLES; i++) {
        if ((plan->truncated & 1u << i) != 0) {
            plan->expected |= is_migrated(world, i, transaction->commit_lsn);
            tables[count++] = &world->tables[i];
        }
    }
    test_truncate(transaction->frame, transaction->count, tables, count);
}

static void make_transaction(World *world, Transaction *transaction, Lsn commit_lsn)
{
    *transaction = (Transaction){.commit_lsn = commit_lsn, .frame = test_frame()};
    test_begin(transaction->frame, commit_lsn);
    uint32_t wanted = 1 + draw(world, draw(world, 4) == 0 ? MAX_CHANGES - 1 : 4);
    while (transaction->count < wanted) {
        if (draw(world, 15) == 0) {
            make_truncate(world, transaction);
        } else {
            make_rows(world, transaction, draw(world, 2) == 0);
        }
    }
    test_commit(transaction->frame, commit_lsn, transaction->count);
    if (draw(world, 5) == 0) {
        test_heartbeat(transaction->frame, commit_lsn + TEST_COMMIT_SIZE + draw(world, 20));
    }
}

static void make_world(World *world, uint64_t seed)
{
    static char names[TABLES][8] = {"a", "b", "c", "d"};
    memset(world, 0, sizeof *world);
    world->random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (int i = 0; i < TABLES; i++) {
        test_table(&world->tables[i], (uint32_t)i, names[i], i % 2 == 0 ? LANE_SPREAD : LANE_WHOLE);
        world->tables[i].target.locks = 1 + (uint32_t)i % 2;
        world->targets[i] = &world->tables[i].target;
    }
    world->tables[1].target.copy_lsn = 1000 + draw(world, 1000);
    if (draw(world, 2) == 0) {
        world->targets[3] = NULL;
    }
    world->lanes = draw(world, 3) == 0 ? 1 : 1 + (int)draw(world, 16);
    world->transaction_count = 1 + (int)draw(world, MAX_TRANSACTIONS);
    Lsn lsn = 1000;
    for (int i = 0; i < world->transaction_count; i++) {
        lsn += TEST_COMMIT_SIZE + 20 + draw(world, 40);
        make_transaction(world, &world->transactions[i], lsn);
    }
    for (int lane = 0; lane < world->lanes; lane++) {
        world->positions[lane] = (Position){1000, 0};
    }
    world->confirmed = 1000;
}

/* The simulated target. */

static Plan *plan_at(World *world, Position position)
{
    for (int i = 0; i < world->transaction_count; i++) {
        if (world->transactions[i].commit_lsn == position.commit_lsn) {
            return &world->transactions[i].plans[position.sequence];
        }
    }
    fail_msg("no transaction at %llu", (unsigned long long)position.commit_lsn);
    return NULL;
}

static void touch_row(World *world, int table, int32_t key, Position position)
{
    assert_true(position_compare(world->last_of_row[table][key], position) < 0);
    world->last_of_row[table][key] = position;
}

static void commit_change(World *world, Position position)
{
    Plan *plan = plan_at(world, position);
    assert_true(plan->expected);
    assert_int_equal(++plan->applied, 1);
    for (int i = 0; plan->truncated != 0 && i < TABLES * KEYS; i++) {
        if ((plan->truncated & 1u << i / KEYS) != 0 && is_migrated(world, i / KEYS, position.commit_lsn)) {
            touch_row(world, i / KEYS, i % KEYS, position);
        }
    }
    if (plan->truncated != 0) {
        return;
    }
    touch_row(world, plan->table, plan->key, position);
    if (plan->other != plan->key) {
        touch_row(world, plan->table, plan->other, position);
    }
}

static void commit_batch(World *world, Batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        commit_change(world, batch->changes[i].position);
    }
    if (batch->kind == BATCH_TRUNCATE) {
        Lsn commit_lsn = batch->last.commit_lsn;
        commit_change(world, (Position){commit_lsn, batch->truncate->sequence});
    }
    for (int i = 0; i < batch->lane_count; i++) {
        Position *lane = &world->positions[batch->lanes[i]];
        assert_true(position_compare(*lane, batch->last) <= 0);
        assert_int_equal(world->moves[batch->lanes[i]]++, batch->moves[i]);
        *lane = batch->last;
    }
}

static void finish_batch(World *world, Batch *batch)
{
    if (!batch->commits) {
        progress_done(world->progress, batch);
        world->open[world->opened++] = batch;
        return;
    }
    for (int i = 0; i < world->opened; i++) {
        commit_batch(world, world->open[i]);
        batch_free(world->open[i]);
    }
    world->opened = 0;
    commit_batch(world, batch);
    progress_done(world->progress, batch);
    batch_free(batch);
}

/* Workers: each has a few batches, and ends them in order; any of them may be the next to end one. */

static void start_some(World *world, bool all)
{
    while (all || draw(world, 3) != 0) {
        Batch *batch = runnable_next(world->runnable);
        if (batch == NULL) {
            return;
        }
        assert_true(world->running_count[batch->worker] < DEPTH);
        world->running[batch->worker][world->running_count[batch->worker]++] = batch;
    }
}

static void end_one(World *world)
{
    int choices[MAX_WORKERS], count = 0;
    for (int i = 0; i < MAX_WORKERS; i++) {
        if (world->running_count[i] > 0) {
            choices[count++] = i;
        }
    }
    if (count == 0) {
        return;
    }
    int worker = choices[draw(world, (uint32_t)count)];
    Batch **running = world->running[worker];
    Batch *batch = running[0];
    memmove(running, running + 1, (size_t)--world->running_count[worker] * sizeof(Batch *));
    runnable_done(world->runnable, batch);
    finish_batch(world, batch);
}

static void take(World *world)
{
    for (Batch *batch = scheduler_take(world->scheduler); batch != NULL;
         batch = scheduler_take(world->scheduler)) {
        progress_begin(world->progress, batch);
        runnable_add(world->runnable, batch);
    }
}

static void run_all(World *world)
{
    take(world);
    while (runnable_waiting(world->runnable) + runnable_running(world->runnable) > 0) {
        start_some(world, true);
        assert_true(runnable_running(world->runnable) > 0);
        end_one(world);
    }
}

static void confirm(World *world)
{
    progress_advance(world->progress, scheduler_floor(world->scheduler));
    world->confirmed = progress_totals(world->progress)->low_water;
}

/* Somebody changed a table: its class follows when that may be. */
static void change_class(World *world)
{
    if (!scheduler_even(world->scheduler)) {
        return;
    }
    scheduler_sync(world->scheduler);
    run_all(world);
    ApplyRelation *target = &world->tables[draw(world, TABLES)].target;
    target->lane_class = target->lane_class == LANE_SPREAD ? LANE_WHOLE : LANE_SPREAD;
}

/* A table has to be copied again: from here on it takes no part, and what is under way of it is done. */
static void leave_out(World *world)
{
    world->targets[draw(world, TABLES)] = NULL;
}

/* What else may happen between two records. */
static void happen(World *world, uint64_t now)
{
    if (draw(world, 6) == 0) {
        scheduler_close(world->scheduler, now, draw(world, 2) == 0);
    }
    if (draw(world, 40) == 0) {
        scheduler_sync(world->scheduler);
    }
    if (draw(world, 40) == 0) {
        change_class(world);
    }
    if (draw(world, 60) == 0) {
        leave_out(world);
    }
    take(world);
    start_some(world, false);
    while (draw(world, 3) != 0) {
        end_one(world);
        start_some(world, false);
    }
    if (draw(world, 2) == 0) {
        confirm(world);
    }
}

static void start_run(World *world)
{
    world->workers = 1 + (int)draw(world, MAX_WORKERS);
    world->workers = world->workers < world->lanes ? world->workers : world->lanes;
    memset(world->moves, 0, sizeof world->moves);
    SchedulerOptions options = {.lanes = world->lanes,
                                .workers = world->workers,
                                .batch_rows = 1 + draw(world, 30),
                                .batch_bytes = 100000,
                                .batch_locks = draw(world, 3) == 0 ? 1 + draw(world, 6) : 0,
                                .batch_tables = draw(world, 4),
                                .linger_usec = draw(world, 50),
                                .lane_positions = world->positions,
                                .start = world->confirmed};
    world->scheduler = scheduler_new(&options);
    world->progress = progress_new(world->confirmed);
    world->runnable = runnable_new(world->workers, DEPTH);
}

/* Everything that is not durable is lost. */
static void crash(World *world)
{
    for (int i = 0; i < MAX_WORKERS; i++) {
        while (world->running_count[i] > 0) {
            batch_free(world->running[i][--world->running_count[i]]);
        }
    }
    runnable_free(world->runnable);
    for (int i = 0; i < world->opened; i++) {
        batch_free(world->open[i]);
    }
    world->opened = 0;
    scheduler_free(world->scheduler);
    progress_free(world->progress);
}

static void find_targets(const World *world, const Transaction *transaction, const Record *record,
                         const ApplyRelation **targets)
{
    if (record->kind == RECORD_ROWS) {
        targets[0] = world->targets[record->rows.relation];
    }
    for (int i = 0, n = 0; record->kind == RECORD_TRUNCATE && i < TABLES; i++) {
        if ((transaction->plans[record->truncate.sequence].truncated & 1u << i) != 0) {
            targets[n++] = world->targets[i];
        }
    }
}

/* Feeds one transaction; false when the crash came. */
static bool feed(World *world, Transaction *transaction, uint32_t crash_chance, uint64_t *now)
{
    DecodedFrame *frame = transaction->frame;
    Error error;
    for (size_t i = 0; i < frame->count; i++) {
        const ApplyRelation *targets[TABLES];
        find_targets(world, transaction, &frame->records[i], targets);
        if (scheduler_record(world->scheduler, frame, i, targets, *now, &error) != 0) {
            fail_msg("%s", error.message);
        }
        *now += draw(world, 20);
        happen(world, *now);
        if (crash_chance != 0 && draw(world, crash_chance) == 0) {
            return false;
        }
    }
    return true;
}

/* One life of the applier; true when the stream came to its end. */
static bool run_once(World *world, uint32_t crash_chance)
{
    uint64_t now = 1;
    bool whole = true;
    start_run(world);
    for (int i = 0; i < world->transaction_count && whole; i++) {
        if (world->transactions[i].commit_lsn >= world->confirmed) {
            whole = feed(world, &world->transactions[i], crash_chance, &now);
        }
    }
    if (whole) {
        scheduler_close(world->scheduler, now, true);
        run_all(world);
        confirm(world);
    }
    crash(world);
    return whole;
}

/* Must it have been applied? What was left out in the end may have been before. */
static bool must_be_applied(const World *world, const Plan *plan, Lsn commit_lsn)
{
    bool migrated = false;
    for (int i = 0; i < TABLES; i++) {
        bool about = plan->truncated != 0 ? (plan->truncated & 1u << i) != 0 : plan->table == i;
        migrated |= about && is_migrated(world, i, commit_lsn);
    }
    return migrated;
}

static void check_end(const World *world)
{
    Lsn end = world->transactions[world->transaction_count - 1].commit_lsn + TEST_COMMIT_SIZE;
    assert_true(world->confirmed >= end);
    for (int i = 0; i < world->transaction_count; i++) {
        for (uint64_t sequence = 1; sequence <= world->transactions[i].count; sequence++) {
            const Plan *plan = &world->transactions[i].plans[sequence];
            bool must = must_be_applied(world, plan, world->transactions[i].commit_lsn);
            assert_in_range(plan->applied, must ? 1 : 0, plan->expected ? 1 : 0);
        }
    }
}

static void play(uint64_t seed)
{
    World *world = calloc(1, sizeof *world);
    make_world(world, seed);
    uint32_t chance = 20 + draw(world, 200);
    for (int lives = 0; !run_once(world, lives < 30 ? chance : 0); lives++) {
    }
    check_end(world);
    for (int i = 0; i < world->transaction_count; i++) {
        frame_release(world->transactions[i].frame);
    }
    free(world);
}

static void every_change_is_applied_exactly_once(void **state)
{
    (void)state;
    const char *seed = getenv("PENSTOCK_TEST_SEED"), *rounds = getenv("PENSTOCK_TEST_ROUNDS");
    uint64_t first = seed != NULL ? strtoull(seed, NULL, 10) : 1;
    uint64_t count = rounds != NULL ? strtoull(rounds, NULL, 10) : 1500;
    for (uint64_t i = first; i < first + count; i++) {
        fprintf(stderr, "\rseed %llu ", (unsigned long long)i);
        play(i);
    }
    fputs("\n", stderr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_change_is_applied_exactly_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
