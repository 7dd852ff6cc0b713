#include "history.h"

#include <stdio.h>
#include <string.h>

/*
 * Two who add at the same moment add one: the table's key is the ten seconds. What is copied is summed up over all tables, which
 * costs some 100 ms with 100,000 of them (81 to 130 on a busy machine): while they are copied each time, afterwards each five
 * minutes; between, the last sum stands.
 */
static const char add_sql[] =
    "INSERT INTO penstock.history (migration, at, lag_bytes, lag_seconds, rows_per_second, "
    "transactions_per_second, rows, wire_bytes, wire_bytes_per_second, source_bytes_per_second, "
    "bytes_copied, "
    "bytes_to_copy, blocked) "
    "SELECT m.name, to_timestamp(floor(extract(epoch FROM clock_timestamp()) / 10) * 10), "
    "CASE WHEN f.fresh THEN greatest(pg_wal_lsn_diff(a.source_lsn, a.low_water_lsn), 0) END, "
    "CASE WHEN NOT f.fresh THEN NULL WHEN a.source_lsn <= a.low_water_lsn THEN 0 ELSE "
    "greatest(extract(epoch FROM clock_timestamp() - greatest(a.last_commit_time, a.heartbeat_time)), 0) "
    "END, "
    "CASE WHEN f.fresh THEN (a.rates ->> 'rows_per_second')::float8 ELSE 0 END, "
    "CASE WHEN f.fresh THEN (a.rates ->> 'transactions_per_second')::float8 ELSE 0 END, "
    "a.changes, (a.statistics ->> 'wire_bytes')::bigint, "
    "CASE WHEN f.fresh THEN (a.rates ->> 'wire_bytes_per_second')::float8 ELSE 0 END, "
    "CASE WHEN f.fresh THEN (a.rates ->> 'source_bytes_per_second')::float8 ELSE 0 END, "
    "CASE WHEN l.now THEN c.done ELSE b.bytes_copied END, CASE WHEN l.now THEN c.whole ELSE b.bytes_to_copy "
    "END, "
    "coalesce(jsonb_array_length(a.blocked), 0) > 0 "
    "FROM penstock.migration m LEFT JOIN penstock.applier a ON a.migration = m.name "
    "LEFT JOIN LATERAL (SELECT h.bytes_copied, h.bytes_to_copy FROM penstock.history h WHERE h.migration = "
    "m.name ORDER BY h.at DESC LIMIT 1) b ON true, "
    "LATERAL (SELECT coalesce(a.state = 'streaming' AND a.updated_at > clock_timestamp() - interval '10 s', "
    "false) AS fresh) f, "
    "LATERAL (SELECT m.phase IN ('created', 'copying') OR b.bytes_to_copy IS NULL OR "
    "extract(epoch FROM clock_timestamp())::bigint / 10 % 30 = 0 AS now) l, "
    "LATERAL (SELECT coalesce(sum(source_bytes) FILTER (WHERE copy_state = 'copied'), 0) AS done, "
    "coalesce(sum(source_bytes), 0) AS whole FROM penstock.relation r WHERE l.now AND r.migration = m.name) "
    "c "
    "WHERE m.name = $1 AND NOT EXISTS (SELECT FROM penstock.history h WHERE h.migration = $1 AND h.at > "
    "clock_timestamp() - interval '8 s') "
    "ON CONFLICT DO NOTHING";

/* Of each stretch the first sample stays: whoever thins again finds nothing to do. */
static const char thin_sql[] =
    "DELETE FROM penstock.history h USING (SELECT at, at < now() - interval '400 days' OR row_number() OVER "
    "(PARTITION BY floor(extract(epoch FROM at) / CASE WHEN at < now() - interval '2 days' THEN 3600 "
    "WHEN at < now() - interval '1 hour' THEN 300 ELSE 10 END) ORDER BY at) > 1 AS surplus "
    "FROM penstock.history WHERE migration = $1) s "
    "WHERE h.migration = $1 AND h.at = s.at AND s.surplus "
    "AND extract(epoch FROM now())::bigint / 10 % 30 = 0"; /* every five minutes */

static const char read_sql[] =
    "SELECT coalesce(json_agg(h ORDER BY h.at), '[]')::text FROM (SELECT extract(epoch FROM at) AS at, "
    "lag_bytes, round(lag_seconds::numeric, 2) AS lag_seconds, round(rows_per_second::numeric, 1) AS "
    "rows_per_second, round(transactions_per_second::numeric, 1) AS transactions_per_second, rows, "
    "wire_bytes, "
    "round(wire_bytes_per_second::numeric) AS wire_bytes_per_second, "
    "round(source_bytes_per_second::numeric) AS source_bytes_per_second, bytes_copied, bytes_to_copy, "
    "blocked "
    "FROM (SELECT *, row_number() OVER (ORDER BY at) AS n, count(*) OVER () AS many FROM penstock.history "
    "WHERE migration = $1 AND ($2::float8 = 0 OR at > now() - $2::float8 * interval '1 hour')) all_of_them "
    "WHERE many <= 2000 OR n % (many / 2000 + 1) = 0 OR n = many) h";

/*
 * Whoever adds has more important things to do on its connection: the applier's reporter writes what may be confirmed. So it
 * waits for nobody's lock; a sample is missing then.
 */
int state_history_add(Database *target, const char *name, Error *error)
{
    int status = database_execute(target, error, "SET lock_timeout TO '100ms'", 0);
    if (status == 0) {
        status = database_execute(target, error, add_sql, 1, name);
    }
    if (status == 0) {
        status = database_execute(target, error, thin_sql, 1, name);
    }
    if (status == 0 || strcmp(error->sqlstate, "55P03") == 0) {
        status = database_execute(target, error, "SET lock_timeout TO 0", 0);
    }
    return status == 0 ? 0 : error_context(error, "keeping how the migration goes in penstock.history");
}

int state_history(Database *target, const char *name, double hours, char **json, Error *error)
{
    char text[32];
    snprintf(text, sizeof text, "%.6f", hours);
    if (database_value(target, json, error, read_sql, 2, name, text) != 0) {
        return error_context(error, "reading penstock.history");
    }
    return 0;
}
