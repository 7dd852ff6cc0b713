/*
 * What was applied, by lane and by table, gathered for the reporter. Pure bookkeeping, one thread.
 *
 * Lanes are counted since the start of the process, tables since they were taken last: their sums are kept on the target.
 * A table takes some forty bytes here from its first change to the end of the run, whatever happens to it.
 */
#pragma once

#include <stdbool.h>

#include "batch.h"
#include "state.h"

typedef struct Counts Counts;

/* What is told to the target. */
typedef struct CountsReport {
    char *lanes; /* JSON, by lane: [{rows, transactions, rows_per_second, transactions_per_second}] */
    TableCount *tables;
    size_t table_count;
    bool complete; /* nothing that was counted so far is left for a later one */
    Lsn counted; /* set by who gives it on, when it is complete: all that ends at or before this was counted */
} CountsReport;

Counts *counts_new(int lanes);
void counts_free(Counts *counts);

/* A batch is durable; now_usec is monotonic. */
void counts_add(Counts *counts, const Batch *batch, uint64_t now_usec);

/*
 * True, with what was counted since the last time, when that was some seconds ago, or nothing more has come for a moment; of
 * more than a few thousand tables the rest waits for its turn. A truncate counts as one row of each of its tables. With all, at
 * once and everything. The caller frees *out with counts_report_free.
 */
bool counts_take(Counts *counts, uint64_t now_usec, bool all, CountsReport *out);

/* What report tells and what next tells, which was taken after it, as one in *report; next is empty then. report may be {0}. */
void counts_report_join(CountsReport *report, CountsReport *next);
void counts_report_free(CountsReport *report);

/* Serial numbers will mean other relations from here on; what was not taken is forgotten. */
void counts_end_run(Counts *counts);
