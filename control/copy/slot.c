/*
 * CREATE_REPLICATION_SLOT is sent and not waited for: once a second the plain connection looks at who has a
 * transaction id, which is what the server waits for. A prepared transaction blocks too, and has no process
 * to name.
 */
#include "slot.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "query.h"
#include "session.h"
#include "text.h"

/* What makes a slot waits in the server for as long as it takes, whether its client is there or not: it has to hear of the end. */
#define CANCEL_MS 10000

static const char blockers_sql[] =
    "(SELECT pg_catalog.format('pid %s (%s, %s, open for %s s): %s', pid, usename, state,"
    "        pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - xact_start)::int,"
    "        pg_catalog.regexp_replace(pg_catalog.left(query, 120), '\\s+', ' ', 'g')), xact_start AS since"
    "  FROM pg_catalog.pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_catalog.pg_backend_pid()"
    " UNION ALL"
    " SELECT pg_catalog.format('prepared transaction %L (%s, open for %s s)', gid, owner,"
    "        pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - prepared)::int), prepared"
    "  FROM pg_catalog.pg_prepared_xacts)"
    " ORDER BY since LIMIT 4";

/* Who has a transaction open, oldest first, as one text; empty when nobody has. */
static int describe_blockers(Database *source, Text *out, Error *error)
{
    PGresult *rows = NULL;
    if (database_query(source, &rows, error, blockers_sql, 0) != 0) {
        return -1;
    }
    for (int i = 0; i < PQntuples(rows); i++) {
        text_printf(out, "%s%s", i > 0 ? "; " : "", PQgetvalue(rows, i, 0));
    }
    PQclear(rows);
    return 0;
}

int slot_check_wait(Database *source, const SlotWait *wait, double start, Error *error)
{
    Text blockers = {0};
    if (describe_blockers(source, &blockers, error) != 0) {
        return -1;
    }
    const char *who = blockers.data != NULL ? blockers.data : "nobody that can be seen";
    int status = 0;
    if (clock_seconds() - start >= wait->timeout_seconds) {
        status =
            error_set(error, ERROR_LIMIT, "%s: the transactions that were running have not ended in %d s: %s",
                      wait->what, wait->timeout_seconds, who);
        error_hint(error,
                   "end those transactions (pg_terminate_backend, or commit prepared ones) and run the "
                   "command again, or allow more time with --slot-timeout");
    } else if (wait->progress != NULL) {
        progress_note(wait->progress, "%s waits for %s", wait->what, who);
    }
    text_free(&blockers);
    return status;
}

static int wait_for_slot(Database *replication, Database *source, const SlotRequest *request, Error *error)
{
    PGconn *connection = database_connection(replication);
    SessionWait wait = {.stop = request->stop, .what = "making a replication slot"};
    double start = clock_seconds();
    char what[96];
    snprintf(what, sizeof(what), "slot %s", request->name);
    SlotWait running = {
        .what = what, .timeout_seconds = request->timeout_seconds, .progress = request->progress};
    while (PQisBusy(connection)) {
        int ready = session_poll(replication, false, &wait, error);
        if (ready == 0) {
            ready = slot_check_wait(source, &running, start, error);
        } else if (ready > 0 && PQconsumeInput(connection) == 0) {
            return database_error(replication, NULL, error);
        }
        if (ready < 0) {
            query_cancel(connection, CANCEL_MS);
            return -1;
        }
    }
    return 0;
}

static int read_slot(Database *replication, const SlotRequest *request, Slot *out, Error *error)
{
    SessionWait wait = {.stop = request->stop,
                        .limit_seconds = request->timeout_seconds,
                        .what = "making a replication slot"};
    PGresult *result = NULL;
    if (session_finish(replication, &wait, &result, error) != 0) {
        return -1;
    }
    int status = 0;
    if (result == NULL || PQntuples(result) != 1 || PQnfields(result) < 3 ||
        !lsn_parse(PQgetvalue(result, 0, 1), &out->consistent_point)) {
        status = error_set(error, ERROR_SOURCE, "the source gave no consistent point");
    }
    PQclear(result);
    return status;
}

/* What to do when the source makes no slot, by SQLSTATE. */
static const struct {
    const char *sqlstate;
    const char *hint;
} refusals[] = {
    {"55000",
     "Set wal_level = logical on the source and restart it; `penstock check` names what else it lacks."},
    {"58P01",
     "Copy penstock.so for this major into the source's library folder (pg_config --pkglibdir there)."},
};

static void hint_at_refusal(Error *error)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        if (error->hint[0] == '\0' && strcmp(error->sqlstate, refusals[i].sqlstate) == 0) {
            error_hint(error, "%s", refusals[i].hint);
        }
    }
}

int slot_create(Database *replication, Database *source, const SlotRequest *request, Slot *out, Error *error)
{
    char sql[256];
    snprintf(sql, sizeof(sql), "CREATE_REPLICATION_SLOT \"%s\" LOGICAL penstock NOEXPORT_SNAPSHOT",
             request->name);
    if (PQsendQuery(database_connection(replication), sql) == 0) {
        return database_error(replication, NULL, error);
    }
    int status = wait_for_slot(replication, source, request, error);
    if (request->progress != NULL) {
        progress_note(request->progress, "%s", "");
    }
    if (status == 0) {
        status = read_slot(replication, request, out, error);
    }
    if (status != 0) {
        hint_at_refusal(error);
        return error_context(error, "creating slot %s", request->name);
    }
    return 0;
}
