/*
 * What the proxies do in a cutover. Clients wait from the end of `hold` to `release`; whatever is done while they do is done with
 * all proxies at once, so that they wait for the slowest, and none waits for one that does not answer.
 */
#include <stdio.h>
#include <stdlib.h>

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

/* What each proxy has to remember, in their order. */
typedef struct Remembering {
    const Cutover *cutover;
    json_t **each;
} Remembering;

static int remember_one(void *context, size_t number, Error *error)
{
    const Remembering *remembering = context;
    const CutoverProxy *proxy = &remembering->cutover->proxies[number];
    return proxy->operations->remember(proxy->proxy, &remembering->each[number], error);
}

int step_hold_prepare(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    json_t *all = json_array();
    Remembering remembering = {cutover, calloc(cutover->proxy_count + 1, sizeof *remembering.each)};
    json_object_set_new(detail, "proxies", all);
    int status = together(cutover->proxy_count, remember_one, &remembering, error);
    for (size_t i = 0; i < cutover->proxy_count; i++) {
        if (status == 0) {
            json_array_append_new(all, remembering.each[i]);
        } else {
            json_decref(remembering.each[i]);
        }
    }
    free(remembering.each);
    return status;
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

bool traffic_has_ended(CutoverProxy *proxy)
{
    proxy->ended = proxy->operations->has_ended != NULL && proxy->operations->has_ended(proxy->proxy);
    return proxy->ended;
}

void traffic_name(const CutoverProxy *proxy, char out[160])
{
    const char *uri = proxy->spec.admin_uri != NULL ? proxy->spec.admin_uri : "";
    char *host = conninfo_get(uri, "host"), *port = conninfo_get(uri, "port");
    snprintf(out, 160, "%s at %.80s:%.16s", proxy->operations->name, host != NULL ? host : "",
             port != NULL ? port : "");
    free(port);
    free(host);
}

/* In the thread that may say something. */
static void tell_ended(Cutover *cutover)
{
    for (size_t i = 0; i < cutover->proxy_count; i++) {
        CutoverProxy *proxy = &cutover->proxies[i];
        if (proxy->ended && !proxy->told) {
            char name[160];
            traffic_name(proxy, name);
            cutover_warn(cutover,
                         "%s has ended: it holds nobody. Started again, it leads where its file says", name);
            proxy->told = true;
        }
    }
}

static int let_one_go(void *context, size_t number, Error *error)
{
    CutoverProxy *proxy = &((Cutover *)context)->proxies[number];
    int status = proxy->astray ? error_set(error, ERROR_PROXY,
                                           "clients of a proxy that leads to the wrong side are kept")
                               : proxy->operations->let_go(proxy->proxy, error);
    proxy->stuck = status != 0 && (proxy->astray || !traffic_has_ended(proxy));
    return proxy->stuck ? -1 : 0;
}

/* Each by itself: who cannot be let go, or does not answer, does not keep the others. */
int step_let_go(void *context, const json_t *detail, Error *error)
{
    Cutover *cutover = context;
    (void)detail;
    int status = together(cutover->proxy_count, let_one_go, cutover, error);
    tell_ended(cutover);
    cutover->hold_ended = clock_ms();
    return status;
}

void advise_let_go(void *context, const json_t *detail, char *out, size_t size)
{
    const Cutover *cutover = context;
    (void)detail;
    bool known = false;
    for (size_t i = 0; i < cutover->proxy_count; i++) {
        known = known || cutover->proxies[i].stuck;
    }
    for (size_t i = 0, used = 0; i < cutover->proxy_count && used < size; i++) {
        const CutoverProxy *proxy = &cutover->proxies[i];
        char name[160];
        traffic_name(proxy, name);
        if (proxy->operations->holds && (proxy->stuck || !known)) {
            used += (size_t)snprintf(out + used, size - used,
                                     "%slet the clients of %s go on (RESUME on its console)",
                                     used > 0 ? "; " : "", name);
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
    (void)detail;
    return together(cutover->proxy_count, point_one, cutover, error) == 0
               ? cutover_hold_left(cutover, &left, error)
               : -1;
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
        cutover_warn(
            cutover,
            "at least %lld changes were written to the target before the release, by clients that a proxy "
            "led there: was "
            "it restarted? They are NOT on the source. The slot of the way back has them and stays",
            (long long)changes);
    }
    database_limit(cutover->target, cutover_limits(cutover));
}

typedef struct Remembered {
    Cutover *cutover;
    const json_t *all; /* of each proxy, in their order */
} Remembered;

static int restore_one(void *context, size_t number, Error *error)
{
    const Remembered *remembered = context;
    Cutover *cutover = remembered->cutover;
    CutoverProxy *proxy = &cutover->proxies[number];
    proxy->astray = proxy->operations->restore(proxy->proxy, &cutover->context,
                                               json_array_get(remembered->all, number), error) != 0;
    return proxy->astray ? -1 : 0;
}

int step_restore(void *context, const json_t *detail, Error *error)
{
    Cutover *cutover = context;
    Remembered remembered = {.cutover = cutover, .all = json_object_get(detail, "proxies")};
    see_early_writes(cutover);
    return together(cutover->proxy_count, restore_one, &remembered, error);
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

static int release_one(void *context, size_t number, Error *error)
{
    Cutover *cutover = context;
    CutoverProxy *proxy = &cutover->proxies[number];
    /* The file of one that has ended leads there already. */
    return proxy->operations->release(proxy->proxy, &cutover->context, error) == 0 || traffic_has_ended(proxy)
               ? 0
               : -1;
}

int step_release(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    (void)detail;
    watchdog_end(cutover->watchdog); /* from here on it must not undo */
    cutover->watchdog = NULL;
    int status = together(cutover->proxy_count, release_one, cutover, error);
    tell_ended(cutover);
    cutover->hold_ended = clock_ms();
    cutover->released = true;
    if (status == 0 && cutover->holds) {
        cutover_note(cutover, "clients were held for %.2f s",
                     (double)(cutover->hold_ended - cutover->hold_started) / 1000.0);
    }
    return status;
}
