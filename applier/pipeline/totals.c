/*
 * Counters only grow. Rates and ratios are worked out here, so that whoever reads penstock.applier with psql need not.
 */
#include "totals.h"

#include <stdio.h>
#include <string.h>

#define RATE_USEC 1000000

void totals_count(PipelineTotals *totals, const Batch *batch)
{
    totals->batches++;
    totals->changes += batch->count + (batch->kind == BATCH_TRUNCATE);
    totals->statements += batch->statements;
    totals->copies += batch->copies;
    totals->written += batch->reduced;
    totals->by_rows += batch->by_rows;
    totals->conflicts += batch->conflicts;
    totals->barriers += batch->barrier;
    totals->truncates += batch->kind == BATCH_TRUNCATE;
    totals->retries += batch->retries;
    totals->busy_usec += batch->busy_usec;
}

void totals_look(PipelineTotals *totals, uint64_t now_usec)
{
    uint64_t passed = now_usec - totals->looked_usec;
    if (totals->looked_usec != 0 && passed < RATE_USEC) {
        return;
    }
    if (totals->looked_usec != 0) {
        double seconds = (double)passed / 1e6;
        totals->transactions_per_second =
            (double)(totals->transactions - totals->looked_transactions) / seconds;
        totals->changes_per_second = (double)(totals->changes - totals->looked_changes) / seconds;
    }
    totals->looked_usec = now_usec;
    totals->looked_transactions = totals->transactions;
    totals->looked_changes = totals->changes;
}

static double ratio(uint64_t a, uint64_t b)
{
    return b != 0 ? (double)a / (double)b : 0;
}

static unsigned long long number(uint64_t value)
{
    return value;
}

static void print_statistics(const PipelineTotals *t, const PipelineLoad *load, char *out, size_t size)
{
    snprintf(
        out, size,
        "{\"batches\": %llu, \"statements\": %llu, \"copies\": %llu, \"rows_written\": %llu, \"fallbacks\": "
        "%llu, "
        "\"conflicts\": %llu, \"barriers\": %llu, \"truncates\": %llu, \"retries\": %llu, \"runs\": %llu, "
        "\"busy_seconds\": %.3f, \"changes_per_batch\": %.1f, \"reduction\": %.3f, "
        "\"transactions_per_second\": %.1f, \"changes_per_second\": %.1f, "
        "\"batches_waiting\": %zu, \"batches_running\": %zu, \"memory_bytes\": %zu}",
        number(t->batches), number(t->statements), number(t->copies), number(t->written), number(t->by_rows),
        number(t->conflicts), number(t->barriers), number(t->truncates), number(t->retries), number(t->runs),
        (double)t->busy_usec / 1e6, ratio(t->changes, t->batches), ratio(t->changes, t->written),
        t->transactions_per_second, t->changes_per_second, load->waiting, load->running, load->memory);
}

void totals_view(const PipelineTotals *totals, const char *state, const PipelineLoad *load, ReporterView *out)
{
    *out = (ReporterView){
        .state = state,
        .received_lsn = totals->received,
        .low_water_lsn = totals->low_water,
        .last_commit_time = totals->commit_time,
        .transactions = totals->transactions,
        .changes = totals->changes,
        .working = load->running != 0,
    };
    print_statistics(totals, load, out->statistics, sizeof out->statistics);
}
