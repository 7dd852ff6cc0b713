/*
 * The stream that there will be after the switch, made while clients wait: on the way there publication, slot and
 * subscription of the way back; on the way back the slot of the way there, so that the migration can go on where it was.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cutover.h"
#include "reverse.h"
#include "steps.h"

static bool without_way_back(Cutover *cutover)
{
    if (cutover->options->no_reverse) {
        cutover_note(cutover, "not wanted (--no-reverse): there will be no rollback");
    }
    return cutover->options->no_reverse;
}

int step_publish(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    (void)detail;
    return without_way_back(cutover) ? 0 : reverse_publish(cutover->target, &cutover->migration, error);
}

int step_unpublish(void *context, const json_t *detail, Error *error)
{
    Cutover *cutover = context;
    (void)detail;
    return reverse_unpublish(cutover->target, &cutover->migration, error);
}

int step_slot(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    int left;
    (void)detail;
    if (without_way_back(cutover)) {
        return 0;
    }
    return cutover_hold_left(cutover, &left, error) != 0
               ? -1
               : reverse_make_slot(cutover->target, &cutover->migration, left, error);
}

int step_drop_slot(void *context, const json_t *detail, Error *error)
{
    Cutover *cutover = context;
    (void)detail;
    return reverse_drop_slot(cutover->target, &cutover->migration, END_STREAM_LIMIT_MS, error);
}

/*
 * Clients do not wait for the worker for long. A server starts one at once, but not within wal_retrieve_retry_interval
 * (5 s) of another; what is written meanwhile is kept by the slot, and step_streams sees to it later.
 */
int step_subscribe(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    bool streams;
    int left, limit = (int)(SUBSCRIBE_LIMIT_S * 1000);
    (void)detail;
    if (without_way_back(cutover)) {
        return 0;
    }
    if (reverse_subscribe(cutover->source, &cutover->migration, cutover->reverse_conninfo, error) != 0 ||
        reverse_streams(cutover->target, &cutover->migration, limit, &streams, error) != 0 ||
        cutover_hold_left(cutover, &left, error) != 0) {
        return -1;
    }
    if (!streams) {
        cutover_note(cutover, "it does not stream yet: looked at again once clients go on");
    }
    return 0;
}

int step_unsubscribe(void *context, const json_t *detail, Error *error)
{
    Cutover *cutover = context;
    (void)detail;
    return reverse_unsubscribe(cutover->source, &cutover->migration, error);
}

/*
 * Both sides are equal now; from this slot on the source's changes go to the target again. Not where something could not
 * come back: the sides differ there, and only a new copy makes them equal.
 */
int step_stream(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    char inserts[512], nothing[512];
    int left;
    (void)detail;
    if (reverse_limits(cutover->target, &cutover->migration, inserts, nothing, sizeof inserts, error) != 0 ||
        cutover_hold_left(cutover, &left, error) != 0) {
        return -1;
    }
    if (*inserts != '\0' || *nothing != '\0') {
        cutover_note(cutover, "not everything came back: another cutover needs a new copy");
        return 0;
    }
    return reverse_make_forward(cutover->source, &cutover->migration, left, error);
}

int step_drop_stream(void *context, const json_t *detail, Error *error)
{
    Cutover *cutover = context;
    (void)detail;
    return reverse_end_forward(cutover->source, &cutover->migration, END_STREAM_LIMIT_MS, error);
}
