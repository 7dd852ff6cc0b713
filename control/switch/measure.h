/*
 * How things stand, without changing anything: for the preflight and for --dry-run. Private to this folder.
 */
#pragma once

#include <stdint.h>

#include "cutover.h"
#include "large.h"

/* Bytes of WAL that the side that clients go to has not made its own yet; ERROR_STATE when nothing works on them. */
int measure_lag(Cutover *cutover, int64_t *bytes, Error *error) MUST_CHECK;

typedef struct Measure {
    int64_t lag_bytes;
    double
        lag_seconds; /* until what was written when we looked was durable there; -1: not within patience_ms */
    double oldest;   /* seconds, of the oldest transaction that was open meanwhile */
    char *oldest_who; /* or NULL; owned */
    double at_work;   /* sessions, on average */
    int most_at_work;
    int looks;
    size_t sequences;        /* of the side that clients leave … */
    double sequence_seconds; /* … and how long it takes to read where they stand */
    double
        definition_seconds; /* how long it takes to see that nothing was defined meanwhile, which the hold does */
    int sequence_sessions;  /* that read them, as they do in the hold */
    size_t tables;          /* that would be published for the way back, before clients are held … */
    double publish_seconds; /* … and how long that would take; -1: could not be tried now */
    bool large_known;       /* large objects are moved */
    LargeLook large;        /* of that side: what has changed, and how long it takes to find out */
} Measure;

/* Looks for a while; the caller frees *out with measure_free. */
int measure(Cutover *cutover, Measure *out, Error *error) MUST_CHECK;
void measure_free(Measure *measure);
