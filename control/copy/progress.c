/*
 * Everything is kept under one mutex, save the bytes that a job moves, which are raised on the hot path and
 * only read here. How far a table has come is estimated from bytes moved against its size on the source's
 * disk, never more than all of it.
 */
#include "progress.h"

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

#define MAX_PHASES 16
#define DRAW_SECONDS 0.5
#define LINE_SECONDS 10.0

typedef struct Job {
    char what[160];
    int64_t source_bytes;
    _Atomic int64_t moving;
} Job;

typedef struct PhaseTime {
    char name[32];
    double began, ended;
} PhaseTime;

struct Progress {
    const Settings *settings;
    pthread_mutex_t mutex;
    PhaseTime phases[MAX_PHASES];
    int phase_count;
    char note[512];
    int64_t tables, tables_done, bytes, bytes_done;
    int64_t moved, rows; /* by this run, without what jobs are moving now */
    double phase_began;
    double drawn_at;
    int drawn_lines;
    int job_count;
    Job jobs[];
};

char *progress_size(int64_t bytes, char *out, size_t size)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1000 && unit + 1 < sizeof(units) / sizeof(*units)) {
        value /= 1000;
        unit++;
    }
    snprintf(out, size, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return out;
}

char *progress_time(double seconds, char *out, size_t size)
{
    long whole = (long)(seconds + 0.5);
    if (whole < 60) {
        snprintf(out, size, "%.1f s", seconds);
    } else if (whole < 3600) {
        snprintf(out, size, "%ld min %02ld s", whole / 60, whole % 60);
    } else {
        snprintf(out, size, "%ld h %02ld min", whole / 3600, whole % 3600 / 60);
    }
    return out;
}

Progress *progress_new(const Settings *settings, int jobs)
{
    Progress *progress = calloc(1, sizeof(*progress) + (size_t)jobs * sizeof(Job));
    if (progress == NULL) {
        abort();
    }
    progress->settings = settings;
    progress->job_count = jobs;
    progress->drawn_at = clock_seconds();
    pthread_mutex_init(&progress->mutex, NULL);
    return progress;
}

void progress_free(Progress *progress)
{
    if (progress != NULL) {
        pthread_mutex_destroy(&progress->mutex);
        free(progress);
    }
}

static bool draws(const Progress *progress)
{
    return progress->settings->terminal && !progress->settings->json;
}

/* Takes the block off the terminal, so that other lines can be printed. */
static void wipe(Progress *progress)
{
    if (progress->drawn_lines > 0) {
        printf("\033[%dA\033[J", progress->drawn_lines);
        fflush(stdout);
        progress->drawn_lines = 0;
    }
}

static void end_phase(Progress *progress)
{
    if (progress->phase_count == 0) {
        return;
    }
    PhaseTime *phase = &progress->phases[progress->phase_count - 1];
    if (phase->ended > 0) {
        return;
    }
    phase->ended = clock_seconds();
    char took[32];
    progress_time(phase->ended - phase->began, took, sizeof(took));
    if (draws(progress)) {
        wipe(progress);
        printf("  %-12s %s\n", phase->name, took);
    } else {
        log_line(&progress->settings->log, LOG_INFO, "%s done in %s", phase->name, took);
    }
}

void progress_phase(Progress *progress, const char *name)
{
    pthread_mutex_lock(&progress->mutex);
    end_phase(progress);
    progress->note[0] = '\0';
    if (name != NULL && progress->phase_count < MAX_PHASES) {
        PhaseTime *phase = &progress->phases[progress->phase_count++];
        snprintf(phase->name, sizeof(phase->name), "%s", name);
        phase->began = clock_seconds();
        progress->phase_began = phase->began;
        if (!draws(progress)) {
            log_line(&progress->settings->log, LOG_INFO, "%s", name);
        }
    }
    pthread_mutex_unlock(&progress->mutex);
}

void progress_note(Progress *progress, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    pthread_mutex_lock(&progress->mutex);
    vsnprintf(progress->note, sizeof(progress->note), format, args);
    pthread_mutex_unlock(&progress->mutex);
    va_end(args);
    progress_tick(progress);
}

void progress_warn(Progress *progress, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    pthread_mutex_lock(&progress->mutex);
    wipe(progress);
    log_line(&progress->settings->log, LOG_WARNING, "%s", text);
    pthread_mutex_unlock(&progress->mutex);
}

void progress_totals(Progress *progress, int64_t tables, int64_t tables_done, int64_t bytes,
                     int64_t bytes_done)
{
    pthread_mutex_lock(&progress->mutex);
    progress->tables = tables;
    progress->tables_done = tables_done;
    progress->bytes = bytes;
    progress->bytes_done = bytes_done;
    pthread_mutex_unlock(&progress->mutex);
}

void progress_job(Progress *progress, int job, const char *what, int64_t source_bytes)
{
    pthread_mutex_lock(&progress->mutex);
    Job *entry = &progress->jobs[job];
    snprintf(entry->what, sizeof(entry->what), "%s", what != NULL ? what : "");
    entry->source_bytes = source_bytes;
    atomic_store(&entry->moving, 0);
    pthread_mutex_unlock(&progress->mutex);
}

_Atomic int64_t *progress_moving(Progress *progress, int job)
{
    return &progress->jobs[job].moving;
}

void progress_table_done(Progress *progress, int job, bool whole, int64_t rows)
{
    pthread_mutex_lock(&progress->mutex);
    Job *entry = &progress->jobs[job];
    progress->tables_done += whole;
    progress->bytes_done += entry->source_bytes;
    progress->moved += atomic_load(&entry->moving);
    progress->rows += rows;
    atomic_store(&entry->moving, 0);
    entry->source_bytes = 0;
    entry->what[0] = '\0';
    pthread_mutex_unlock(&progress->mutex);
}

/* Numbers of the moment, for both displays. */
typedef struct Figures {
    double share, rate, left;
    int64_t moved;
} Figures;

static Figures figures(const Progress *progress)
{
    Figures result = {.moved = progress->moved};
    int64_t done = progress->bytes_done, begun_here = 0;
    for (int i = 0; i < progress->job_count; i++) {
        int64_t moving = atomic_load(&progress->jobs[i].moving), size = progress->jobs[i].source_bytes;
        result.moved += moving;
        begun_here += moving < size ? moving : size;
    }
    done += begun_here;
    double took = clock_seconds() - progress->phase_began;
    result.rate = took > 0 ? (double)result.moved / took : 0;
    result.share = progress->bytes > 0 ? (double)done / (double)progress->bytes : 0;
    result.left = result.rate > 0 ? (double)(progress->bytes - done) / result.rate : 0;
    return result;
}

static void data_line(const Progress *progress, char *out, size_t size)
{
    Figures at = figures(progress);
    char moved[32], rate[32], left[32];
    snprintf(out, size, "%lld of %lld tables, %.0f %%, %s copied, %s/s, %s left",
             (long long)progress->tables_done, (long long)progress->tables, at.share * 100,
             progress_size(at.moved, moved, sizeof(moved)),
             progress_size((int64_t)at.rate, rate, sizeof(rate)), progress_time(at.left, left, sizeof(left)));
}

static void draw(Progress *progress, const char *phase, const char *line)
{
    wipe(progress);
    printf("  %-12s %s\033[K\n", phase, line);
    progress->drawn_lines = 1;
    for (int i = 0; i < progress->job_count; i++) {
        Job *job = &progress->jobs[i];
        if (job->what[0] != '\0') {
            int64_t moving = atomic_load(&job->moving);
            char moved[32];
            printf("    %2d  %-50.50s %10s\n", i + 1, job->what,
                   moving > 0 ? progress_size(moving, moved, sizeof(moved)) : "");
            progress->drawn_lines++;
        }
    }
    fflush(stdout);
}

void progress_tick(Progress *progress)
{
    pthread_mutex_lock(&progress->mutex);
    double period = draws(progress) ? DRAW_SECONDS : LINE_SECONDS;
    if (progress->phase_count > 0 && clock_seconds() - progress->drawn_at >= period) {
        progress->drawn_at = clock_seconds();
        const char *phase = progress->phases[progress->phase_count - 1].name;
        char line[640];
        if (progress->note[0] != '\0') {
            snprintf(line, sizeof(line), "%.76s", progress->note);
        } else if (progress->tables > 0 && strcmp(phase, "data") == 0) {
            data_line(progress, line, sizeof(line));
        } else {
            char took[32];
            snprintf(line, sizeof(line), "running for %s",
                     progress_time(clock_seconds() - progress->phase_began, took, sizeof(took)));
        }
        if (draws(progress)) {
            draw(progress, phase, line);
        } else {
            log_line(&progress->settings->log, LOG_INFO, "%s: %s", phase,
                     progress->note[0] != '\0' ? progress->note : line);
        }
    }
    pthread_mutex_unlock(&progress->mutex);
}

static void print_json(const Progress *progress, const char *migration, int64_t tables, int64_t rows,
                       int64_t bytes, size_t sequences, double total)
{
    json_t *phases = json_array();
    for (int i = 0; i < progress->phase_count; i++) {
        const PhaseTime *phase = &progress->phases[i];
        json_array_append_new(
            phases, json_pack("{s:s, s:f}", "name", phase->name, "seconds", phase->ended - phase->began));
    }
    json_t *summary =
        json_pack("{s:s, s:s, s:o, s:f, s:I, s:I, s:I, s:I}", "migration", migration, "result", "copied",
                  "phases", phases, "seconds", total, "tables", (json_int_t)tables, "rows", (json_int_t)rows,
                  "bytes", (json_int_t)bytes, "sequences", (json_int_t)sequences);
    json_dumpf(summary, stdout, JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(summary);
}

void progress_summary(Progress *progress, const char *migration, int64_t tables, int64_t rows, int64_t bytes,
                      size_t sequences)
{
    pthread_mutex_lock(&progress->mutex);
    end_phase(progress);
    wipe(progress);
    double total = progress->phase_count > 0
                       ? progress->phases[progress->phase_count - 1].ended - progress->phases[0].began
                       : 0;
    if (progress->settings->json) {
        print_json(progress, migration, tables, rows, bytes, sequences, total);
    } else {
        char size[32], took[32];
        printf("Copied %lld tables, %lld rows, %s, and %zu sequences; this run took %s.\n", (long long)tables,
               (long long)rows, progress_size(bytes, size, sizeof(size)), sequences,
               progress_time(total, took, sizeof(took)));
        printf("Next: penstock follow, which brings over what has been written since.\n");
    }
    pthread_mutex_unlock(&progress->mutex);
}
