/*
 * The moment of the switch, kept for the comparison: a snapshot of each side, exported by a process of its own, which outlives the
 * command. So the moment can still be compared when the command has died, or has ended before it came to that.
 *
 *     moment_begin ──► compare under its names ──► moment_end
 *          │ the command dies
 *          ▼
 *     moment_read, from the detail that it left in the journal ──► compare ──► moment_forget
 *
 * The keeper ends with one of its sessions, when it is told to, and after MOMENT_LIMIT_S: a snapshot keeps vacuum from its work.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "database.h"
#include "error.h"

#define MOMENT_LIMIT_S 7200

typedef struct MomentKeeper MomentKeeper;

/* The names of the snapshots, "" when there are none. */
typedef struct Moment {
    char source[64];
    char target[64];
} Moment;

/* Takes both snapshots within limits, and puts into detail how they are found again. */
int moment_begin(const char *source_uri, const char *target_uri, QueryLimits limits, json_t *detail,
                 MomentKeeper **out, Error *error) MUST_CHECK;

/* The keeper goes on without us. NULL is none. */
void moment_leave(MomentKeeper *keeper);

/* It ends. NULL is none. */
void moment_end(MomentKeeper *keeper);

/* The moment of that detail; false when there is none, or its keeper is gone: *why says so. */
bool moment_read(Database *source, Database *target, const json_t *detail, Moment *out, Error *why);

/* Ends the keeper of that detail by its session on this side; the one on the other follows. Nothing happens when it is gone. */
int moment_forget(Database *database, DatabaseEnd end, const json_t *detail, Error *error) MUST_CHECK;
