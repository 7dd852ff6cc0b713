/*
 * Two signs, since each is blind to something: transactions that wrote are seen by their ids, whoever asks; who only reads, by
 * sessions that did something since the last look, of which roles without pg_read_all_stats see only their own
 * (pg_stat_get_activity gives NULL for the rest, all majors). pg_stat_database would tell both, but up to 14 each look at it
 * has the collector write, and us read, a line for every table there is (pgstat_read_statsfiles, deep).
 */
#include "clients.h"

#include <stdio.h>
#include <stdlib.h>

#include "clock.h"

#define LOOK_SECONDS 1
#define FIRST_LOOK_MS 200
#define REMEMBER_SECONDS 5 /* short rests are no rest */
#define WRITES 20          /* a second: more than whatever watches a server */
#define SESSIONS 2         /* one alone may be what watches it */

enum { NEXT_XID, AT, AT_WORK };

static const char look_sql[] =
    "SELECT pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot()), pg_catalog.clock_timestamp(),"
    "       (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend'"
    "           AND application_name NOT LIKE 'penstock%' AND state_change > $1::timestamptz)";

static bool saw_any(const Clients *clients, const PGresult *row, double since)
{
    int64_t begun = strtoll(PQgetvalue(row, 0, NEXT_XID), NULL, 10) - clients->next_xid;
    return (double)begun >= WRITES * since || strtoll(PQgetvalue(row, 0, AT_WORK), NULL, 10) >= SESSIONS;
}

static int look(Clients *clients, Database *server, Error *error)
{
    PGresult *row = NULL;
    bool first = clients->looked_at == 0;
    double now = clock_seconds();
    if (database_query(server, &row, error, look_sql, 1, first ? "infinity" : clients->at) != 0) {
        return error_context(error, "looking whether clients are at work");
    }
    if (!first && saw_any(clients, row, now - clients->looked_at)) {
        clients->seen_at = now;
    }
    clients->looked_at = now;
    clients->next_xid = strtoll(PQgetvalue(row, 0, NEXT_XID), NULL, 10);
    snprintf(clients->at, sizeof clients->at, "%s", PQgetvalue(row, 0, AT));
    PQclear(row);
    atomic_store(&clients->busy, clients->seen_at > 0 && now - clients->seen_at < REMEMBER_SECONDS);
    return 0;
}

int clients_begin(Clients *clients, Database *server, Error *error)
{
    if (look(clients, server, error) != 0) {
        return -1;
    }
    clock_pause_ms(FIRST_LOOK_MS);
    return look(clients, server, error);
}

int clients_look(Clients *clients, Database *server, Error *error)
{
    return clock_seconds() - clients->looked_at < LOOK_SECONDS ? 0 : look(clients, server, error);
}

bool clients_are_busy(Clients *clients)
{
    return atomic_load(&clients->busy);
}
