/*
 * Adding up must cost next to nothing per change, so a relation finds its sum by its serial number, which is small and
 * dense, and runs of one relation are added at once. Relations with a sum stand in a queue, in the order of their first
 * change since they were taken:
 *
 *     serial ──► by_serial[]: table, lane, rows, since       waiting[]: 7 3 12 …  ──(a take)──► TableCount, rows = 0
 *
 * Nothing here points to a relation, so relations may go while their rows wait; only serial numbers must not mean others.
 *
 * A rate is what was applied since the last take, over the time since then; for a relation that waited for its turn
 * longer, over the time that it waited.
 *
 * A transaction counts once in each lane that had a change of it. Batches of one lane come in order, so it is enough to
 * remember the last one.
 */
#include "counts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAKE_USEC 5000000
/* Once so long nothing has come, what is counted is told: a switch, which has stopped the source, need not wait for it. */
#define QUIET_USEC 200000
#define ANY_LANE (-1)
#define TAKE_TABLES 2000

typedef struct LaneSum {
    uint64_t rows;
    uint64_t transactions;
    Lsn last_commit;
    uint64_t taken_rows; /* at the last take */
    uint64_t taken_transactions;
} LaneSum;

typedef struct TableSum {
    int64_t table;
    int lane;      /* as in TableCount */
    uint64_t rows; /* 0: not waiting */
    uint64_t since_usec;
} TableSum;

struct Counts {
    LaneSum *lanes;
    int lane_count;
    TableSum *by_serial;
    size_t capacity;
    uint64_t *waiting; /* serial numbers; has the same capacity */
    size_t waiting_count;
    uint64_t taken_usec; /* 0: never */
    uint64_t added_usec; /* the last change */
};

Counts *counts_new(int lanes)
{
    Counts *counts = calloc(1, sizeof *counts);
    LaneSum *sums = calloc((size_t)lanes, sizeof *sums);
    if (counts == NULL || sums == NULL) {
        abort();
    }
    counts->lanes = sums;
    counts->lane_count = lanes;
    return counts;
}

void counts_free(Counts *counts)
{
    if (counts != NULL) {
        free(counts->lanes);
        free(counts->by_serial);
        free(counts->waiting);
        free(counts);
    }
}

static TableSum *sum_of(Counts *counts, const ApplyRelation *relation)
{
    if (relation->serial >= counts->capacity) {
        size_t capacity = counts->capacity == 0 ? 64 : counts->capacity;
        while (capacity <= relation->serial) {
            capacity *= 2;
        }
        counts->by_serial = reallocarray(counts->by_serial, capacity, sizeof *counts->by_serial);
        counts->waiting = reallocarray(counts->waiting, capacity, sizeof *counts->waiting);
        if (counts->by_serial == NULL || counts->waiting == NULL) {
            abort();
        }
        memset(counts->by_serial + counts->capacity, 0,
               (capacity - counts->capacity) * sizeof *counts->by_serial);
        counts->capacity = capacity;
    }
    return &counts->by_serial[relation->serial];
}

/* So many rows more of the relation, in that lane. */
static void add_rows(Counts *counts, const ApplyRelation *relation, int lane, uint64_t rows,
                     uint64_t now_usec)
{
    TableSum *sum = sum_of(counts, relation);
    if (sum->rows == 0) {
        sum->table = relation->number;
        sum->lane = ANY_LANE;
        sum->since_usec = now_usec;
        counts->waiting[counts->waiting_count++] = relation->serial;
    }
    if (relation->lane_class == LANE_WHOLE && lane != ANY_LANE) {
        sum->lane = lane;
    }
    sum->rows += rows;
}

static void add_truncated(Counts *counts, const Batch *batch, uint64_t now_usec)
{
    for (size_t i = 0; i < batch->truncate->relation_count; i++) {
        if (batch->truncated[i] != NULL) {
            add_rows(counts, batch->truncated[i], ANY_LANE, 1, now_usec);
        }
    }
}

void counts_add(Counts *counts, const Batch *batch, uint64_t now_usec)
{
    size_t first = 0;
    counts->added_usec = now_usec;
    if (batch->kind == BATCH_TRUNCATE) {
        add_truncated(counts, batch, now_usec);
    }
    for (size_t i = 0; i < batch->count; i++) {
        const Change *change = &batch->changes[i];
        LaneSum *lane = &counts->lanes[change->lane];
        lane->rows++;
        lane->transactions += lane->last_commit != change->position.commit_lsn;
        lane->last_commit = change->position.commit_lsn;
        if (i + 1 == batch->count || batch->changes[i + 1].relation != change->relation) {
            add_rows(counts, change->relation, change->lane, i + 1 - first, now_usec);
            first = i + 1;
        }
    }
}

static double per_second(uint64_t now, uint64_t before, double seconds)
{
    return seconds > 0 ? (double)(now - before) / seconds : 0;
}

/* [{…} per lane]; the caller frees it. */
static char *take_lanes(Counts *counts, double seconds)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) {
        abort();
    }
    for (int i = 0; i < counts->lane_count; i++) {
        LaneSum *lane = &counts->lanes[i];
        fprintf(out,
                "%s{\"rows\": %llu, \"transactions\": %llu, \"rows_per_second\": %.1f, "
                "\"transactions_per_second\": %.1f}",
                i == 0 ? "[" : ", ", (unsigned long long)lane->rows, (unsigned long long)lane->transactions,
                per_second(lane->rows, lane->taken_rows, seconds),
                per_second(lane->transactions, lane->taken_transactions, seconds));
        lane->taken_rows = lane->rows;
        lane->taken_transactions = lane->transactions;
    }
    fputc(']', out);
    fclose(out);
    return text;
}

static TableCount take_table(TableSum *sum, uint64_t now_usec, uint64_t taken_usec)
{
    uint64_t since = sum->since_usec < taken_usec ? sum->since_usec : taken_usec;
    TableCount count = {
        .table = sum->table,
        .lane = sum->lane,
        .rows = sum->rows,
        .seconds = (double)(now_usec - since) / 1e6,
    };
    sum->rows = 0;
    return count;
}

static bool is_due(const Counts *counts, uint64_t now_usec)
{
    bool news = counts->waiting_count > 0 || counts->taken_usec < counts->added_usec + QUIET_USEC;
    bool quiet = news && now_usec - counts->added_usec >= QUIET_USEC;
    return counts->taken_usec == 0 || quiet || now_usec - counts->taken_usec >= TAKE_USEC;
}

bool counts_take(Counts *counts, uint64_t now_usec, bool all, CountsReport *out)
{
    if (!all && !is_due(counts, now_usec)) {
        return false;
    }
    size_t taken = all || counts->waiting_count < TAKE_TABLES ? counts->waiting_count : TAKE_TABLES;
    uint64_t since = counts->taken_usec != 0 ? counts->taken_usec : now_usec;
    out->tables = calloc(taken + 1, sizeof *out->tables);
    if (out->tables == NULL) {
        abort();
    }
    for (size_t i = 0; i < taken; i++) {
        out->tables[i] = take_table(&counts->by_serial[counts->waiting[i]], now_usec, since);
    }
    out->table_count = taken;
    out->lanes = take_lanes(counts, (double)(now_usec - since) / 1e6);
    counts->waiting_count -= taken;
    out->complete = counts->waiting_count == 0;
    if (counts->waiting_count > 0) {
        memmove(counts->waiting, counts->waiting + taken, counts->waiting_count * sizeof *counts->waiting);
    }
    counts->taken_usec = now_usec;
    return true;
}

void counts_report_join(CountsReport *report, CountsReport *next)
{
    size_t count = report->table_count + next->table_count;
    TableCount *tables = reallocarray(report->tables, count + 1, sizeof *tables);
    if (tables == NULL) {
        abort();
    }
    if (next->table_count > 0) {
        memcpy(tables + report->table_count, next->tables, next->table_count * sizeof *tables);
    }
    free(report->lanes);
    free(next->tables);
    *report = *next;
    report->tables = tables;
    report->table_count = count;
    *next = (CountsReport){0};
}

void counts_report_free(CountsReport *report)
{
    free(report->lanes);
    free(report->tables);
    *report = (CountsReport){0};
}

void counts_end_run(Counts *counts)
{
    free(counts->by_serial);
    free(counts->waiting);
    counts->by_serial = NULL;
    counts->waiting = NULL;
    counts->capacity = counts->waiting_count = 0;
}
