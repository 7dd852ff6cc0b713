/*
 * What the operator sees of a copy while it runs, and the summary at its end.
 *
 * On a terminal a block is redrawn twice a second: the phase, tables and bytes done, rate, time left, what
 * each job does. Elsewhere a line goes to the log for each phase, and one every ten seconds. With --json
 * nothing but the summary goes to stdout. Any thread may report; progress_tick does its work on the thread that made progress
 * alone.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "command.h"

typedef struct Progress Progress;

/* settings is borrowed. The caller frees with progress_free. */
Progress *progress_new(const Settings *settings, int jobs);
void progress_free(Progress *progress);

/* A phase begins, which ends the one before; NULL only ends it. */
void progress_phase(Progress *progress, const char *name);

/* A remark on what is waited for; stands until the next phase or remark. */
void progress_note(Progress *progress, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Something to tell the operator that is no error: a line on the log. */
void progress_warn(Progress *progress, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The whole of the work and what earlier runs have done of it. */
void progress_totals(Progress *progress, int64_t tables, int64_t tables_done, int64_t bytes,
                     int64_t bytes_done);

/*
 * Objects of the schema: in the step "schema" those that are made before the rows, later those that are made behind them (indexes,
 * constraints, triggers, ...). A phase begins without a count.
 */
void progress_objects(Progress *progress, int64_t done, int64_t of);

/* What job does now; NULL for nothing. */
void progress_job(Progress *progress, int job, const char *what, int64_t source_bytes);

/*
 * Why it cannot go on, room on the target's disk for instance: shown as what holds up the copy until progress_job says something
 * else for it. With job PROGRESS_STEP it is the step itself, until the next phase, or NULL here. False when that was so already.
 */
#define PROGRESS_STEP (-1)
bool progress_held(Progress *progress, int job, const char *why);

/* As many rows as it is to move, by what the statistics say; without them it is known by bytes how far it is. */
void progress_expect(Progress *progress, int job, int64_t rows);

/* Bytes and rows that a job has moved of its table so far: to be raised by the one who moves. */
_Atomic int64_t *progress_moving(Progress *progress, int job);
_Atomic int64_t *progress_moving_rows(Progress *progress, int job);

/* What the job was at is done, with so many rows; whole: it was a table, not a part of one. */
void progress_table_done(Progress *progress, int job, bool whole, int64_t rows);

void progress_tick(Progress *progress);

/* Called within progress_tick every half second at first and every two seconds later, to fill in what follows; NULL: nobody is any more. On the main thread. */
void progress_teller(Progress *progress, void (*tell)(void *context), void *context);

/* Indexes, by their bytes at the source. */
typedef struct ProgressIndexes {
    int64_t bytes, done;          /* those that are made after the rows */
    int64_t key_bytes, keys_done; /* those that are made with them */
    int64_t lag;                  /* bytes that the stream is behind, -1: there is none beside */
} ProgressIndexes;

void progress_indexes(Progress *progress, const ProgressIndexes *indexes);

typedef struct ProgressBuild {
    char what[160];
    double share; /* from 0 to 1; -1: not known */
} ProgressBuild;

/* What is being built at this moment. */
void progress_builds(Progress *progress, const ProgressBuild *builds, int count);

/* All of it as a JSON object, for the state. The caller frees it. */
char *progress_document(Progress *progress);

/* The end: wipes the block and prints the summary, as text or JSON. tables, rows and bytes are those of all runs. */
void progress_summary(Progress *progress, const char *migration, int64_t tables, int64_t rows, int64_t bytes,
                      size_t sequences);

/* "1.5 GB" into out; and "2 min 05 s". Pure. */
char *progress_size(int64_t bytes, char *out, size_t size);
char *progress_time(double seconds, char *out, size_t size);
