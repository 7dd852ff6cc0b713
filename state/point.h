/*
 * A point of the stream at which the target's rows are exactly what a snapshot of the source sees: penstock.point, by which
 * verify and the applier come to one while both sides are written.
 *
 *     verify    wanted ──────────► taken (what S sees) ──────────────► released (the target's snapshot is exported)
 *     applier            ► held ◄──┬─── refused      └──► reached                    └──► over
 *                                  └── taken again, of a later snapshot
 *     either    any of these ──► given up, and the applier goes on
 *
 * Every move names the state that it goes out from and is one UPDATE: of two who move at the same time one finds that it was
 * too late. So a snapshot of the target that was exported while the state was still 'reached' afterwards is of the point, and
 * the applier never goes on before the row says that the point is over, or given up.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "database.h"
#include "snapshot.h"

typedef enum PointState {
    POINT_NONE, /* none was ever asked for */
    POINT_WANTED,
    POINT_HELD,     /* the applier stands between two transactions */
    POINT_TAKEN,    /* S is taken: the applier goes on through what it sees */
    POINT_REFUSED,  /* the order in which transactions come does not fit S: another one, please */
    POINT_REACHED,  /* the target has what S sees, and nothing else */
    POINT_RELEASED, /* the target's snapshot is taken */
    POINT_OVER,
    POINT_GIVEN_UP,
} PointState;

typedef struct StreamPoint {
    int64_t number;
    PointState state;
    int limit_ms;
    Snapshot snapshot; /* from POINT_TAKEN on */
    double held_ms;    /* when it is over or given up */
    char reason[256];  /* of POINT_REFUSED and POINT_GIVEN_UP */
} StreamPoint;

/* What goes into the row with a move; what is zero stays as it was. */
typedef struct PointNote {
    const char *seen, *end; /* texts, for POINT_TAKEN */
    double held_ms;
    const char *reason;
} PointNote;

/* The caller frees out->snapshot. */
int state_point_read(Database *target, const char *migration, StreamPoint *out, Error *error) MUST_CHECK;

/* Asks for a point: *number is its own. One that is under way is given up. */
int state_point_want(Database *target, const char *migration, int limit_ms, int64_t *number,
                     Error *error) MUST_CHECK;

/*
 * Moves point `number` on. *moved is false when it is in another state than from, or is not the newest. From POINT_NONE: out of
 * any state in which the applier may stand.
 */
int state_point_move(Database *target, const char *migration, int64_t number, PointState from, PointState to,
                     const PointNote *note, bool *moved, Error *error) MUST_CHECK;

/* A new run of the applier knows nothing of where an earlier one stood: what was under way is given up. */
int state_point_abandon(Database *target, const char *migration, Error *error) MUST_CHECK;
