/*
 * Warming up the target before clients are held. Statistics first: a table without any gets bad plans from the first
 * query on. Then the relations of which the source reads most, by its own counters, into the target's shared buffers,
 * as many as fit.
 *
 * Bounded by time: what is not done when the limit passes is left out, and said.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "cutover.h"
#include "steps.h"
#include "text.h"
#include "warm.h"

#define TIMED_OUT "57014" /* query_canceled: our own statement_timeout */

/* Tables of the migration that have rows and no statistics. $1 is the migration. */
#define WITHOUT_STATISTICS                                                                                   \
    " FROM penstock.relation r JOIN pg_class c"                                                              \
    "   ON c.oid = to_regclass(format('%I.%I', r.schema_name, r.table_name))"                                \
    " WHERE r.migration = $1 AND c.relkind IN ('r', 'm') AND pg_relation_size(c.oid) > 0"                    \
    "   AND NOT EXISTS (SELECT FROM pg_statistic s WHERE s.starelid = c.oid)"

/* Tables and indexes in the order in which blocks of them were wanted. */
static const char hot_sql[] =
    "SELECT format('%I.%I', schemaname, relname) FROM ("
    " SELECT schemaname, relname, heap_blks_hit + heap_blks_read AS wanted FROM pg_statio_user_tables"
    " UNION ALL SELECT schemaname, indexrelname, idx_blks_hit + idx_blks_read FROM pg_statio_user_indexes) s"
    " WHERE wanted > 0 ORDER BY wanted DESC LIMIT 1000";

typedef struct Warming {
    Cutover *cutover;
    Database *target; /* of its own: its statements have a limit of their own */
    int64_t deadline;
    int analyzed, prewarmed;
    bool out_of_time;
} Warming;

int warm_without_statistics(Cutover *cutover, char **names, Error *error)
{
    return database_value(
        cutover->target, names, error,
        "SELECT string_agg(format('%I.%I', r.schema_name, r.table_name), ', ')" WITHOUT_STATISTICS, 1,
        cutover->migration.name);
}

/* Runs one statement in the time that is left. Running out of it is no error. */
static int run_in_time(Warming *warming, const char *sql, Error *error)
{
    char limit[64];
    int64_t left = warming->deadline - clock_ms();
    if (interrupted()) {
        return error_set(error, ERROR_INTERRUPTED, "interrupted");
    }
    if (left <= 0) {
        warming->out_of_time = true;
        return 0;
    }
    snprintf(limit, sizeof limit, "SET statement_timeout = %lld", (long long)left);
    if (database_execute(warming->target, error, limit, 0) != 0) {
        return -1;
    }
    int status = database_execute(warming->target, error, sql, 0);
    if (status != 0 && strcmp(error->sqlstate, TIMED_OUT) == 0) {
        *error = (Error){.code = ERROR_NONE};
        warming->out_of_time = true;
        return 0;
    }
    return status;
}

static int analyze(Warming *warming, Error *error)
{
    PGresult *tables;
    if (database_query(warming->target, &tables, error,
                       "SELECT format('ANALYZE %I.%I', r.schema_name, r.table_name)" WITHOUT_STATISTICS
                       " ORDER BY pg_relation_size(c.oid)",
                       1, warming->cutover->migration.name) != 0) {
        return -1;
    }
    int status = 0;
    for (int row = 0; status == 0 && !warming->out_of_time && row < PQntuples(tables); row++) {
        status = run_in_time(warming, PQgetvalue(tables, row, 0), error);
        warming->analyzed += status == 0 && !warming->out_of_time;
    }
    PQclear(tables);
    return status;
}

/* --- pg_prewarm --- */

typedef enum Prewarm { PREWARM_ABSENT, PREWARM_INSTALLED, PREWARM_BORROWED } Prewarm;

/* Schema of pg_prewarm's functions; where it is only available, it is made in ours for as long as it is needed. */
static int find_prewarm(Warming *warming, Prewarm *how, char **schema, Error *error)
{
    char *available = NULL;
    *how = PREWARM_ABSENT;
    *schema = NULL;
    if (database_value(warming->target, schema, error,
                       "SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n"
                       " ON n.oid = e.extnamespace WHERE e.extname = 'pg_prewarm'",
                       0) != 0) {
        return -1;
    }
    if (*schema != NULL) {
        *how = PREWARM_INSTALLED;
        return 0;
    }
    int status = database_value(warming->target, &available, error,
                                "SELECT name FROM pg_available_extensions WHERE name = 'pg_prewarm'", 0);
    if (status == 0 && available != NULL) {
        status = database_execute(warming->target, error, "CREATE EXTENSION pg_prewarm SCHEMA penstock", 0);
        *how = status == 0 ? PREWARM_BORROWED : PREWARM_ABSENT;
        *schema = strdup("penstock");
    }
    free(available);
    return status;
}

/* Names of the target, of those that the source wants most and that fit into the target's shared buffers together. */
static int fitting(Warming *warming, PGresult *hot, PGresult **out, Error *error)
{
    Text names = {0};
    text_append(&names, "");
    for (int row = 0; row < PQntuples(hot); row++) {
        text_printf(&names, "%s%s", row > 0 ? "\n" : "", PQgetvalue(hot, row, 0));
    }
    int status = database_query(
        warming->target, out, error,
        "SELECT name FROM (SELECT name, sum(pg_relation_size(name::regclass)) OVER (ORDER BY place) AS until"
        "  FROM unnest(string_to_array($1, E'\\n')) WITH ORDINALITY AS n (name, place)"
        "  JOIN pg_class c ON c.oid = to_regclass(name) AND c.relkind IN ('r', 'i', 'm')) s"
        " WHERE until <= (SELECT setting::int8 * 8192 FROM pg_settings WHERE name = 'shared_buffers')",
        1, names.data);
    text_free(&names);
    return status;
}

static int prewarm_all(Warming *warming, const char *schema, Error *error)
{
    PGresult *hot, *names = NULL;
    if (database_query(warming->cutover->source, &hot, error, hot_sql, 0) != 0) {
        return -1;
    }
    int status = fitting(warming, hot, &names, error);
    for (int row = 0; status == 0 && !warming->out_of_time && row < PQntuples(names); row++) {
        char sql[512];
        char *name = PQescapeLiteral(database_connection(warming->target), PQgetvalue(names, row, 0),
                                     strlen(PQgetvalue(names, row, 0)));
        snprintf(sql, sizeof sql, "SELECT %s.pg_prewarm(%s)", schema, name);
        PQfreemem(name);
        status = run_in_time(warming, sql, error);
        warming->prewarmed += status == 0 && !warming->out_of_time;
    }
    PQclear(names);
    PQclear(hot);
    return status;
}

static int prewarm(Warming *warming, Prewarm *how, Error *error)
{
    char *schema;
    int status = find_prewarm(warming, how, &schema, error);
    if (status == 0 && *how != PREWARM_ABSENT) {
        status = prewarm_all(warming, schema, error);
    }
    if (status == 0 && *how == PREWARM_BORROWED) {
        status = database_execute(warming->target, error,
                                  "SET statement_timeout = 0; DROP EXTENSION pg_prewarm", 0);
    }
    free(schema);
    return status;
}

int step_warm_up(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    Prewarm how = PREWARM_ABSENT;
    (void)detail;
    if (!cutover->options->warm_up) {
        cutover_note(cutover, "not asked for (--warm-up)");
        return 0;
    }
    Warming warming = {.cutover = cutover,
                       .deadline = clock_ms() + (int64_t)(cutover->options->warm_up_limit * 1000)};
    int status =
        database_connect(cutover->settings->target, DATABASE_TARGET, "warm up", &warming.target, error);
    if (status == 0) {
        status = analyze(&warming, error);
    }
    if (status == 0) {
        status = prewarm(&warming, &how, error);
    }
    database_close(warming.target);
    cutover_note(cutover, "%d tables analyzed, %d relations read%s%s", warming.analyzed, warming.prewarmed,
                 how == PREWARM_ABSENT ? " (the target has no pg_prewarm)" : "",
                 warming.out_of_time ? "; the rest left out, its time was over" : "");
    return status;
}
