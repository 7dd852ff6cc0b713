/*
 * What the proxies do in a cutover. Clients wait from the end of `hold` to `release`; several proxies are held one after
 * another within one limit, and let go in reverse.
 */
#include "activity.h"
#include "clock.h"
#include "cutover.h"
#include "reverse.h"
#include "steps.h"

#define DRAIN_STEP_MS 20

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

int step_hold(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    (void)detail;
    cutover->hold_started = clock_ms();
    int64_t deadline = cutover->hold_started + (int64_t)(cutover->options->drain_limit * 1000);
    for (size_t i = 0; i < cutover->proxy_count; i++) {
        CutoverProxy *proxy = &cutover->proxies[i];
        int64_t left = deadline - clock_ms();
        cutover->context.drain_limit_ms = left > 1 ? (int)left : 1;
        if (proxy->operations->hold(proxy->proxy, &cutover->context, error) != 0) {
            if (error->code == ERROR_LIMIT) {
                activity_name_blockers(cutover->leaving, error);
            }
            return -1;
        }
    }
    return 0;
}

int step_let_go(void *context, const json_t *detail, Error *error)
{
    Cutover *cutover = context;
    (void)detail;
    int status = 0;
    for (size_t i = cutover->proxy_count; i-- > 0;) {
        if (cutover->proxies[i].operations->let_go(cutover->proxies[i].proxy, error) != 0) {
            status = -1;
        }
    }
    cutover->hold_ended = clock_ms();
    return status;
}

int step_drain(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    (void)detail;
    if (!cutover->holds) {
        cutover_note(cutover, "nothing holds the traffic: the fence will end what is open");
        return 0;
    }
    int64_t deadline = clock_ms() + (int64_t)(cutover->options->drain_limit * 1000);
    for (int quiet = 0, busy; quiet < 2;) {
        if (activity_busy(cutover->leaving, &busy, error) != 0) {
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

int step_point(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    int left;
    (void)detail;
    for (size_t i = 0; i < cutover->proxy_count; i++) {
        CutoverProxy *proxy = &cutover->proxies[i];
        if (proxy->operations->point_at(proxy->proxy, &cutover->context, error) != 0) {
            return -1;
        }
    }
    return cutover_hold_left(cutover, &left, error);
}

int step_restore(void *context, const json_t *detail, Error *error)
{
    Cutover *cutover = context;
    json_t *all = json_object_get(detail, "proxies");
    for (size_t i = cutover->proxy_count; i-- > 0;) {
        CutoverProxy *proxy = &cutover->proxies[i];
        if (proxy->operations->restore(proxy->proxy, json_array_get(all, i), error) != 0) {
            return -1;
        }
    }
    return 0;
}

/*
 * What comes back from the side that clients go to would be sent there once more, over newer rows, if the stream that
 * leads there went on. So that stream ends before clients write. When it cannot be ended, the new one goes instead:
 * clients wait, and there is then no way back, which is said.
 */
static int end_old_stream(Cutover *cutover, Error *error)
{
    bool forward = cutover->road == &road_cutover, exists;
    Error failure;
    if (reverse_next_exists(cutover->source, cutover->target, &cutover->migration, forward, &exists, error) !=
        0) {
        return -1;
    }
    int ended = !exists ? 0
                : forward
                    ? reverse_end_forward(cutover->source, &cutover->migration, END_STREAM_LIMIT_MS, &failure)
                    : reverse_unsubscribe(cutover->source, &cutover->migration, &failure);
    if (ended == 0) {
        return 0;
    }
    cutover_warn(cutover, "there is no way back: the stream from the %s could not be ended (%s)",
                 cutover->road->from, failure.message);
    return forward ? reverse_drop_slot(cutover->target, &cutover->migration, END_STREAM_LIMIT_MS, error)
                   : reverse_end_forward(cutover->source, &cutover->migration, END_STREAM_LIMIT_MS, error);
}

int step_release(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    (void)detail;
    int status = end_old_stream(cutover, error);
    if (status != 0) {
        return status;
    }
    for (size_t i = 0; i < cutover->proxy_count; i++) {
        if (cutover->proxies[i].operations->release(cutover->proxies[i].proxy, error) != 0) {
            status = -1;
        }
    }
    cutover->hold_ended = clock_ms();
    if (status == 0 && cutover->holds) {
        cutover_note(cutover, "clients were held for %.2f s",
                     (double)(cutover->hold_ended - cutover->hold_started) / 1000.0);
    }
    return status;
}
