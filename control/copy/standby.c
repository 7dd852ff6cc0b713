/*
 * A standby that was paused already (by its administrator) stays so, and its snapshots are as good; but they do not get newer, and
 * whoever waits for a point behind it says so after the stall timeout.
 *
 * Cancelled statements (40001, "conflict with recovery") are tried again by whoever ran them: setback.h.
 */
#include "standby.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "session.h"

#define PAUSE_MS 20
#define SETTLED_LOOKS 3

const char *standby_uri(const Copy *copy)
{
    return copy->options->read_from != NULL ? copy->options->read_from : copy->settings->source;
}

/* What it is, in one row. */
static const char check_sql[] =
    "SELECT pg_catalog.pg_is_in_recovery(), (SELECT system_identifier FROM pg_catalog.pg_control_system()),"
    "       pg_catalog.has_function_privilege('pg_catalog.pg_wal_replay_pause()', 'EXECUTE'),"
    "       pg_catalog.current_setting('hot_standby_feedback')::bool,"
    "       pg_catalog.current_setting('max_standby_streaming_delay')";

static int check_row(Copy *copy, const PGresult *row, Error *error)
{
    if (PQgetvalue(row, 0, 0)[0] != 't') {
        error_set(error, ERROR_USAGE, "--read-from names no standby: it is not in recovery");
        return error_hint(error, "leave it out to read the rows at the source");
    }
    if (strcmp(PQgetvalue(row, 0, 1), copy->migration.source_system) != 0) {
        return error_set(error, ERROR_USAGE, "--read-from names a standby of another system (%s, not %s)",
                         PQgetvalue(row, 0, 1), copy->migration.source_system);
    }
    if (PQgetvalue(row, 0, 2)[0] != 't') {
        error_set(error, ERROR_SOURCE, "the role of --read-from may not pause the standby's replay");
        return error_hint(
            error,
            "At the source: GRANT EXECUTE ON FUNCTION pg_wal_replay_pause(), pg_wal_replay_resume() TO it");
    }
    if (PQgetvalue(row, 0, 3)[0] != 't' && strcmp(PQgetvalue(row, 0, 4), "-1") != 0) {
        progress_warn(copy->progress,
                      "the standby may cancel what is read there after %s (max_standby_streaming_delay), and "
                      "it is then read "
                      "again: set hot_standby_feedback = on there, or a longer delay",
                      PQgetvalue(row, 0, 4));
    }
    return 0;
}

int standby_check(Copy *copy, Error *error)
{
    Database *standby = NULL;
    PGresult *row = NULL;
    if (copy->options->read_from == NULL) {
        return 0;
    }
    int status = session_open(copy->options->read_from, DATABASE_SOURCE, "copy", NULL, &standby, error);
    if (status == 0) {
        status = database_query(standby, &row, error, check_sql, 0);
    }
    if (status == 0) {
        status = check_row(copy, row, error);
    }
    PQclear(row);
    database_close(standby);
    return status == 0 ? 0 : error_context(error, "the standby that rows are read on");
}

static int replayed(Database *holder, Lsn *out, Error *error)
{
    char *text = NULL;
    if (database_value(holder, &text, error, "SELECT pg_catalog.pg_last_wal_replay_lsn()", 0) != 0) {
        return -1;
    }
    int status = text != NULL && lsn_parse(text, out)
                     ? 0
                     : error_set(error, ERROR_SOURCE, "the standby does not say how far it has replayed");
    free(text);
    return status;
}

static int wait_until_past(const Copy *copy, Database *holder, Lsn least, Error *error)
{
    double start = clock_seconds();
    for (;;) {
        Lsn at = LSN_INVALID;
        if (replayed(holder, &at, error) != 0) {
            return -1;
        }
        if (at >= least) {
            return 0;
        }
        if (interrupted()) {
            return error_set(error, ERROR_INTERRUPTED, "interrupted while the standby catches up");
        }
        if (clock_seconds() - start > copy->options->stall_timeout) {
            return error_set(error, ERROR_LIMIT,
                             "the standby has not replayed the begin of the stream in %d s",
                             copy->options->stall_timeout);
        }
        progress_note(copy->progress, "waiting for the standby to replay the begin of the stream");
        clock_pause_ms(PAUSE_MS);
    }
}

/* After a pause was asked for, replay may still be at a record: until the point has stood still for some looks. */
static int wait_until_still(Database *holder, Lsn *end, Error *error)
{
    Lsn last = LSN_INVALID;
    for (int still = 0; still < SETTLED_LOOKS; clock_pause_ms(PAUSE_MS)) {
        if (replayed(holder, end, error) != 0) {
            return -1;
        }
        still = *end == last ? still + 1 : 0;
        last = *end;
    }
    return 0;
}

static int take_paused(Database *holder, char exported[EXPORTED_SIZE], Lsn *end, Error *error)
{
    Lsn after = LSN_INVALID;
    if (wait_until_still(holder, end, error) != 0 || exported_take(holder, NULL, exported, error) != 0 ||
        replayed(holder, &after, error) != 0) {
        return -1;
    }
    return after == *end
               ? 0
               : error_set(error, ERROR_TRANSIENT, "the standby's replay went on, though it was paused");
}

static int note_paused(const Copy *copy, Database *state, bool paused, Error *error)
{
    return database_execute(state, error,
                            "UPDATE penstock.migration SET standby_paused = $2::boolean WHERE name = $1", 2,
                            copy->settings->migration, paused ? "t" : "f");
}

static int resume(const Copy *copy, Database *state, Database *holder, Error *error)
{
    return database_execute(holder, error, "SELECT pg_catalog.pg_wal_replay_resume()", 0) == 0
               ? note_paused(copy, state, false, error)
               : -1;
}

/* A process before this one may have been killed while replay was paused. */
static int resume_left(const Copy *copy, Database *state, Database *holder, Error *error)
{
    bool left = false;
    if (database_found(state, &left, error,
                       "SELECT 1 FROM penstock.migration WHERE name = $1 AND standby_paused", 1,
                       copy->settings->migration) != 0) {
        return -1;
    }
    return left ? resume(copy, state, holder, error) : 0;
}

/* Somebody else may let replay go on meanwhile: then once more. */
int standby_take(const Copy *copy, Database *state, Database *holder, Lsn least, char exported[EXPORTED_SIZE],
                 Lsn *end, Error *error)
{
    char *paused = NULL;
    Error ignored;
    if (resume_left(copy, state, holder, error) != 0 || wait_until_past(copy, holder, least, error) != 0 ||
        database_value(holder, &paused, error, "SELECT pg_catalog.pg_is_wal_replay_paused()", 0) != 0) {
        return -1;
    }
    bool ours = paused != NULL && paused[0] != 't';
    free(paused);
    if (ours && (note_paused(copy, state, true, error) != 0 ||
                 database_execute(holder, error, "SELECT pg_catalog.pg_wal_replay_pause()", 0) != 0)) {
        return -1;
    }
    int status = take_paused(holder, exported, end, error);
    while (status != 0 && error->code == ERROR_TRANSIENT && error->sqlstate[0] == '\0' && !interrupted()) {
        status = database_execute(holder, error, "ROLLBACK; SELECT pg_catalog.pg_wal_replay_pause()", 0) == 0
                     ? take_paused(holder, exported, end, error)
                     : -1;
    }
    int resumed = ours ? resume(copy, state, holder, status == 0 ? error : &ignored) : 0;
    return status == 0 ? resumed : status;
}
