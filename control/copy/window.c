/*
 * Sessions are let in for a moment only, however many wait: those that come too late have their turn after the stream has gone on
 * for a while.
 */
#include "window.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "number.h"
#include "text.h"

#define OPEN_SECONDS 1.0
#define PAUSE_SECONDS 2.0

typedef enum Seat {
    SEAT_AWAY,
    SEAT_WAITS,
    SEAT_STARTS, /* let in, and not known to have its snapshot */
    SEAT_STAYS,  /* the same, until it leaves */
    SEAT_GOES,   /* has its snapshot */
} Seat;

struct Window {
    Beside *beside;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool open, failed;
    double opened_at, closed_at, asked_at; /* asked: since when somebody waits */
    int jobs;
    struct {
        Seat seat;
        int pid;
    } seats[];
};

Window *window_new(Beside *beside, int jobs)
{
    Window *window = calloc(1, sizeof *window + (size_t)jobs * sizeof window->seats[0]);
    if (window == NULL) {
        abort();
    }
    window->beside = beside;
    window->jobs = jobs;
    pthread_mutex_init(&window->mutex, NULL);
    clock_condition(&window->changed);
    return window;
}

void window_free(Window *window)
{
    if (window != NULL) {
        pthread_cond_destroy(&window->changed);
        pthread_mutex_destroy(&window->mutex);
        free(window);
    }
}

int window_enter(Window *window, int job, int pid, bool whole, Error *error)
{
    pthread_mutex_lock(&window->mutex);
    window->seats[job].seat = SEAT_WAITS;
    window->seats[job].pid = pid;
    while (!window->open && !window->failed) {
        pthread_cond_wait(&window->changed, &window->mutex);
    }
    bool failed = window->failed;
    window->seats[job].seat = failed ? SEAT_AWAY : whole ? SEAT_STAYS : SEAT_STARTS;
    pthread_mutex_unlock(&window->mutex);
    return failed
               ? error_set(error, ERROR_INTERRUPTED, "interrupted while the stream was to stand at one point")
               : 0;
}

void window_leave(Window *window, int job)
{
    pthread_mutex_lock(&window->mutex);
    window->seats[job].seat = SEAT_AWAY;
    pthread_mutex_unlock(&window->mutex);
}

static int count(Window *window, Seat seat)
{
    int found = 0;
    pthread_mutex_lock(&window->mutex);
    for (int i = 0; i < window->jobs; i++) {
        found += window->seats[i].seat == seat;
    }
    pthread_mutex_unlock(&window->mutex);
    return found;
}

static void set_open(Window *window, bool open)
{
    pthread_mutex_lock(&window->mutex);
    window->open = open;
    *(open ? &window->opened_at : &window->closed_at) = clock_seconds();
    window->asked_at = 0;
    pthread_cond_broadcast(&window->changed);
    pthread_mutex_unlock(&window->mutex);
}

static void list_starting(Window *window, Text *jobs, Text *pids)
{
    pthread_mutex_lock(&window->mutex);
    for (int i = 0; i < window->jobs; i++) {
        char text[16];
        if (window->seats[i].seat == SEAT_STARTS) {
            snprintf(text, sizeof text, "%d", i);
            text_array_add(jobs, text);
            snprintf(text, sizeof text, "%d", window->seats[i].pid);
            text_array_add(pids, text);
        }
    }
    pthread_mutex_unlock(&window->mutex);
    text_array_end(jobs);
    text_array_end(pids);
}

static void mark_gone(Window *window, const PGresult *rows)
{
    pthread_mutex_lock(&window->mutex);
    for (int i = 0; i < PQntuples(rows); i++) {
        int job = number_int(PQgetvalue(rows, i, 0));
        if (window->seats[job].seat == SEAT_STARTS) {
            window->seats[job].seat = SEAT_GOES;
        }
    }
    pthread_mutex_unlock(&window->mutex);
}

/* Who has a snapshot by now. */
static int look_at_sessions(Window *window, Error *error)
{
    PGresult *rows = NULL;
    Text jobs = {0}, pids = {0};
    list_starting(window, &jobs, &pids);
    int status = database_query(
        window->beside->copy->target, &rows, error,
        "SELECT DISTINCT s.job FROM unnest($1::int[], $2::int[]) AS s (job, pid)"
        "  JOIN pg_catalog.pg_locks l ON l.pid = s.pid AND l.granted AND l.locktype = 'relation'"
        "  JOIN pg_catalog.pg_class c ON c.oid = l.relation"
        "  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname NOT IN ('pg_catalog', 'pg_toast', 'penstock')"
        "   AND (c.relkind = 'i' OR c.relkind = 'm' AND l.mode = 'AccessExclusiveLock')",
        2, jobs.data, pids.data);
    if (status == 0) {
        mark_gone(window, rows);
    }
    PQclear(rows);
    text_free(&jobs);
    text_free(&pids);
    return status;
}

/* The stream goes on while nobody waits, and goes to one point as soon as somebody does. */
static int tick_closed(Window *window, Error *error)
{
    bool wanted = count(window, SEAT_WAITS) > 0 && clock_seconds() - window->closed_at >= PAUSE_SECONDS;
    bool there = false;
    if (beside_tend(window->beside, !wanted, error) != 0) {
        return -1;
    }
    if (!wanted) {
        return 0;
    }
    window->asked_at = window->asked_at > 0 ? window->asked_at : clock_seconds();
    if (beside_stands(window->beside, window->asked_at, &there, error) != 0) {
        return -1;
    }
    if (there) {
        set_open(window, true);
    }
    return 0;
}

static int tick_open(Window *window, Error *error)
{
    if (beside_tend(window->beside, false, error) != 0 || look_at_sessions(window, error) != 0) {
        return -1;
    }
    bool over = clock_seconds() - window->opened_at >= OPEN_SECONDS;
    if (window->open &&
        (over || count(window, SEAT_WAITS) + count(window, SEAT_STARTS) + count(window, SEAT_STAYS) == 0)) {
        pthread_mutex_lock(&window->mutex);
        window->open = false;
        pthread_mutex_unlock(&window->mutex);
    }
    if (!window->open && count(window, SEAT_STARTS) + count(window, SEAT_STAYS) == 0) {
        set_open(window, false);
        window->opened_at = 0;
        return beside_go_on(window->beside, error);
    }
    return 0;
}

int window_tick(Window *window, Error *error)
{
    int status = window->opened_at > 0 ? tick_open(window, error) : tick_closed(window, error);
    if (status != 0) {
        pthread_mutex_lock(&window->mutex);
        window->failed = true;
        pthread_cond_broadcast(&window->changed);
        pthread_mutex_unlock(&window->mutex);
    }
    return status;
}
