/*
 * Between claim and hold lies a moment without a lock, in which another claimer may take the job for a dead one's.
 * started_at is the token by which the first one notices: its hold finds no row. In binary: as a text it is what the database's
 * DateStyle and TimeZone make of it, which need not be read as what it was (IST is one in India and one in Israel).
 *
 * The index is over jobs that are not done, by rank. Rows that were claimed leave dead entries in it, which a long
 * transaction of somebody else's keeps there; so each claimer begins where it was, and from the start again only when it
 * found nothing.
 */
#include "jobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"

static const char *const kinds[] = {[JOB_TABLE] = "table", [JOB_TABLES] = "tables", [JOB_PART] = "part"};

static char *number(int64_t value, char out[24])
{
    snprintf(out, 24, "%lld", (long long)value);
    return out;
}

int jobs_totals(Database *target, const char *migration, JobsTotals *out, Error *error)
{
    PGresult *row = NULL;
    if (database_query(target, &row, error,
                       "SELECT r.*, j.* FROM (SELECT count(*), count(*) FILTER (WHERE copy_state = 'copied'),"
                       "       coalesce(sum(source_bytes), 0), coalesce(sum(copied_rows), 0), "
                       "coalesce(sum(copied_bytes), 0)"
                       "  FROM penstock.relation WHERE migration = $1) r,"
                       " (SELECT coalesce(sum(source_bytes) FILTER (WHERE state = 'done'), 0), count(*) "
                       "FILTER (WHERE state <> 'done'),"
                       "       count(*) FILTER (WHERE state = 'pending'), count(DISTINCT snapshot)"
                       "  FROM penstock.job WHERE migration = $1) j",
                       1, migration) != 0) {
        return -1;
    }
    int64_t *const fields[] = {&out->tables, &out->tables_done, &out->source_bytes,
                               &out->rows,   &out->bytes,       &out->source_bytes_done,
                               &out->left,   &out->waiting,     &out->snapshots};
    for (int i = 0; i < 9; i++) {
        *fields[i] = strtoll(PQgetvalue(row, 0, i), NULL, 10);
    }
    PQclear(row);
    return 0;
}

int jobs_left(Database *target, const char *migration, int64_t *out, Error *error)
{
    char *count = NULL;
    if (database_value(target, &count, error,
                       "SELECT count(*) FROM penstock.job WHERE migration = $1 AND state <> 'done'", 1,
                       migration) != 0) {
        return -1;
    }
    *out = count != NULL ? strtoll(count, NULL, 10) : 0;
    free(count);
    return 0;
}

int jobs_any_free(Database *target, const char *migration, bool *found, Error *error)
{
    return database_found(target, found, error,
                          "SELECT 1 FROM penstock.job WHERE migration = $1 AND state <> 'done' LIMIT 1"
                          " FOR UPDATE SKIP LOCKED",
                          1, migration);
}

/* MATERIALIZED: as a plain subquery the choice could be made once per row of a join, and claim several. */
#define CLAIM(state)                                                                                         \
    "WITH next AS MATERIALIZED ("                                                                            \
    "  SELECT id FROM penstock.job WHERE migration = $1 AND rank >= $2::int AND state = '" state "'"         \
    "   ORDER BY rank LIMIT 1 FOR UPDATE SKIP LOCKED),"                                                      \
    " claimed AS (UPDATE penstock.job j SET state = 'running', started_at = clock_timestamp() FROM next"     \
    "  WHERE j.id = next.id RETURNING j.*),"                                                                 \
    " shown AS (UPDATE penstock.relation r SET copy_state = 'copying',"                                      \
    "         started_at = coalesce(r.started_at, clock_timestamp())"                                        \
    "    FROM claimed JOIN penstock.job_relation jr ON jr.job = claimed.id"                                  \
    "   WHERE r.id = jr.relation AND r.copy_state = 'pending')"                                              \
    " SELECT id, kind, rank, first_key, last_key, anew, source_bytes, encode(timestamptz_send(started_at), " \
    "'hex') FROM claimed"

static void read_job(const PGresult *row, Job *out)
{
    *out = (Job){.id = strtoll(PQgetvalue(row, 0, 0), NULL, 10),
                 .rank = number_int(PQgetvalue(row, 0, 2)),
                 .anew = PQgetvalue(row, 0, 5)[0] == 't',
                 .source_bytes = strtoll(PQgetvalue(row, 0, 6), NULL, 10)};
    for (int kind = 0; kind < (int)(sizeof kinds / sizeof *kinds); kind++) {
        if (strcmp(PQgetvalue(row, 0, 1), kinds[kind]) == 0) {
            out->kind = (JobKind)kind;
        }
    }
    snprintf(out->first_key, sizeof out->first_key, "%s", PQgetvalue(row, 0, 3));
    snprintf(out->last_key, sizeof out->last_key, "%s", PQgetvalue(row, 0, 4));
    snprintf(out->token, sizeof out->token, "%s", PQgetvalue(row, 0, 7));
}

static int claim(Database *target, const char *migration, const char *sql, int from, JobsCursor *cursor,
                 Job *out, bool *found, Error *error)
{
    PGresult *row = NULL;
    char rank[24];
    if (database_query(target, &row, error, sql, 2, migration, number(from, rank)) != 0) {
        return -1;
    }
    *found = PQntuples(row) == 1;
    if (*found) {
        read_job(row, out);
        cursor->rank = out->rank;
    }
    PQclear(row);
    return 0;
}

int jobs_claim(Database *target, const char *migration, JobsCursor *cursor, Job *out, bool *found,
               Error *error)
{
    const struct {
        const char *sql;
        int from;
    } tries[] = {{CLAIM("pending"), cursor->rank}, {CLAIM("pending"), 0}, {CLAIM("running"), 0}};
    *found = false;
    for (size_t i = 0; i < sizeof tries / sizeof *tries && !*found; i++) {
        if (claim(target, migration, tries[i].sql, tries[i].from, cursor, out, found, error) != 0) {
            return -1;
        }
    }
    return 0;
}

int jobs_hold(Database *target, const Job *job, bool *held, Error *error)
{
    char id[24];
    return database_found(target, held, error,
                          "SELECT 1 FROM penstock.job WHERE id = $1::int8 AND state = 'running'"
                          "   AND encode(timestamptz_send(started_at), 'hex') = $2 FOR UPDATE SKIP LOCKED",
                          2, number(job->id, id), job->token);
}

int jobs_relations(Database *target, const Job *job, PGresult **rows, Error *error)
{
    char id[24];
    return database_query(
        target, rows, error,
        "SELECT r.id, r.schema_name, r.table_name, r.columns, r.in_binary, r.condition, r.key_sql,"
        "       r.part_column, r.source_bytes, r.source_columns, r.route_schema, r.route_table, "
        "r.column_types, r.part_type, r.part_scan, r.source_oid"
        "  FROM penstock.job_relation jr JOIN penstock.relation r ON r.id = jr.relation"
        " WHERE jr.job = $1::int8 ORDER BY r.source_bytes DESC, r.id",
        1, number(job->id, id));
}

int jobs_tables_copied(Database *target, const char *migration, int snapshot, const char *relations,
                       const char *rows, const char *bytes, Error *error)
{
    char text[24];
    return database_execute(
        target, error,
        "UPDATE penstock.relation r SET copy_state = 'copied', snapshot = $2::int, recopy_lsn = NULL, "
        "recopy_reason = NULL,"
        "       copy_lsn = (SELECT end_lsn FROM penstock.snapshot WHERE migration = $1 AND number = $2::int),"
        "       copied_rows = u.rows, copied_bytes = u.bytes, copied_at = clock_timestamp()"
        "  FROM unnest($3::int8[], $4::int8[], $5::int8[]) AS u (id, rows, bytes) WHERE r.id = u.id",
        5, migration, number(snapshot, text), relations, rows, bytes);
}

/* A table in parts is copied when the last of them is. Locked, so that two that end together see each other. */
static int count_parts(Database *target, const char *id, Error *error)
{
    return database_execute(target, error,
                            "WITH mine AS MATERIALIZED (SELECT r.id FROM penstock.relation r JOIN "
                            "penstock.job_relation jr ON jr.relation = r.id"
                            "               WHERE jr.job = $1::int8 FOR UPDATE OF r)"
                            " SELECT id FROM mine",
                            1, id) != 0
               ? -1
               : database_execute(
                     target, error,
                     "UPDATE penstock.relation r SET copied_rows = p.rows, copied_bytes = p.bytes,"
                     "       copy_state = CASE WHEN p.left > 0 THEN 'copying' ELSE 'copied' END,"
                     "       copy_lsn = CASE WHEN p.left = 0 THEN p.end_lsn END, recopy_lsn = NULL, "
                     "recopy_reason = NULL,"
                     "       copied_at = CASE WHEN p.left = 0 THEN clock_timestamp() END"
                     "  FROM (SELECT jr.relation, sum(j.rows) AS rows, sum(j.bytes) AS bytes, max(s.end_lsn) "
                     "AS end_lsn,"
                     "               count(*) FILTER (WHERE j.state <> 'done') AS left"
                     "          FROM penstock.job_relation mine JOIN penstock.job_relation jr ON jr.relation "
                     "= mine.relation"
                     "          JOIN penstock.job j ON j.id = jr.job"
                     "          LEFT JOIN penstock.snapshot s ON s.migration = j.migration AND s.number = "
                     "j.snapshot"
                     "         WHERE mine.job = $1::int8 GROUP BY 1) p"
                     " WHERE r.id = p.relation",
                     1, id);
}

int jobs_done(Database *target, const Job *job, int snapshot, int64_t rows, int64_t bytes, Error *error)
{
    char id[24], texts[3][24];
    if (database_execute(
            target, error,
            "UPDATE penstock.job SET state = 'done', snapshot = $2::int, rows = $3::int8, bytes = $4::int8,"
            "       anew = false, error = NULL, ended_at = clock_timestamp() WHERE id = $1::int8",
            4, number(job->id, id), number(snapshot, texts[0]), number(rows, texts[1]),
            number(bytes, texts[2])) != 0) {
        return -1;
    }
    return job->kind == JOB_PART ? count_parts(target, id, error) : 0;
}

int jobs_return(Database *target, const Job *job, const char *why, Error *error)
{
    char id[24];
    return database_execute(target, error,
                            "UPDATE penstock.job SET state = 'pending', error = $3 WHERE id = $1::int8"
                            "   AND state = 'running' AND encode(timestamptz_send(started_at), 'hex') = $2",
                            3, number(job->id, id), job->token, why);
}
