/*
 * What the applier says of itself: one row that is written over and over.
 *
 * A report must get through above all when something is wrong, and then it carries text of unknown origin (an
 * error message may have been cut inside a character). So text is made valid UTF-8 here before the server can
 * refuse it.
 */
#include "state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "encoding.h"
#include "kinds.h"

#define HOST_SIZE 256

/* A time of the source, from microseconds since 2000-01-01. */
#define SOURCE_TIME(parameter)                                                                               \
    "timestamptz '2000-01-01 00:00:00+00' + " parameter "::int8 * interval '1 microsecond'"

static const char *error_code_name(ErrorCode code)
{
    static const char *const names[] = {
        [ERROR_NONE] = "none",           [ERROR_USAGE] = "usage",       [ERROR_CONNECTION] = "connection",
        [ERROR_TRANSIENT] = "transient", [ERROR_PROTOCOL] = "protocol", [ERROR_SOURCE] = "source",
        [ERROR_TARGET] = "target",       [ERROR_CONFLICT] = "conflict", [ERROR_STATE] = "state",
        [ERROR_LIMIT] = "limit",         [ERROR_SYSTEM] = "system",     [ERROR_INTERRUPTED] = "interrupted",
        [ERROR_PROXY] = "proxy",
    };
    return (size_t)code < sizeof names / sizeof names[0] ? names[code] : "unknown";
}

/* Replaces what is not UTF-8 by question marks. Returns out. */
static const char *make_valid(const char *text, char *out, size_t size)
{
    snprintf(out, size, "%s", text);
    for (char *at = out; *at != '\0';) {
        size_t length = encoding_character(at);
        if (length == 0) {
            *at = '?';
            length = 1;
        }
        at += length;
    }
    return out;
}

int state_report_applier(Database *target, const char *name, const ApplierReport *report, Error *error)
{
    static const char sql[] =
        "INSERT INTO penstock.applier AS a (migration, state, pid, host, workers, started_at, received_lsn, "
        "low_water_lsn, last_commit_time, transactions, changes, statistics, error, blocked, source_lsn, "
        "heartbeat_time, rates, updated_at) "
        "VALUES ($1, $2, $3, $4, $5, clock_timestamp(), $6, $7, " SOURCE_TIME(
            "$8") ", $9, $10, "
                  "coalesce($11::jsonb, '{}'), "
                  "CASE WHEN $12::text IS NOT NULL THEN jsonb_build_object('code', $12::text, 'sqlstate', "
                  "$13::text, "
                  "'message', $14::text, 'hint', $15::text, 'lsn', $16::text, 'number', $21::text) END, "
                  "$17::jsonb, "
                  "$18, " SOURCE_TIME(
                      "$19") ", $20, clock_timestamp()) "
                             "ON CONFLICT (migration) DO UPDATE SET state = excluded.state, pid = "
                             "excluded.pid, "
                             "host = excluded.host, workers = excluded.workers, received_lsn = "
                             "excluded.received_lsn, "
                             "low_water_lsn = greatest(a.low_water_lsn, excluded.low_water_lsn), "
                             "last_commit_time = "
                             "excluded.last_commit_time, "
                             "transactions = excluded.transactions, changes = excluded.changes, "
                             "statistics = excluded.statistics, error = excluded.error, blocked = "
                             "excluded.blocked, "
                             "source_lsn = excluded.source_lsn, heartbeat_time = excluded.heartbeat_time, "
                             "rates = excluded.rates, "
                             "updated_at = excluded.updated_at, "
                             "started_at = CASE WHEN a.pid = excluded.pid AND a.host = excluded.host "
                             "AND excluded.state <> 'starting' THEN a.started_at ELSE excluded.started_at "
                             "END";
    char pid[16], workers[16], received[LSN_TEXT_SIZE], low_water[LSN_TEXT_SIZE], lsn[LSN_TEXT_SIZE];
    char commit_time[24], heartbeat_time[24], source[LSN_TEXT_SIZE];
    char transactions[24], changes[24], host[HOST_SIZE] = "";
    char number[ERROR_NUMBER_SIZE] = "";
    char message[sizeof report->error->message] = "", hint[sizeof report->error->hint] = "";
    bool failed = report->error != NULL && report->error->code != ERROR_NONE;

    snprintf(pid, sizeof pid, "%d", (int)getpid());
    snprintf(workers, sizeof workers, "%d", report->workers);
    snprintf(commit_time, sizeof commit_time, "%lld", (long long)report->last_commit_time);
    snprintf(heartbeat_time, sizeof heartbeat_time, "%lld", (long long)report->heartbeat_time);
    snprintf(transactions, sizeof transactions, "%llu", (unsigned long long)report->transactions);
    snprintf(changes, sizeof changes, "%llu", (unsigned long long)report->changes);
    gethostname(host, sizeof host - 1);
    if (failed) {
        error_number(report->error, number);
        make_valid(report->error->message, message, sizeof message);
        make_valid(report->error->hint, hint, sizeof hint);
    }
    if (database_execute(
            target, error, sql, 21, name, report->state, pid, host, workers,
            lsn_format(report->received_lsn, received), lsn_format(report->low_water_lsn, low_water),
            report->last_commit_time != 0 ? commit_time : NULL, transactions, changes, report->statistics,
            failed ? error_code_name(report->error->code) : NULL, failed ? report->error->sqlstate : NULL,
            failed ? message : NULL, failed ? hint : NULL,
            failed && report->error->lsn != LSN_INVALID ? lsn_format(report->error->lsn, lsn) : NULL,
            report->blocked,
            report->source_lsn != LSN_INVALID ? lsn_format(report->source_lsn, source) : NULL,
            report->heartbeat_time != 0 ? heartbeat_time : NULL, report->rates,
            failed ? number : NULL) != 0) {
        return error_context(error, "reporting the applier's state");
    }
    return 0;
}

/* The members of the counts as array literals. The caller frees them. */
typedef struct CountArrays {
    char *text[4]; /* table, lane, rows, seconds */
} CountArrays;

static CountArrays make_arrays(const TableCount *tables, size_t count)
{
    CountArrays arrays;
    FILE *out[4];
    size_t size[4];
    for (int i = 0; i < 4; i++) {
        out[i] = open_memstream(&arrays.text[i], &size[i]);
        if (out[i] == NULL) {
            abort();
        }
    }
    for (size_t i = 0; i < count; i++) {
        const TableCount *one = &tables[i];
        char separator = i == 0 ? '{' : ',';
        fprintf(out[0], "%c%lld", separator, (long long)one->table);
        fprintf(out[1], "%c%d", separator, one->lane);
        fprintf(out[2], "%c%llu", separator, (unsigned long long)one->rows);
        fprintf(out[3], "%c%.6f", separator, one->seconds);
    }
    for (int i = 0; i < 4; i++) {
        fputc('}', out[i]);
        fclose(out[i]);
    }
    return arrays;
}

static int add_tables(Database *target, const TableCount *tables, size_t count, Error *error)
{
    CountArrays arrays = make_arrays(tables, count);
    int status = database_execute(
        target, error,
        /* DDL may take a table away at this very moment: one that is locked stays until the count is written. */
        "WITH known AS MATERIALIZED (SELECT id FROM penstock.relation WHERE id = ANY ($1::int8[]) FOR KEY "
        "SHARE) "
        "INSERT INTO penstock.applied AS a (relation, lane, rows, rows_per_second, counted_at) "
        "SELECT id, max(nullif(t.lane, -1)), sum(t.rows), sum(t.rows / greatest(t.seconds, 0.001)), "
        "clock_timestamp() "
        "FROM unnest($1::int8[], $2::int4[], $3::int8[], $4::float8[]) AS t (id, lane, rows, seconds) "
        "JOIN known USING (id) GROUP BY id "
        "ON CONFLICT (relation) DO UPDATE SET lane = excluded.lane, rows = a.rows + excluded.rows, "
        "rows_per_second = excluded.rows_per_second, counted_at = excluded.counted_at",
        4, arrays.text[0], arrays.text[1], arrays.text[2], arrays.text[3]);
    for (int i = 0; i < 4; i++) {
        free(arrays.text[i]);
    }
    return status;
}

/* The tables first: who finds counted_lsn finds them. */
int state_report_counts(Database *target, const char *name, const char *lanes, const TableCount *tables,
                        size_t count, Lsn counted, Error *error)
{
    char lsn[LSN_TEXT_SIZE];
    if ((count != 0 && add_tables(target, tables, count, error) != 0) ||
        database_execute(target, error,
                         "UPDATE penstock.applier SET lanes = $2, counted_lsn = coalesce($3::pg_lsn, "
                         "counted_lsn) WHERE migration = $1",
                         3, name, lanes, counted != LSN_INVALID ? lsn_format(counted, lsn) : NULL) != 0) {
        return error_context(error, "reporting what was applied");
    }
    return 0;
}

/* A lane that is past counted_lsn has changes that an applier before this one had no time to count. */
int state_open_counts(Database *target, const char *name, Error *error)
{
    return database_execute(
        target, error,
        "UPDATE penstock.applier a SET counted_lsn = greatest(a.counted_lsn, l.furthest),"
        "   uncounted_at = CASE WHEN a.counted_lsn IS NULL OR a.counted_lsn < l.furthest THEN "
        "clock_timestamp() ELSE a.uncounted_at END"
        "  FROM (SELECT max(commit_lsn) AS furthest FROM penstock.lane WHERE migration = $1) l"
        " WHERE a.migration = $1",
        1, name);
}

int state_read_applier(Database *target, const char *name, ApplierStatus *out, Error *error)
{
    PGresult *row = NULL;
    *out = (ApplierStatus){.low_water_lsn = LSN_INVALID};
    if (database_query(target, &row, error,
                       "SELECT state, extract(epoch FROM clock_timestamp() - updated_at), low_water_lsn, "
                       "error ->> 'message', error ->> 'lsn', error ->> 'sqlstate' FROM penstock.applier "
                       "WHERE migration = $1",
                       1, name) != 0) {
        return error_context(error, "reading the applier's state");
    }
    if (PQntuples(row) > 0) {
        out->exists = true;
        snprintf(out->state, sizeof out->state, "%s", PQgetvalue(row, 0, 0));
        out->age = strtod(PQgetvalue(row, 0, 1), NULL);
        if (!lsn_parse(PQgetvalue(row, 0, 2), &out->low_water_lsn)) {
            out->low_water_lsn = LSN_INVALID;
        }
        snprintf(out->message, sizeof out->message, "%s", PQgetvalue(row, 0, 3));
        snprintf(out->sqlstate, sizeof out->sqlstate, "%s", PQgetvalue(row, 0, 5));
        if (!lsn_parse(PQgetvalue(row, 0, 4), &out->blocked_lsn)) {
            out->blocked_lsn = LSN_INVALID;
        }
    }
    PQclear(row);
    return 0;
}
