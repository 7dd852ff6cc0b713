/*
 * Questions to the rows, each a query that the source writes itself from its catalogs. Only tables that are small enough are read,
 * the smallest first, within limits of the server's and of ours; what is left is counted.
 */
#include "check.h"
#include "sql.h"

#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "number.h"
#include "plan.h"
#include "text.h"

#define MOST_PAGES "12800" /* 100 MB */
#define FEW_PAGES "128"    /* 1 MB: answered in no time, so that several are asked at once */
#define TOGETHER 50
#define LARGE_TOAST "268435456"
#define LARGE_CHUNK "131072" /* of about 2 kB: 256 MB as it is stored */
#define ONE_LIMIT "3s"
#define ALL_LIMIT_MS 10000

#define TABLE "format('%I.%I', t.nspname, t.relname)"
#define MADE_NOT_VALID                                                                                       \
    "format('ALTER TABLE %I.%I DROP CONSTRAINT %I, ADD CONSTRAINT %I %s NOT VALID', t.nspname, t.relname, "  \
    "k.conname, k.conname, pg_get_constraintdef(k.oid))"

/*
 * Of foreign keys, by the operators that the key itself compares with. One that points to a partitioned table has another one below
 * it for each partition (12 and newer), which holds for the rows that point into that alone.
 */
#define FOREIGN_KEYS                                                                                         \
    "SELECT concat(" TABLE ", ' ', k.conname) AS object, 'a row refers to none' AS detail, " MADE_NOT_VALID  \
    " AS fix, format('SELECT 1 FROM ONLY %I.%I f WHERE %s AND NOT EXISTS (SELECT FROM %s%I.%I p WHERE %s) "  \
    "LIMIT 1', t.nspname, t.relname, (SELECT string_agg(format('f.%I IS NOT NULL', a.attname), ' AND ') "    \
    "FROM unnest(k.conkey) u (n) JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n), CASE "  \
    "WHEN r.relkind = 'p' THEN '' ELSE 'ONLY ' END, rn.nspname, r.relname, (SELECT "                         \
    "string_agg(format('p.%I OPERATOR(%I.%s) f.%I', b.attname, os.nspname, o.oprname, a.attname), ' AND ') " \
    "FROM unnest(k.conkey, k.confkey, k.conpfeqop) u (f, p, o) JOIN pg_attribute a ON a.attrelid = "         \
    "k.conrelid AND a.attnum = u.f JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = u.p JOIN " \
    "pg_operator o ON o.oid = u.o JOIN pg_namespace os ON os.oid = o.oprnamespace)) AS query, t.relpages + " \
    "r.relpages AS pages FROM t JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype = 'f' AND "         \
    "k.convalidated AND NOT EXISTS (SELECT FROM pg_constraint above WHERE above.oid = k.conparentid AND "    \
    "above.conrelid = k.conrelid) JOIN pg_class r ON r.oid = k.confrelid JOIN pg_namespace rn ON rn.oid = "  \
    "r.relnamespace"

#define CHECKS                                                                                               \
    "SELECT concat(" TABLE ", ' ', k.conname), 'a row does not fulfil it', " MADE_NOT_VALID ", "             \
    "format('SELECT 1 FROM ONLY %I.%I WHERE NOT (%s) LIMIT 1', t.nspname, t.relname, pg_get_expr(k.conbin, " \
    "k.conrelid)), t.relpages FROM t JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype = 'c' AND "    \
    "k.convalidated"

/* A unique index of text may have been broken by a change of the locale's rules: the rows are asked, not the index. */
#define KEYS                                                                                                 \
    "SELECT concat(" TABLE ", ' ', x.relname), 'two rows have the same key', NULL, format('SELECT 1 FROM "   \
    "ONLY %I.%I WHERE %s GROUP BY %s HAVING count(*) > 1 LIMIT 1', t.nspname, t.relname, (SELECT "           \
    "string_agg(format('%I IS NOT NULL', a.attname), ' AND ') FROM pg_attribute a WHERE a.attrelid = t.oid " \
    "AND a.attnum = ANY (i.indkey)), (SELECT string_agg(quote_ident(a.attname::text), ', ') FROM "           \
    "pg_attribute a WHERE a.attrelid = t.oid AND a.attnum = ANY (i.indkey))), t.relpages FROM t JOIN "       \
    "pg_index i ON i.indrelid = t.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND "         \
    "i.indexprs IS NULL AND i.indnkeyatts = i.indnatts JOIN pg_class x ON x.oid = i.indexrelid WHERE "       \
    "EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attnum = ANY (i.indkey) AND "         \
    "a.attcollation <> 0)"

/* Rows of object, what is wrong when the query finds something, the statement that mends it, the query, whether it is soon answered. */
static const char constraint_queries[] =
    "WITH t AS (SELECT c.oid, n.nspname, c.relname, c.relpages FROM " USER_RELATIONS
    " WHERE c.relkind = 'r' AND "
    "c.relpersistence <> 't'), q AS (" FOREIGN_KEYS " UNION ALL " CHECKS " UNION ALL " KEYS ") "
    "SELECT object, detail, fix, CASE WHEN pages <= " MOST_PAGES " THEN query END, pages <= " FEW_PAGES
    " FROM q ORDER BY pages, object";

static const char toast_queries[] =
    "SELECT " RELATION_NAME
    ", 'has a value of more than 256 MB as it is stored', NULL, format('SELECT 1 FROM %s "
    "WHERE chunk_seq = " LARGE_CHUNK " LIMIT 1', x.oid::regclass), false FROM " USER_RELATIONS
    " JOIN pg_class x ON x.oid = c.reltoastrelid WHERE pg_relation_size(x.oid) > " LARGE_TOAST " ORDER BY 1";

/* In a session of their own. */
static const char prepare[] =
    "SET statement_timeout = '" ONE_LIMIT "'; SET lock_timeout = '1s'; SET "
    "enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off";

/* Whether there is an answer to query number i, and which. */
static bool ask_one(Database *session, PGresult *queries, int i, int64_t deadline, bool *found, Error *error)
{
    return !PQgetisnull(queries, i, 3) && clock_ms() <= deadline &&
           database_found(session, found, error, PQgetvalue(queries, i, 3), 0) == 0;
}

/* How many from number i on go together. */
static int count_together(const PGresult *queries, int i)
{
    int count = 0;
    while (count < TOGETHER && i + count < PQntuples(queries) && !PQgetisnull(queries, i + count, 3) &&
           PQgetvalue(queries, i + count, 4)[0] == 't') {
        count++;
    }
    return count;
}

/* One way there and back for count queries. False when there is no answer: then each is asked by itself. */
static bool ask_together(Database *session, const PGresult *queries, int i, int count, bool *found)
{
    Text sql = {0};
    PGresult *rows = NULL;
    Error refused;
    for (int n = 0; n < count; n++) {
        text_printf(&sql, "%sSELECT %d WHERE EXISTS (%s)", n > 0 ? " UNION ALL " : "", n,
                    PQgetvalue(queries, i + n, 3));
    }
    bool answered = count > 1 && database_query(session, &rows, &refused, sql.data, 0) == 0;
    for (int n = 0; answered && n < PQntuples(rows); n++) {
        found[number_int(PQgetvalue(rows, n, 0))] = true;
    }
    PQclear(rows);
    text_free(&sql);
    return answered;
}

static void add_found(json_t *findings, const PGresult *queries, int i)
{
    finding_add(findings, PQgetvalue(queries, i, 0), PQgetvalue(queries, i, 1),
                PQgetisnull(queries, i, 2) ? NULL : PQgetvalue(queries, i, 2));
}

static int ask_each(Database *session, PGresult *queries, int i, int64_t deadline, json_t *findings,
                    size_t *left, Error *error)
{
    bool found = false;
    Error refused = {.code = ERROR_NONE};
    if (!ask_one(session, queries, i, deadline, &found, &refused)) {
        ++*left;
    }
    if (refused.code == ERROR_CONNECTION) {
        *error = refused;
        return -1;
    }
    if (found) {
        add_found(findings, queries, i);
    }
    return 0;
}

static int ask_all(Database *session, PGresult *queries, json_t *findings, size_t *left, Error *error)
{
    int64_t deadline = clock_ms() + ALL_LIMIT_MS;
    for (int i = 0, count; i < PQntuples(queries); i += count) {
        bool found[TOGETHER] = {false};
        if (interrupted()) {
            return error_set(error, ERROR_INTERRUPTED, "interrupted");
        }
        count = clock_ms() <= deadline ? count_together(queries, i) : 0;
        bool answered = ask_together(session, queries, i, count, found);
        count = count > 0 ? count : 1;
        for (int n = 0; n < count; n++) {
            if (found[n]) {
                add_found(findings, queries, i + n);
            }
            if (!answered && ask_each(session, queries, i + n, deadline, findings, left, error) != 0) {
                return -1;
            }
        }
    }
    return 0;
}

static int ask(CheckContext *context, const char *list, json_t *findings, size_t *left, Error *error)
{
    Database *session = NULL;
    PGresult *queries = NULL;
    if (database_query(context->source, &queries, error, list, 0) != 0) {
        return -1;
    }
    int status = 0;
    if (PQntuples(queries) > 0) {
        status = database_connect(context->settings->source, DATABASE_SOURCE, "check", &session, error);
        if (status == 0) {
            status = database_execute(session, error, prepare, 0);
        }
        if (status == 0) {
            status = ask_all(session, queries, findings, left, error);
        }
        database_close(session);
    }
    PQclear(queries);
    return status;
}

int probe_constraints(CheckContext *context, json_t *findings, Error *error)
{
    return ask(context, constraint_queries, findings, &context->constraints_left, error);
}

int probe_large_values(CheckContext *context, json_t *findings, Error *error)
{
    return ask(context, toast_queries, findings, &context->toast_left, error);
}

static void add_left(json_t *findings, const char *what, size_t count)
{
    char text[32];
    snprintf(text, sizeof text, "%zu", count);
    if (count > 0) {
        finding_add(findings, what, text, NULL);
    }
}

int probe_not_looked_at(CheckContext *context, json_t *findings, Error *error)
{
    (void)error;
    add_left(findings, "constraints of large tables", context->constraints_left);
    add_left(findings, "tables with large values", context->toast_left);
    return 0;
}

int probe_uncut(CheckContext *context, json_t *findings, Error *error)
{
    PGresult *rows = NULL;
    int part_mb = context->request->part_mb > 0 ? context->request->part_mb : PLAN_PART_MB;
    if (plan_find_uncut(context->source, context->target, part_mb, &rows, error) != 0) {
        return -1;
    }
    for (int i = 0; i < PQntuples(rows); i++) {
        int64_t bytes = strtoll(PQgetvalue(rows, i, 1), NULL, 10),
                minutes = bytes / CONNECTION_BYTES_PER_SECOND / 60;
        char detail[400];
        snprintf(detail, sizeof detail, "%.1f GB, about %lld h %02lld min: %.250s", (double)bytes / 1e9,
                 (long long)(minutes / 60), (long long)(minutes % 60), PQgetvalue(rows, i, 2));
        finding_add(findings, PQgetvalue(rows, i, 0), detail, NULL);
    }
    PQclear(rows);
    return 0;
}
