/*
 * Everything is kept under one mutex, save the bytes and rows that a job moves, which are raised on the hot path and
 * only read here. How far a table has come is told from rows moved against those that the source's statistics say, where they
 * do, else from bytes moved against its size on the source's disk; never more than all of it.
 */
#include "progress.h"

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "estimate.h"

#define MAX_PHASES 16
#define DRAW_SECONDS 0.5
#define LINE_SECONDS 10.0
#define TELL_LEAST 0.5 /* seconds, and a tenth of the time that it has run for ... */
#define TELL_MOST 2.0  /* ... up to so many: what a short copy has said would else be of half of it ago */
#define MAX_BUILDS 8
#define BAR 30

typedef struct Job {
    char what[160];
    char held[320]; /* why it does not go on; "" */
    int64_t source_bytes;
    int64_t expected; /* rows; 0: not known */
    double began;
    _Atomic int64_t moving, rows;
} Job;

typedef struct PhaseTime {
    char name[32];
    double began, ended;
} PhaseTime;

struct Progress {
    const Settings *settings;
    pthread_t main; /* it draws and tells; others only report */
    pthread_mutex_t mutex;
    PhaseTime phases[MAX_PHASES];
    int phase_count;
    char note[512];
    char held[320]; /* why the step does not go on; "" */
    int64_t tables, tables_done, bytes, bytes_done;
    int64_t bytes_before; /* of bytes_done, by earlier runs */
    int64_t moved, rows;  /* by this run, without what jobs are moving now */
    int64_t objects, objects_done;
    double data_seconds; /* that rows have been carried for, before this phase */
    ProgressIndexes indexes;
    int64_t index_first, keys_before; /* of what is made, before this run; -1: not known yet */
    int64_t index_before;             /* and when the rows had been carried */
    double index_seconds;
    bool is_weighed;
    ProgressBuild builds[MAX_BUILDS];
    int build_count;
    void (*tell)(void *context);
    void *tell_context;
    double told_at;
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
    progress->main = pthread_self();
    progress->settings = settings;
    progress->job_count = jobs;
    progress->drawn_at = clock_seconds();
    progress->indexes.lag = -1;
    progress->keys_before = progress->index_first = -1;
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

static bool is_phase(const Progress *progress, const char *name)
{
    return progress->phase_count > 0 && strcmp(progress->phases[progress->phase_count - 1].name, name) == 0;
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
    progress->data_seconds += is_phase(progress, "data") ? phase->ended - phase->began : 0;
    progress->index_seconds += is_phase(progress, "post-data") ? phase->ended - phase->began : 0;
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
    progress->note[0] = progress->held[0] = '\0';
    progress->objects = progress->objects_done = 0;
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
    progress->bytes_before += progress->moved == 0 ? bytes_done - progress->bytes_before : 0;
    progress->bytes_done = bytes_done;
    pthread_mutex_unlock(&progress->mutex);
}

void progress_objects(Progress *progress, int64_t done, int64_t of)
{
    pthread_mutex_lock(&progress->mutex);
    progress->objects_done = done;
    progress->objects = of;
    pthread_mutex_unlock(&progress->mutex);
}

void progress_job(Progress *progress, int job, const char *what, int64_t source_bytes)
{
    pthread_mutex_lock(&progress->mutex);
    Job *entry = &progress->jobs[job];
    if (strncmp(entry->what, what != NULL ? what : "", sizeof entry->what - 1) != 0) {
        entry->held[0] = '\0'; /* else it is tried once more */
    }
    snprintf(entry->what, sizeof(entry->what), "%s", what != NULL ? what : "");
    entry->source_bytes = source_bytes;
    entry->expected = 0;
    entry->began = clock_seconds();
    atomic_store(&entry->moving, 0);
    atomic_store(&entry->rows, 0);
    pthread_mutex_unlock(&progress->mutex);
}

bool progress_held(Progress *progress, int job, const char *why)
{
    pthread_mutex_lock(&progress->mutex);
    char *held = job == PROGRESS_STEP ? progress->held : progress->jobs[job].held;
    bool news = held[0] == '\0';
    snprintf(held, sizeof progress->held, "%s", why != NULL ? why : "");
    pthread_mutex_unlock(&progress->mutex);
    return news;
}

void progress_expect(Progress *progress, int job, int64_t rows)
{
    pthread_mutex_lock(&progress->mutex);
    progress->jobs[job].expected = rows;
    pthread_mutex_unlock(&progress->mutex);
}

_Atomic int64_t *progress_moving(Progress *progress, int job)
{
    return &progress->jobs[job].moving;
}

_Atomic int64_t *progress_moving_rows(Progress *progress, int job)
{
    return &progress->jobs[job].rows;
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
    atomic_store(&entry->rows, 0);
    entry->source_bytes = entry->expected = 0;
    entry->what[0] = '\0';
    pthread_mutex_unlock(&progress->mutex);
}

/* Numbers of the moment, for all displays. */
typedef struct Figures {
    double share, rate, left; /* left: -1: not known */
    int64_t moved, done;
} Figures;

static double phase_seconds(const Progress *progress, const char *name)
{
    return is_phase(progress, name) ? clock_seconds() - progress->phase_began : 0;
}

/* From 0 to 1. */
static double job_share(const Job *job)
{
    double of = (double)(job->expected > 0 ? job->expected : job->source_bytes);
    double moved = (double)(job->expected > 0 ? atomic_load(&job->rows) : atomic_load(&job->moving));
    return of <= 0 ? 0 : moved < of ? moved / of : 1;
}

/* Of indexes, while rows were carried. */
static double made_beside(const Progress *progress)
{
    int64_t until = progress->is_weighed ? progress->index_before : progress->indexes.done;
    return progress->index_first >= 0 ? (double)(until - progress->index_first) : 0;
}

static Figures figures(const Progress *progress)
{
    Figures result = {.moved = progress->moved, .done = progress->bytes_done};
    double longest = 0;
    for (int i = 0; i < progress->job_count; i++) {
        const Job *job = &progress->jobs[i];
        double share = job_share(job);
        double left = estimate_job_left(share, clock_seconds() - job->began);
        result.moved += atomic_load(&job->moving);
        result.done += (int64_t)(share * (double)job->source_bytes);
        longest = left > longest ? left : longest;
    }
    double seconds = progress->data_seconds + phase_seconds(progress, "data");
    const ProgressIndexes *indexes = &progress->indexes;
    int64_t keys_here = progress->keys_before >= 0 ? indexes->keys_done - progress->keys_before : 0;
    const Estimate estimate = {
        .rows = {.total = (double)progress->bytes + ESTIMATE_INDEX * (double)indexes->key_bytes,
                 .done = (double)result.done + ESTIMATE_INDEX * (double)indexes->keys_done,
                 .here = (double)(result.done - progress->bytes_before) + ESTIMATE_INDEX * (double)keys_here,
                 .seconds = seconds},
        .indexes = {.total = (double)indexes->bytes,
                    .done = (double)indexes->done,
                    .here = progress->is_weighed ? (double)(indexes->done - progress->index_before) : 0,
                    .seconds = progress->index_seconds + phase_seconds(progress, "post-data")},
        .beside = made_beside(progress),
        .longest = longest};
    result.rate = seconds > 0 ? (double)result.moved / seconds : 0;
    result.share = estimate_share(&estimate);
    result.left = estimate_left(&estimate);
    return result;
}

static char *left_text(double left, char *out, size_t size)
{
    char time[32];
    snprintf(out, size, left < 0 ? "%s" : "about %s left",
             left < 0 ? "time left not known yet" : progress_time(left, time, sizeof time));
    return out;
}

/* "120 of 450 objects made, ", or nothing. While rows are carried it is not what is waited for. */
static void objects_text(const Progress *progress, char *out, size_t size)
{
    *out = '\0';
    if (progress->objects > 0 && !is_phase(progress, "data")) {
        snprintf(out, size, "%lld of %lld object%s made, ", (long long)progress->objects_done,
                 (long long)progress->objects, progress->objects == 1 ? "" : "s");
    }
}

/* The whole of it, whatever the phase. */
static void whole_line(const Progress *progress, char *out, size_t size)
{
    Figures at = figures(progress);
    char moved[32], rate[32], left[64], lag[64] = "", behind[32], objects[64];
    if (progress->indexes.lag >= 0) {
        snprintf(lag, sizeof lag, ", stream %s behind",
                 progress_size(progress->indexes.lag, behind, sizeof behind));
    }
    objects_text(progress, objects, sizeof objects);
    snprintf(out, size, "%s%lld of %lld table%s, %lld row%s, %s, %s/s%s; %.0f %% of all, %s", objects,
             (long long)progress->tables_done, (long long)progress->tables, progress->tables == 1 ? "" : "s",
             (long long)progress->rows, progress->rows == 1 ? "" : "s",
             progress_size(at.moved, moved, sizeof moved), progress_size((int64_t)at.rate, rate, sizeof rate),
             lag, at.share * 100, left_text(at.left, left, sizeof left));
}

static void draw_bar(const Progress *progress)
{
    Figures at = figures(progress);
    char left[64];
    printf("  [");
    for (int i = 0; i < BAR; i++) {
        putchar(i < (int)(at.share * BAR) ? '#' : '.');
    }
    printf("] %3.0f %%, %s\033[K\n", at.share * 100, left_text(at.left, left, sizeof left));
}

static void draw_jobs(Progress *progress)
{
    for (int i = 0; i < progress->job_count; i++) {
        Job *job = &progress->jobs[i];
        int64_t moving = atomic_load(&job->moving);
        char moved[32], of[32], text[80] = "";
        if (job->what[0] == '\0') {
            continue;
        }
        if (moving > 0) {
            snprintf(text, sizeof text, "%s of %s", progress_size(moving, moved, sizeof moved),
                     progress_size(job->source_bytes, of, sizeof of));
        }
        printf("    %2d  %-50.50s %s\033[K\n", i + 1, job->what, text);
        progress->drawn_lines++;
    }
}

static void draw(Progress *progress, const char *phase, const char *line)
{
    wipe(progress);
    progress->drawn_lines = 1;
    if (progress->tables > 0) {
        draw_bar(progress);
        progress->drawn_lines++;
    }
    printf("  %-12s %s\033[K\n", phase, line);
    draw_jobs(progress);
    for (int i = 0; i < progress->build_count; i++) {
        printf("        %-50.50s ", progress->builds[i].what);
        printf(progress->builds[i].share >= 0 ? "%.0f %%\033[K\n" : "\033[K\n",
               progress->builds[i].share * 100);
        progress->drawn_lines++;
    }
    fflush(stdout);
}

/* Not within the mutex: who tells reports in turn. */
static void tell(Progress *progress)
{
    double now = clock_seconds();
    double period = progress->phase_count > 0 ? (now - progress->phases[0].began) / 10 : 0;
    period = period < TELL_LEAST ? TELL_LEAST : period > TELL_MOST ? TELL_MOST : period;
    if (progress->tell != NULL && now - progress->told_at >= period) {
        progress->told_at = now;
        progress->tell(progress->tell_context);
    }
}

static void show(Progress *progress)
{
    const char *phase = progress->phases[progress->phase_count - 1].name;
    char line[640];
    if (progress->note[0] != '\0') {
        snprintf(line, sizeof(line), "%.*s", draws(progress) ? 76 : 500, progress->note);
    } else if (progress->tables > 0) {
        whole_line(progress, line, sizeof(line));
    } else {
        char took[32], objects[64];
        objects_text(progress, objects, sizeof objects);
        snprintf(line, sizeof(line), "%srunning for %s", objects,
                 progress_time(clock_seconds() - progress->phase_began, took, sizeof(took)));
    }
    if (draws(progress)) {
        draw(progress, phase, line);
    } else {
        log_line(&progress->settings->log, LOG_INFO, "%s: %s", phase, line);
    }
}

void progress_tick(Progress *progress)
{
    if (!pthread_equal(pthread_self(), progress->main)) {
        return;
    }
    tell(progress);
    pthread_mutex_lock(&progress->mutex);
    double period = draws(progress) ? DRAW_SECONDS : LINE_SECONDS;
    if (progress->phase_count > 0 && clock_seconds() - progress->drawn_at >= period) {
        progress->drawn_at = clock_seconds();
        show(progress);
    }
    pthread_mutex_unlock(&progress->mutex);
}

void progress_teller(Progress *progress, void (*teller)(void *context), void *context)
{
    progress->tell = teller;
    progress->tell_context = context;
}

void progress_indexes(Progress *progress, const ProgressIndexes *indexes)
{
    pthread_mutex_lock(&progress->mutex);
    bool behind = is_phase(progress, "post-data") || (progress->is_weighed && !is_phase(progress, "data"));
    progress->index_before = progress->is_weighed && behind ? progress->index_before : indexes->done;
    progress->is_weighed = behind;
    progress->index_first = progress->index_first >= 0 ? progress->index_first : indexes->done;
    progress->keys_before = progress->keys_before >= 0 ? progress->keys_before : indexes->keys_done;
    progress->indexes = *indexes;
    pthread_mutex_unlock(&progress->mutex);
}

void progress_builds(Progress *progress, const ProgressBuild *builds, int count)
{
    pthread_mutex_lock(&progress->mutex);
    progress->build_count = count < MAX_BUILDS ? count : MAX_BUILDS;
    memcpy(progress->builds, builds, (size_t)progress->build_count * sizeof *builds);
    pthread_mutex_unlock(&progress->mutex);
}

static json_t *document_work(Progress *progress)
{
    json_t *work = json_array();
    for (int i = 0; i < progress->job_count; i++) {
        Job *job = &progress->jobs[i];
        if (job->what[0] != '\0') {
            json_array_append_new(work, json_pack("{s:s?, s:I, s:I}", "what", job->what, "bytes",
                                                  (json_int_t)atomic_load(&job->moving), "source_bytes",
                                                  (json_int_t)job->source_bytes));
        }
    }
    for (int i = 0; i < progress->build_count; i++) {
        const ProgressBuild *build = &progress->builds[i];
        json_array_append_new(work, json_pack("{s:s?, s:o}", "what", build->what, "share",
                                              build->share >= 0 ? json_real(build->share) : json_null()));
    }
    return work;
}

/* What holds up the step, or one who is at work; null for nothing. With the mutex held. */
static json_t *document_held(const Progress *progress)
{
    const char *held = progress->held;
    for (int i = 0; i < progress->job_count && held[0] == '\0'; i++) {
        held = progress->jobs[i].held;
    }
    return held[0] != '\0' ? json_string(held) : json_null();
}

char *progress_document(Progress *progress)
{
    pthread_mutex_lock(&progress->mutex);
    Figures at = figures(progress);
    json_t *said = json_pack(
        "{s:s, s:f, s:f, s:I, s:I, s:I, s:I, s:f, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "phase",
        progress->phase_count > 0 ? progress->phases[progress->phase_count - 1].name : "", "seconds",
        progress->phase_count > 0 ? clock_seconds() - progress->phases[0].began : 0.0, "share", at.share,
        "tables", (json_int_t)progress->tables, "tables_done", (json_int_t)progress->tables_done, "bytes",
        (json_int_t)at.moved, "rows", (json_int_t)progress->rows, "bytes_per_second", at.rate, "index_bytes",
        (json_int_t)progress->indexes.bytes, "index_bytes_done", (json_int_t)progress->indexes.done,
        "objects", (json_int_t)progress->objects, "objects_done", (json_int_t)progress->objects_done,
        "seconds_left", at.left >= 0 ? json_real(at.left) : json_null(), "work", document_work(progress),
        "held", document_held(progress));
    pthread_mutex_unlock(&progress->mutex);
    char *text = said != NULL ? json_dumps(said, JSON_COMPACT) : NULL;
    json_decref(said);
    return text;
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
        printf("Copied %lld table%s, %lld row%s, %s, and %zu sequence%s; this run took %s.\n",
               (long long)tables, tables == 1 ? "" : "s", (long long)rows, rows == 1 ? "" : "s",
               progress_size(bytes, size, sizeof(size)), sequences, sequences == 1 ? "" : "s",
               progress_time(total, took, sizeof(took)));
        printf("Next: penstock follow, which brings over what has been written since.\n");
    }
    pthread_mutex_unlock(&progress->mutex);
}
