/*
 * What the proxies do in a cutover. Clients wait from the end of `hold` to `release`; several proxies are held and
 * pointed at once, and let go in reverse.
 */
#include <stdio.h>

#include "activity.h"
#include "clock.h"
#include "cutover.h"
#include "hold_watch.h"
#include "query.h"
#include "reverse.h"
#include "steps.h"
#include "together.h"
#include "watchdog.h"

#define DRAIN_STEP_MS 20
#define EARLY_LIMIT_MS 1000

int step_hold_prepare(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    json_t *all = json_array();
    json_object_set_new(detail, "proxies", all);
    for (size_t i = 0; i < cutover->proxy_count; i++) {
        json_t *one = NULL;
        if (cutover->proxies[i].operations->remember(cutover->proxies[i].proxy, &one, error) != 0) {
            return -1;
        }
        json_array_append_new(all, one);
    }
    return 0;
}

static int hold_one(void *context, size_t number, Error *error)
{
    Cutover *cutover = context;
    CutoverProxy *proxy = &cutover->proxies[number];
    return proxy->operations->hold(proxy->proxy, &cutover->context, error);
}

/* All drain at once, and those that are done wait for the slowest: all are held, or the undo lets all go. */
int step_hold(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    (void)detail;
    HoldWatch *watch = cutover->holds ? hold_watch_start(cutover) : NULL;
    if (cutover_begin_hold(cutover, error) != 0) {
        hold_watch_end(watch);
        return -1;
    }
    cutover->context.drain_limit_ms = (int)(cutover->options->drain_limit * 1000);
    int status = together(cutover->proxy_count, hold_one, cutover, error);
    hold_watch_end(watch);
    if (status != 0 && error->code == ERROR_LIMIT) {
        activity_name_blockers(cutover->leaving, error);
    }
    return status;
}

/* Each by itself: who cannot be let go does not keep the others. */
int step_let_go(void *context, const json_t *detail, Error *error)
{
    Cutover *cutover = context;
    (void)detail;
    int status = 0;
    for (size_t i = cutover->proxy_count; i-- > 0;) {
        Error failure;
        if (cutover->proxies[i].operations->let_go(cutover->proxies[i].proxy, &failure) != 0) {
            *error = failure;
            status = -1;
        }
    }
    cutover->hold_ended = clock_ms();
    return status;
}

void advise_let_go(void *context, const json_t *detail, char *out, size_t size)
{
    const Cutover *cutover = context;
    (void)detail;
    for (size_t i = 0, used = 0; i < cutover->proxy_count && used < size; i++) {
        const ProxyOperations *operations = cutover->proxies[i].operations;
        if (operations->holds) {
            used += (size_t)snprintf(out + used, size - used,
                                     "%slet the clients of %s go on (RESUME on its console)",
                                     used > 0 ? "; " : "", operations->name);
        }
    }
}

static int drain(Cutover *cutover, Error *error)
{
    int64_t deadline = clock_ms() + (int64_t)(cutover->options->drain_limit * 1000);
    for (int quiet = 0, busy; quiet < 2;) {
        if (activity_busy(cutover->leaving, cutover->options->leave_readers, &busy, error) != 0) {
            return -1;
        }
        quiet = busy == 0 ? quiet + 1 : 0;
        if (interrupted()) {
            return error_set(error, ERROR_INTERRUPTED, "interrupted");
        }
        if (quiet < 2 && clock_ms() > deadline) {
            error_set(error, ERROR_LIMIT,
                      "%d sessions beside the proxy are still at work on the %s after %g s", busy,
                      cutover->road->from, cutover->options->drain_limit);
            activity_name_blockers(cutover->leaving, error);
            return -1;
        }
        clock_pause_ms(quiet < 2 ? DRAIN_STEP_MS : 0);
    }
    return 0;
}

int step_drain(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    (void)detail;
    if (!cutover->holds) {
        cutover_note(cutover, "nothing holds the traffic: the fence will end what is open");
        return 0;
    }
    HoldWatch *watch = hold_watch_start(cutover);
    int status = drain(cutover, error);
    hold_watch_end(watch);
    return status;
}

static int point_one(void *context, size_t number, Error *error)
{
    Cutover *cutover = context;
    CutoverProxy *proxy = &cutover->proxies[number];
    return proxy->operations->point_at(proxy->proxy, &cutover->context, error);
}

int step_point(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    int left;
    pthread_mutex_t files = PTHREAD_MUTEX_INITIALIZER;
    (void)detail;
    cutover->context.files = &files;
    int status = together(cutover->proxy_count, point_one, cutover, error);
    cutover->context.files = NULL;
    if (status != 0) {
        return -1;
    }
    return cutover_hold_left(cutover, &left, error);
}

/*
 * Until here nobody but us has written to the target since both sides were equal, unless a proxy was restarted after its file had
 * changed: it knows of no hold any more. What its clients wrote there is nowhere else; the slot of the way back has it, and stays.
 * A target that does not answer at once is not asked: clients wait.
 */
static void see_early_writes(Cutover *cutover)
{
    int64_t changes = 0;
    Error ignored;
    if (cutover->road != &road_cutover || cutover->options->no_reverse || cutover->target == NULL ||
        PQstatus(database_connection(cutover->target)) != CONNECTION_OK) {
        return;
    }
    database_limit(cutover->target, query_within(EARLY_LIMIT_MS));
    if (reverse_written(cutover->target, &cutover->migration, ways_begin(cutover), &changes, &ignored) == 0 &&
        changes > 0) {
        cutover->early_writes = changes;
        cutover_warn(cutover,
                     "%lld changes were written to the target before the release, by clients that a proxy "
                     "led there: was "
                     "it restarted? They are NOT on the source. The slot of the way back has them and stays",
                     (long long)changes);
    }
    database_limit(cutover->target, cutover_limits(cutover));
}

int step_restore(void *context, const json_t *detail, Error *error)
{
    Cutover *cutover = context;
    json_t *all = json_object_get(detail, "proxies");
    int status = 0;
    see_early_writes(cutover);
    for (size_t i = cutover->proxy_count; i-- > 0;) {
        CutoverProxy *proxy = &cutover->proxies[i];
        Error failure;
        if (proxy->operations->restore(proxy->proxy, json_array_get(all, i), &failure) != 0) {
            *error = failure;
            status = -1;
        }
    }
    return status;
}

void advise_restore(void *context, const json_t *detail, char *out, size_t size)
{
    const Cutover *cutover = context;
    const Endpoint *from = &cutover->context.from;
    (void)detail;
    snprintf(out, size,
             "lead the proxy to %s:%s/%s again (what its file was before stands beside it, as "
             "FILE.penstock-before) and RELOAD; "
             "then let its clients go on",
             from->host, from->port, from->database);
}

int step_release(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    int status = 0;
    (void)detail;
    watchdog_end(cutover->watchdog); /* from here on it must not undo */
    cutover->watchdog = NULL;
    for (size_t i = 0; i < cutover->proxy_count; i++) {
        Error failure;
        if (cutover->proxies[i].operations->release(cutover->proxies[i].proxy, &failure) != 0) {
            *error = failure;
            status = -1;
        }
    }
    cutover->hold_ended = clock_ms();
    cutover->released = true;
    if (status == 0 && cutover->holds) {
        cutover_note(cutover, "clients were held for %.2f s",
                     (double)(cutover->hold_ended - cutover->hold_started) / 1000.0);
    }
    return status;
}
