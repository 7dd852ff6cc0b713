/*
 * The stream beside the copy: when tables are copied under more than one snapshot, they agree with each other only once the
 * applier has passed the last of these. So it runs beside the copy from the second snapshot on.
 *
 *     jobs are done ──► beside_tend, again and again: snapshots are published, the applier follows
 *     all jobs done ──► beside_pass: it passes the last snapshot that something was copied under
 *     constraints   ──► beside_hold: it stands at one point, with every lane, until something is published again; the same in
 *                       steps that wait for nothing: beside_tend, beside_stands, beside_go_on (window.h)
 */
#pragma once

#include "copy.h"
#include "follower.h"
#include "snapshots.h"

typedef struct Beside {
    Copy *copy;
    Snapshots *snapshots;
    Follower *follower;
    double advanced_at;
} Beside;

int beside_open(Copy *copy, const atomic_bool *stop, Beside *out, Error *error) MUST_CHECK;
void beside_close(Beside *beside);

/* Whether tables were copied under more than one snapshot, or the stream may have gone on past the only one. */
int beside_needed(const Copy *copy, bool *needed, Error *error) MUST_CHECK;

/*
 * A few times a second, while others work: publishes, keeps the applier running. advancing: nobody copies, and snapshots are
 * taken for the stream's sake alone.
 */
int beside_tend(Beside *beside, bool advancing, Error *error) MUST_CHECK;

/*
 * Until the applier has passed everything that was copied: *passed. Or until something has to be copied anew. ERROR_LIMIT
 * when it has not moved for the stall timeout.
 */
int beside_pass(Beside *beside, bool *passed, Error *error) MUST_CHECK;

/* Until the applier has everything that a snapshot of now sees, and waits there. It goes on with the next one published. */
int beside_hold(Beside *beside, Error *error) MUST_CHECK;

/* Does it stand there, as beside_hold waits for it? ERROR_LIMIT when it has been waited for since (clock_seconds) too long. */
int beside_stands(Beside *beside, double since, bool *stands, Error *error) MUST_CHECK;

/* It goes on from there. */
int beside_go_on(Beside *beside, Error *error) MUST_CHECK;
