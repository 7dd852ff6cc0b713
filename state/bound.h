/*
 * How far the applier may go while the copy of the tables is still at work.
 */
#pragma once

#include "database.h"
#include "snapshot.h"

typedef struct StreamBound {
    bool
        is_free; /* as far as it likes: the copy is done, or all that it still does is no matter of the stream's */
    int number; /* of the newest published snapshot; 0: none */
    Snapshot
        snapshot; /* the stream may not pass a transaction that this does not see; with none, it sees nothing */
} StreamBound;

/* The caller frees out->snapshot. */
int state_load_bound(Database *target, const char *migration, StreamBound *out, Error *error) MUST_CHECK;

/* The applier waits at the bound of that snapshot: all before is durable, and every lane stands there. */
int state_note_reached(Database *target, const char *migration, int snapshot, Error *error) MUST_CHECK;

/*
 * Parts of tables (an array literal of penstock.job.id) count as not copied from now on, and are emptied before they are
 * copied. To be called by the applier, when all that it had of them in work is durable.
 */
int state_recopy_parts(Database *target, const char *migration, const char *jobs, Error *error) MUST_CHECK;

/* The same of all of a table (penstock.relation.id), and of the small ones that are copied together with it. */
int state_recopy_table(Database *target, const char *migration, int64_t relation, Error *error) MUST_CHECK;
