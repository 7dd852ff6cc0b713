/*
 * A worker's connection to the target: commands are queued in libpq's pipeline, sent as they come, and
 * checked together, in order, by session_finish. Statements are prepared when first used and remembered.
 *
 *     (session_command | session_execute | session_lanes)* → session_finish → session_copy*
 *
 * Queueing never fails by itself: whatever goes wrong is told by session_finish. A copy is not queued, because libpq's
 * pipeline cannot carry one: it takes two round trips of its own. One thread, except
 * session_cut.
 */
#pragma once

#include "arena.h"
#include "batch.h"
#include "copy_statement.h"
#include "database.h"
#include "statement.h"

typedef struct Session Session;

/* What went wrong first. */
typedef struct Failure {
    const ApplyRelation *relation; /* whose statement it was; NULL: something else */
    const Change *change;          /* the one change that it was for, or NULL */
    bool miscounted; /* the server took it, but for `rows` rows instead of the expected number */
    uint64_t rows;
    Error error; /* unless miscounted */
} Failure;

/*
 * Connects, takes the workers' lock of the migration and makes the settings under which changes are applied.
 * The caller frees *out with session_close.
 */
int session_open(const char *target, const char *migration, const char *encoding, int index, Session **out,
                 Error *error) MUST_CHECK;
void session_close(Session *session);

/*
 * Cuts the connection: whoever waits for the server goes on at once, with ERROR_CONNECTION. The server notices within
 * two seconds, whatever it waits for, and rolls back. Any thread.
 */
void session_cut(Session *session);

/* Queues a command without parameters. */
void session_command(Session *session, const char *sql);

/*
 * Queues the statement of relation and shape with its parameters (as statement.h orders them; binary; a NULL
 * pointer is NULL), which must concern exactly `expected` rows. change: the one that it is for, or NULL when it stands
 * for several.
 */
void session_execute(Session *session, const ApplyRelation *relation, const Shape *shape,
                     const char *const *values, const int *lengths, uint64_t expected, const Change *change);

/*
 * Queues a command with parameters in binary format (which text is, too) that must concern exactly one row and is not
 * worth preparing.
 */
void session_command_with(Session *session, const char *sql, int count, const Oid *types,
                          const char *const *values, const int *lengths);

/*
 * Queues the move of the batch's lanes to its last position, which fails as miscounted when they are not those of epoch any more.
 */
void session_lanes(Session *session, const char *migration, int64_t epoch, const Batch *batch);

/* Waits for all that is queued. 0 when everything succeeded with the right counts. */
int session_finish(Session *session, Failure *failure) MUST_CHECK;

/* Inserts the rows of data, all of which must be taken. 0 when they were; what is still queued runs first. */
int session_copy(Session *session, CopyData *data, Failure *failure) MUST_CHECK;

/* The values, as the server's output functions write them: one row. The caller frees *out with PQclear. */
int session_describe(Session *session, const char *sql, int count, const Oid *types,
                     const char *const *values, const int *lengths, PGresult **out) MUST_CHECK;

/* How many tables it has written to since it was opened: what the server's process keeps of them grows with that. */
size_t session_tables(const Session *session);

/* Statements executed since the start, copies among them; one that is executed for row after row counts once. */
uint64_t session_statements(const Session *session);
