/*
 * Who copies along and who leads are alike here: they differ in what is done beside the workers.
 */
#include "yard.h"

#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "jobs.h"
#include "number.h"
#include "text.h"
#include "worker.h"

#define PAUSE_MS 200

int yard_size(const Copy *copy)
{
    return copy->options->jobs > WORKERS_READY ? copy->options->jobs : WORKERS_READY;
}

void yard_fill(WorkerYard *yard)
{
    yard->brake = brake_new(yard->copy->options->jobs);
    yard->watches = calloc((size_t)yard_size(yard->copy), sizeof(RelayWatch));
    if (yard->watches == NULL) {
        abort();
    }
}

void yard_clear(WorkerYard *yard)
{
    brake_free(yard->brake);
    free(yard->watches);
}

static void say(void *progress, const char *line)
{
    progress_warn(progress, "%s", line);
}

Governor *yard_governor(const WorkerYard *yard)
{
    const Copy *copy = yard->copy;
    const GovernorOptions options = {.source = copy->source,
                                     .target = copy->target,
                                     .migration = copy->settings->migration,
                                     .slot_name = copy->migration.slot_name,
                                     .jobs = copy->options->jobs,
                                     .what = "the copy",
                                     .say = say,
                                     .context = copy->progress};
    return governor_new(&options, yard->brake);
}

int yard_spare(const WorkerYard *yard)
{
    int spare = brake_jobs(yard->brake) - atomic_load(&yard->busy) - atomic_load(&yard->building);
    return spare > 0 ? spare : 0;
}

static void append_pids(const WorkerYard *yard, int *numbers, Text *out)
{
    for (int i = 0; i < yard_size(yard->copy); i++) {
        char text[16];
        numbers[i] = atomic_load(&yard->watches[i].number);
        snprintf(text, sizeof text, "%d", atomic_load(&yard->watches[i].pid));
        text_array_add(out, text);
    }
    text_array_end(out);
}

int yard_watch(const WorkerYard *yard, Error *error)
{
    PGresult *rows = NULL;
    Text pids = {0};
    int *numbers = calloc((size_t)yard_size(yard->copy), sizeof *numbers);
    if (numbers == NULL) {
        abort();
    }
    append_pids(yard, numbers, &pids);
    int status =
        database_query(yard->copy->target, &rows, error,
                       "SELECT p.number - 1 FROM unnest($1::int[]) WITH ORDINALITY AS p (pid, number)"
                       "  JOIN pg_catalog.pg_stat_activity a ON a.pid = p.pid"
                       " WHERE a.state = 'idle in transaction (aborted)'",
                       1, pids.data);
    for (int i = 0; status == 0 && i < PQntuples(rows); i++) {
        int worker = number_int(PQgetvalue(rows, i, 0));
        atomic_store(&yard->watches[worker].refused, numbers[worker]);
    }
    PQclear(rows);
    text_free(&pids);
    free(numbers);
    return status;
}

/* One turn: a crew where there is work for it, else a look at what the others do. */
static int work_once(WorkerYard *yard, CrewIdle idle, Error *error)
{
    const Copy *copy = yard->copy;
    bool free_one = false;
    int status = 0;
    if (jobs_any_free(copy->target, copy->settings->migration, &free_one, error) != 0) {
        return -1;
    }
    if (free_one || (yard->road != NULL && atomic_load(&yard->built_next))) {
        brake_drained(yard->brake, false);
        status = crew_run(yard_size(copy), worker_copy, idle, yard, &yard->stop, error);
    } else {
        status = idle(yard, error);
        clock_pause_ms(PAUSE_MS);
    }
    return status != 0 || !interrupted() ? status : error_set(error, ERROR_INTERRUPTED, "interrupted");
}

int yard_work(WorkerYard *yard, CrewIdle idle, Error *error)
{
    const Copy *copy = yard->copy;
    for (int64_t left = 1; left > 0;) {
        if (work_once(yard, idle, error) != 0 ||
            jobs_left(copy->target, copy->settings->migration, &left, error) != 0) {
            return -1;
        }
    }
    return 0;
}
