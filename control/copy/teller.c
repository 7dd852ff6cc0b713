/*
 * One row per build, and one row written, every two seconds. The totals are sums over all objects and tables, which for some
 * hundred thousand take a second: they are asked for so seldom that they take a fiftieth of the time at most, whatever the number.
 */
#include "teller.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "query.h"
#include "session.h"
#include "text.h"

#define LIMIT_MS 1000        /* of each question: the main thread asks */
#define TOTALS_LIMIT_MS 5000 /* of the one for totals */
#define TOTALS_SHARE 50      /* its time, and so many times that until it is asked again */
#define BUILDS_SHOWN 8

struct Teller {
    const Copy *copy;
    Database *target;        /* NULL: it could not be had */
    double totals_wanted_at; /* clock_seconds */
};

/*
 * $1: the migration. One row: bytes of indexes, of them made; objects of post-data, of them tried; bytes of keys, of them
 * made; lag of the stream in bytes or null. What was added NOT VALID is not done before its rows have been looked at.
 */
static const char totals_sql[] =
    "SELECT o.*, r.*, (SELECT pg_wal_lsn_diff(source_lsn, low_water_lsn)::int8 FROM penstock.applier"
    "         WHERE migration = $1 AND state = 'streaming' AND updated_at > clock_timestamp() - interval '10 "
    "s')"
    "  FROM (SELECT coalesce(sum(source_bytes) FILTER (WHERE weighs), 0),"
    "               coalesce(sum(source_bytes) FILTER (WHERE weighs AND state <> 'waiting'), 0), count(*),"
    "               count(*) FILTER (WHERE state NOT IN ('waiting', 'building', 'not valid'))"
    "          FROM penstock.schema_object, LATERAL (SELECT source_bytes > 0 AND object_oid NOT IN ("
    "                 SELECT key_object FROM penstock.relation WHERE migration = $1 AND key_bytes > 0)) w "
    "(weighs)"
    "         WHERE migration = $1 AND section = 'post-data') o,"
    "       (SELECT coalesce(sum(key_bytes), 0), coalesce(sum(key_bytes) FILTER (WHERE copy_state = "
    "'copied'), 0)"
    "          FROM penstock.relation WHERE migration = $1 AND key_bytes > 0) r";

/* What sessions of ours build now (from 12 on): what, and how far, from 0 to 1. */
static const char builds_sql[] =
    "SELECT concat('index of ', coalesce(p.relid::regclass::text, '?'), ': ', p.phase),"
    "       CASE WHEN p.blocks_total > 0 THEN p.blocks_done::float8 / p.blocks_total"
    "            WHEN p.tuples_total > 0 THEN p.tuples_done::float8 / p.tuples_total END"
    "  FROM pg_stat_progress_create_index p JOIN pg_stat_activity a ON a.pid = p.pid"
    " WHERE p.datname = current_database() AND a.application_name ~ '^penstock ' ORDER BY a.query_start";

/* The migration is written down when its slot is made: until then there is nothing to say it of. */
static const char write_sql[] =
    "INSERT INTO penstock.copy_progress AS p (migration, said, updated_at)"
    " SELECT name, $2::jsonb, clock_timestamp() FROM penstock.migration WHERE name = $1"
    " ON CONFLICT (migration) DO UPDATE SET said = excluded.said, updated_at = excluded.updated_at";

static int ask_within(Database *target, int limit_ms, const char *sql, const char *const *values, int count,
                      PGresult **out)
{
    Error ignored;
    const Query query = {.sql = sql,
                         .values = values,
                         .count = count,
                         .what = "how far the copy is",
                         .limits = query_within(limit_ms)};
    return query_run(target, &query, out, &ignored);
}

static int ask(Database *target, const char *sql, const char *const *values, int count, PGresult **out)
{
    return ask_within(target, LIMIT_MS, sql, values, count, out);
}

static void take_builds(const Teller *teller)
{
    PGresult *rows = NULL;
    ProgressBuild builds[BUILDS_SHOWN];
    int count = 0;
    if (database_version(teller->target) < 120000 || ask(teller->target, builds_sql, NULL, 0, &rows) != 0) {
        return;
    }
    for (; count < PQntuples(rows) && count < BUILDS_SHOWN; count++) {
        snprintf(builds[count].what, sizeof builds[count].what, "%s", PQgetvalue(rows, count, 0));
        builds[count].share = PQgetisnull(rows, count, 1) ? -1 : strtod(PQgetvalue(rows, count, 1), NULL);
    }
    PQclear(rows);
    progress_builds(teller->copy->progress, builds, count);
}

enum { INDEX_BYTES, INDEXES_DONE, OBJECTS, OBJECTS_DONE, KEY_BYTES, KEYS_DONE, LAG, NUMBERS };

static void take_totals(Teller *teller)
{
    PGresult *row = NULL;
    Progress *progress = teller->copy->progress;
    double began = clock_seconds();
    if (began < teller->totals_wanted_at) {
        return;
    }
    int status =
        ask_within(teller->target, TOTALS_LIMIT_MS, totals_sql, &teller->copy->settings->migration, 1, &row);
    double now = clock_seconds();
    teller->totals_wanted_at = now + TOTALS_SHARE * (now - began);
    if (status != 0) {
        return;
    }
    int64_t numbers[NUMBERS];
    for (int i = 0; i < NUMBERS; i++) {
        numbers[i] = PQgetisnull(row, 0, i) ? -1 : strtoll(PQgetvalue(row, 0, i), NULL, 10);
    }
    progress_indexes(progress, &(ProgressIndexes){.bytes = numbers[INDEX_BYTES],
                                                  .done = numbers[INDEXES_DONE],
                                                  .key_bytes = numbers[KEY_BYTES],
                                                  .keys_done = numbers[KEYS_DONE],
                                                  .lag = numbers[LAG]});
    /* Before the rows the step counts its own objects, in a transaction that nobody else sees. */
    if (numbers[OBJECTS] > 0) {
        progress_objects(progress, numbers[OBJECTS_DONE], numbers[OBJECTS]);
    }
    PQclear(row);
}

static void tell(void *context)
{
    Teller *teller = context;
    PGresult *ignored = NULL;
    if (teller->target == NULL || PQstatus(database_connection(teller->target)) != CONNECTION_OK) {
        return;
    }
    take_totals(teller);
    take_builds(teller);
    char *said = progress_document(teller->copy->progress);
    if (said != NULL) {
        const char *const values[] = {teller->copy->settings->migration, said};
        (void)!ask(teller->target, write_sql, values, 2, &ignored);
        PQclear(ignored);
    }
    free(said);
}

Teller *teller_new(const Copy *copy)
{
    Error ignored;
    Teller *teller = calloc(1, sizeof *teller);
    if (teller == NULL) {
        abort();
    }
    teller->copy = copy;
    if (session_open(copy->settings->target, DATABASE_TARGET, "copy progress", NULL, &teller->target,
                     &ignored) != 0) {
        teller->target = NULL;
    } else {
        (void)!database_execute(teller->target, &ignored, "SET max_parallel_workers_per_gather = 0", 0);
    }
    progress_teller(copy->progress, tell, teller);
    return teller;
}

/* Nobody has to wait until what was said is old. A process that is killed leaves it. */
static void say_nothing_more(const Teller *teller)
{
    PGresult *ignored = NULL;
    if (teller->target != NULL) {
        session_last_words(teller->target);
        (void)!ask(teller->target, "DELETE FROM penstock.copy_progress WHERE migration = $1",
                   &teller->copy->settings->migration, 1, &ignored);
        PQclear(ignored);
    }
}

void teller_free(Teller *teller)
{
    if (teller != NULL) {
        progress_teller(teller->copy->progress, NULL, NULL);
        say_nothing_more(teller);
        database_close(teller->target);
        free(teller);
    }
}

/* --- sizes --- */

/* In the order of the index's OID, behind one, so many at a time. */
#define SIZES_AT_A_TIME 5000

static const char sizes_sql[] =
    "SELECT c.class, c.object, pg_catalog.pg_relation_size(c.index), c.index FROM ("
    "  SELECT 1259 AS class, i.indexrelid AS object, i.indexrelid AS index FROM pg_catalog.pg_index i"
    "   WHERE i.indexrelid >= 16384"
    "  UNION ALL SELECT 2606, k.oid, k.conindid FROM pg_catalog.pg_constraint k WHERE k.contype IN ('p', "
    "'u', "
    "'x') AND k.oid >= 16384) c"
    " WHERE c.index > $1::oid AND c.index <= (SELECT coalesce(max(x.oid), 0) FROM (SELECT x.indexrelid AS oid"
    "    FROM pg_catalog.pg_index x WHERE x.indexrelid > $1::oid AND x.indexrelid >= 16384 ORDER BY 1 "
    "LIMIT " TEXT_OF(SIZES_AT_A_TIME) ") x)"
                                      " ORDER BY c.index";

#define SIZES " FROM unnest($2::oid[], $3::oid[], $4::int8[]) AS u (class, object, bytes)"

static const char weigh_objects_sql[] = "UPDATE penstock.schema_object o SET source_bytes = u.bytes" SIZES
                                        " WHERE o.migration = $1 AND o.section = 'post-data' AND o.class_oid "
                                        "= u.class AND o.object_oid = u.object";

static const char weigh_keys_sql[] =
    "UPDATE penstock.relation r SET key_bytes = u.bytes" SIZES
    " WHERE r.migration = $1 AND r.key_sql IS NOT NULL AND r.key_class = u.class AND r.key_object = u.object";

/* To say how large it is, the server opens the index, and the session keeps that to its end: so it ends. */
static int ask_sizes(const Copy *copy, const char *behind, PGresult **rows, Error *error)
{
    Database *session = NULL;
    int status = session_open(copy->settings->source, DATABASE_SOURCE, "copy sizes", NULL, &session, error);
    if (status == 0) {
        status = database_query(session, rows, error, sizes_sql, 1, behind);
    }
    database_close(session);
    return status;
}

/* Those that are dropped meanwhile have none; what has no byte is not noted. */
static int read_sizes(const Copy *copy, Text arrays[3], Error *error)
{
    char last[16] = "0";
    for (bool more = true; more;) {
        PGresult *rows = NULL;
        if (ask_sizes(copy, last, &rows, error) != 0) {
            return -1;
        }
        int count = PQntuples(rows);
        more = count >= SIZES_AT_A_TIME;
        for (int row = 0; row < count; row++) {
            for (int column = 0; column < 3 && PQgetvalue(rows, row, 2)[0] > '0'; column++) {
                text_array_add(&arrays[column], PQgetvalue(rows, row, column));
            }
        }
        if (more) {
            snprintf(last, sizeof last, "%s", PQgetvalue(rows, count - 1, 3));
        }
        PQclear(rows);
    }
    return 0;
}

int teller_weigh(const Copy *copy, Error *error)
{
    Text arrays[3] = {{0}};
    const char *migration = copy->settings->migration;
    int status = read_sizes(copy, arrays, error);
    for (int column = 0; column < 3; column++) {
        text_array_end(&arrays[column]);
    }
    if (status == 0) {
        status = database_execute(copy->target, error, weigh_objects_sql, 4, migration, arrays[0].data,
                                  arrays[1].data, arrays[2].data);
    }
    if (status == 0) {
        status = database_execute(copy->target, error, weigh_keys_sql, 4, migration, arrays[0].data,
                                  arrays[1].data, arrays[2].data);
    }
    for (int column = 0; column < 3; column++) {
        text_free(&arrays[column]);
    }
    return status == 0 ? 0 : error_context(error, "noting the sizes of indexes");
}
