/*
 * The state of a migration, kept in schema penstock on the target (schema.sql says what is in it). Used by the CLI and
 * by the applier.
 *
 *     penstock copy   state_create → state_insert → (slot, tables) → state_set_phase …       any of them may come again
 *     applier         state_load → state_lock → state_take_lanes → state_check_lanes once the slot is this run's → in each
 *                     transaction that applies rows, state_lane_update_sql → … → the lock goes with the session
 *     cutover         state_load → state_lock → journal, step by step → state_set_final_lsn, state_set_phase
 *     penstock finish state_drop
 *
 * Each call is one transaction, or part of the caller's: when the process dies between two of them the rest is as it was, and
 * whoever comes next reads from these tables how far it got. What is in memory is a copy of no consequence. Locks are advisory
 * ones of a session; that they are not enough for lanes, and what is, stands in lanes.c.
 *
 * This library is the only code that names those tables, except where the list of tables is part of other work: in the
 * copy's work queue (control/copy/queue.c), in the list of what is compared (control/compare/compare.c, and all of verify's
 * own in control/verify/) and in the applier's look at the target (applier/catalog/lookup.c).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "database.h"
#include "error.h"
#include "lsn.h"

typedef enum Phase {
    PHASE_CREATED,
    PHASE_COPYING,
    PHASE_COPIED,
    PHASE_SWITCHED,
    PHASE_ROLLED_BACK,
    PHASE_FINISHED
} Phase;

typedef struct Migration {
    char name[64];
    Phase phase;
    char slot_name[64];
    char source_system[32];
    char source_database[64];
    int source_timeline; /* 0: not known yet */
    int source_version;
    char source_encoding[32];
    int target_version;
    int lanes;
    Lsn slot_lsn;
    Lsn final_lsn; /* LSN_INVALID before cutover */
    char ddl[16];  /* capture, watch or off */
    int64_t
        created_at; /* microseconds since 1970-01-01: one that was begun anew under its name has another */
} Migration;

typedef struct LanePosition {
    Lsn commit_lsn;
    uint64_t sequence;
    int64_t commit_time; /* microseconds since 2000-01-01; 0: the lane stands at no transaction */
} LanePosition;

typedef struct ApplierReport {
    const char *state; /* starting, streaming, waiting, stopped, failed */
    int workers;
    Lsn received_lsn;
    Lsn low_water_lsn;
    Lsn source_lsn;           /* LSN_INVALID: not known */
    int64_t last_commit_time; /* microseconds since 2000-01-01, 0 for none */
    int64_t heartbeat_time;   /* the same */
    uint64_t transactions;
    uint64_t changes;
    const char *statistics; /* a JSON object */
    const char *rates;      /* the same */
    const char *blocked;    /* a JSON array, or NULL: no worker waits for a lock */
    const Error *error;     /* or NULL */
} ApplierReport;

/* What was applied of a table since it was counted last. */
typedef struct TableCount {
    int64_t table; /* penstock.relation.id */
    int lane;      /* that all its changes are in, or -1: they spread */
    uint64_t rows;
    double seconds; /* in which they were applied */
} TableCount;

/* What the applier said of itself last. */
typedef struct ApplierStatus {
    bool exists; /* false, and nothing else set: it has never said anything */
    char state[32];
    double age; /* seconds since it said so */
    Lsn low_water_lsn;
    char message[512]; /* of its error, or "" */
    char sqlstate[6];  /* the same */
    Lsn blocked_lsn;   /* commit LSN of the transaction that the error is about, or LSN_INVALID */
} ApplierStatus;

/* Takes one line of the journal; detail is a JSON object. */
typedef void (*JournalReader)(void *context, const char *step, const char *event, const char *detail);

/* True in *exists when schema penstock is there and has the tables of this version; ERROR_STATE when it has
 * others. */
int state_exists(Database *target, bool *exists, Error *error) MUST_CHECK;

/* Creates the schema unless it is there. */
int state_create(Database *target, Error *error) MUST_CHECK;

/* Drops the schema and everything in it. */
int state_drop(Database *target, Error *error) MUST_CHECK;

/* The migration called name; ERROR_STATE, with what to do, when there is none. */
int state_load(Database *target, const char *name, Migration *out, Error *error) MUST_CHECK;

/* "penstock_NAME", or ERROR_USAGE when that is no name for a slot. */
int state_slot_name(const char *migration, char out[64], Error *error) MUST_CHECK;

/* Inserts migration and its lanes, all at position (slot_lsn, 0). */
int state_insert(Database *target, const Migration *migration, Error *error) MUST_CHECK;

int state_set_phase(Database *target, const char *name, Phase phase, Error *error) MUST_CHECK;
int state_set_timeline(Database *target, const char *name, int timeline, Error *error) MUST_CHECK;

/* The newest snapshot that a table was copied from: the target has no row from behind it by copying. LSN_INVALID without one. */
int state_copied_lsn(Database *target, const char *name, Lsn *out, Error *error) MUST_CHECK;
int state_set_final_lsn(Database *target, const char *name, Lsn final_lsn, Error *error) MUST_CHECK;

/*
 * The command that works on the switch, for one that may have lost its lock with its session and meets another that took it up
 * since.
 * *ours: nobody has.
 */
int state_take_switch(Database *target, const char *name, const char *run, Error *error) MUST_CHECK;
int state_has_switch(Database *target, const char *name, const char *run, bool *ours,
                     Error *error) MUST_CHECK;

const char *state_phase_name(Phase phase);

/*
 * After a rollback: the migration is copied again, and its stream begins at slot_lsn, where both sides are equal. Lanes
 * that are further stay there; nothing changes in a migration that is copied already.
 */
int state_begin_again(Database *target, const char *name, Lsn slot_lsn, Error *error) MUST_CHECK;

/* The most that a migration may have: penstock.migration.lanes. */
#define MAX_LANES 1024

/*
 * Takes the lanes over: fills positions[0 … lanes) and gives the epoch that alone may move them from now on. Waits for
 * transactions that move one. Whoever had them before cannot commit a change any more. lanes.c says why.
 */
int state_take_lanes(Database *target, const Migration *migration, LanePosition *positions, int64_t *epoch,
                     Error *error) MUST_CHECK;

/* Are the lanes still as state_take_lanes gave them? ERROR_STATE when someone has taken them over since. */
int state_check_lanes(Database *target, const Migration *migration, const LanePosition *positions,
                      int64_t epoch, Error *error) MUST_CHECK;

/* The error of whoever moved lanes and found them taken over. Returns -1. */
int state_lanes_lost(Error *error);

/*
 * The statement by which a worker moves its lanes, to be prepared and run inside its transaction:
 * $1 text migration, $2 int4[] lanes, $3 pg_lsn commit_lsn, $4 int8 sequence, $5 int8 epoch,
 * $6 int8 commit time, or null, $7 int8[] how often each lane has been moved in this epoch. It must concern as many rows
 * as there are lanes, else they have been taken over. The applier's model/lane_move.h writes them.
 */
const char *state_lane_update_sql(void);

/*
 * The statement that records a conflict, to be run in the transaction that settles it: $1 text migration, $2 text
 * commit LSN, $3 text sequence, $4 text schema, $5 text table, $6 text kind, $7 text problem, $8 text SQLSTATE, $9 text
 * message, $10 text action; key and new_row are SQL expressions of type json, over parameters from $11 on. The caller
 * frees it.
 */
char *state_conflict_sql(const char *key, const char *new_row);

/*
 * Writes what the applier says of itself. pid and host are this process's. The low-water mark never goes back: what was
 * written once may have been confirmed to the source.
 */
int state_report_applier(Database *target, const char *name, const ApplierReport *report,
                         Error *error) MUST_CHECK;

/*
 * Writes what was applied by lane, a JSON object, and adds what was applied by table. A table may come more than once. counted:
 * all that ends at or before this is in penstock.applied now; LSN_INVALID: not known.
 */
int state_report_counts(Database *target, const char *name, const char *lanes, const TableCount *tables,
                        size_t count, Lsn counted, Error *error) MUST_CHECK;

/* An applier begins: was everything counted that those before it have applied? If not, when that was noticed is kept. */
int state_open_counts(Database *target, const char *name, Error *error) MUST_CHECK;

/*
 * Problems of the check that the operator goes on with: findings is a JSON array of {check_id, object, detail}. And those that
 * were kept, as a JSON object of arrays of objects by check; NULL for none, or where there is no state. The caller frees *out.
 */
int state_accept(Database *target, const char *name, const char *findings, Error *error) MUST_CHECK;
int state_accepted(Database *target, const char *name, char **out, Error *error) MUST_CHECK;

/*
 * Workers of the migration that have waited for a lock for a second or longer, and who holds it, other workers of it left
 * out: *json as in penstock.applier.blocked, *text for people. Both are NULL when nobody waits; the caller frees them.
 */
int state_blocked(Database *target, const char *name, char **json, char **text, Error *error) MUST_CHECK;

/* Reads it back. */
int state_read_applier(Database *target, const char *name, ApplierStatus *out, Error *error) MUST_CHECK;

/*
 * Takes the migration's advisory lock for role ("applier" or "control") on this connection for as long as it
 * lives. ERROR_STATE, naming the holder's pid, address and application, when someone else has it.
 */
int state_lock(Database *target, const char *name, const char *role, Error *error) MUST_CHECK;

/* Does anybody hold that lock now? */
int state_is_locked(Database *target, const char *name, const char *role, bool *locked,
                    Error *error) MUST_CHECK;

/*
 * Asks a session to end (by its process on the target) if it has that lock: an earlier one of the caller's, whose connection
 * is lost without the server knowing.
 */
int state_end_holder(Database *target, const char *name, const char *role, int session,
                     Error *error) MUST_CHECK;

/* Does that session have that lock? */
int state_is_holder(Database *target, const char *name, const char *role, int session, bool *holds,
                    Error *error) MUST_CHECK;

/* One line of the journal; detail is a JSON object or NULL. event: begin, done, failed, undoing, undone. */
int state_journal(Database *target, const char *name, const char *operation, const char *step,
                  const char *event, const char *detail, Error *error) MUST_CHECK;

/* Hands every line of the operation to take, oldest first; only lines written since the migration was recorded. */
int state_read_journal(Database *target, const char *name, const char *operation, JournalReader take,
                       void *context, Error *error) MUST_CHECK;

/* True in *open when the operation was begun and neither came to its last step nor was undone. */
int state_operation_open(Database *target, const char *name, const char *operation, const char *last_step,
                         bool *open, Error *error) MUST_CHECK;

/* How the applier treats a table: lane_class "spread" or "whole", why it is whole (NULL when it is not), match_class
 * "key", "row" or "none". */
typedef struct TableClass {
    int64_t table; /* penstock.relation.id */
    const char *lane_class;
    const char *lane_reason;
    const char *match_class;
} TableClass;

/* Remembers that of count tables, each once; one statement. */
int state_set_classes(Database *target, const TableClass *classes, size_t count, Error *error) MUST_CHECK;

/*
 * Notes that the table has to be copied again, because of what happened at lsn: it counts as not copied from now on. The
 * first reason stays. *noted is false when it waits already. Not for a table whose rows have what happened at lsn.
 */
int state_mark_recopy(Database *target, const char *migration, const char *schema, const char *table, Lsn lsn,
                      const char *reason, bool *noted, Error *error) MUST_CHECK;

/* Adds a table that the migration did not know, whose changes are left out until it has been copied. */
int state_note_unknown(Database *target, const char *migration, const char *schema, const char *table,
                       uint32_t source_oid, Lsn commit_lsn, Error *error) MUST_CHECK;

/*
 * Workers of an applier hold this lock, shared, on their connections; state_wait_workers returns once nobody does, so
 * that what an earlier applier sent to the target has ended one way or the other. Call it while holding the "applier"
 * lock: sessions that do not end soon by themselves are asked to. ERROR_TRANSIENT, naming who is left, after timeout_ms.
 */
int state_lock_worker(Database *target, const char *name, Error *error) MUST_CHECK;
int state_wait_workers(Database *target, const char *name, int timeout_ms, Error *error) MUST_CHECK;
