/*
 * Counters only grow. Rates and ratios are worked out here, so that whoever reads penstock.applier with psql need not.
 */
#include "totals.h"

#include <stdio.h>
#include <string.h>

#define LOOK_USEC 1000000

void totals_count(PipelineTotals *totals, const Batch *batch, uint64_t now_usec)
{
    counts_add(totals->counts, batch, now_usec);
    totals->batches++;
    totals->changes += batch->count + (batch->kind == BATCH_TRUNCATE || batch->kind == BATCH_DDL);
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
    RateWindow *window = &totals->window;
    const RateLook *newest = window->count > 0 ? &window->looks[window->count - 1] : NULL;
    if (totals->low_water == LSN_INVALID || (newest != NULL && now_usec - newest->usec < LOOK_USEC)) {
        return;
    }
    if (window->count == RATE_LOOKS) {
        window->count--;
        memmove(window->looks, window->looks + 1, (size_t)window->count * sizeof window->looks[0]);
    }
    window->looks[window->count++] = (RateLook){
        .usec = now_usec,
        .transactions = totals->transactions,
        .changes = totals->changes,
        .batches = totals->batches,
        .written = totals->written,
        .wire_bytes = totals->wire_bytes,
        .low_water = totals->low_water,
        .source = totals->source,
    };
}

void totals_end_run(PipelineTotals *totals)
{
    totals->window.count = 0;
    if (totals->counts != NULL) {
        counts_end_run(totals->counts);
    }
}

void totals_free(PipelineTotals *totals)
{
    counts_free(totals->counts);
    totals->counts = NULL;
}

static double ratio(uint64_t a, uint64_t b)
{
    return b != 0 ? (double)a / (double)b : 0;
}

static unsigned long long number(uint64_t value)
{
    return value;
}

static double gained(uint64_t before, uint64_t now, double seconds)
{
    return seconds > 0 && now > before ? (double)(now - before) / seconds : 0;
}

static void print_rates(const RateWindow *window, char *out, size_t size)
{
    static const RateLook none = {0};
    const RateLook *from = window->count > 0 ? &window->looks[0] : &none;
    const RateLook *to = window->count > 0 ? &window->looks[window->count - 1] : &none;
    double seconds = (double)(to->usec - from->usec) / 1e6;
    char source[32] = "null";
    if (seconds > 0 && from->source != LSN_INVALID) {
        snprintf(source, sizeof source, "%.0f", gained(from->source, to->source, seconds));
    }
    snprintf(out, size,
             "{\"window_seconds\": %.1f, \"transactions_per_second\": %.1f, \"rows_per_second\": %.1f, "
             "\"rows_per_batch\": %.1f, \"reduction\": %.3f, \"applied_bytes_per_second\": %.0f, "
             "\"wire_bytes_per_second\": %.0f, \"source_bytes_per_second\": %s}",
             seconds, gained(from->transactions, to->transactions, seconds),
             gained(from->changes, to->changes, seconds),
             ratio(to->changes - from->changes, to->batches - from->batches),
             ratio(to->changes - from->changes, to->written - from->written),
             gained(from->low_water, to->low_water, seconds),
             gained(from->wire_bytes, to->wire_bytes, seconds), source);
}

static void print_statistics(const PipelineTotals *t, const PipelineLoad *load, char *out, size_t size)
{
    snprintf(
        out, size,
        "{\"batches\": %llu, \"statements\": %llu, \"copies\": %llu, \"rows_written\": %llu, \"fallbacks\": "
        "%llu, "
        "\"conflicts\": %llu, \"barriers\": %llu, \"truncates\": %llu, \"retries\": %llu, \"runs\": %llu, "
        "\"wire_bytes\": %llu, "
        "\"busy_seconds\": %.3f, \"changes_per_batch\": %.1f, \"reduction\": %.3f, "
        "\"batches_waiting\": %zu, \"batches_running\": %zu, \"memory_bytes\": %zu, \"plugin\": \"%s\"}",
        number(t->batches), number(t->statements), number(t->copies), number(t->written), number(t->by_rows),
        number(t->conflicts), number(t->barriers), number(t->truncates), number(t->retries), number(t->runs),
        number(t->wire_bytes), (double)t->busy_usec / 1e6, ratio(t->changes, t->batches),
        ratio(t->changes, t->written), load->waiting, load->running, load->memory, t->notes);
}

void totals_view(const PipelineTotals *totals, const char *state, const PipelineLoad *load, ReporterView *out)
{
    memset(out, 0, sizeof *out); /* with its padding: views are compared */
    out->state = state;
    out->received_lsn = totals->received;
    out->low_water_lsn = totals->low_water;
    out->source_lsn = totals->source;
    out->last_commit_time = totals->commit_time;
    out->heartbeat_time = totals->heartbeat_time;
    out->transactions = totals->transactions;
    out->changes = totals->changes;
    out->working = load->running != 0;
    print_statistics(totals, load, out->statistics, sizeof out->statistics);
    print_rates(&totals->window, out->rates, sizeof out->rates);
}
