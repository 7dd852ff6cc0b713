/*
 * First the totals; most tables end there. Of one that differs, the keys are hashed into 4096 buckets with a
 * total each, and only the rows of the first few buckets that differ are fetched and merged by (key, hash).
 */
#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "table_query.h"
#include "text.h"

#define MAX_BUCKETS 16

/* Name, exact type where it is a base type of the system's, whether in the primary key, whether partitioned.
 */
static const char columns_sql[] =
    "WITH RECURSIVE base AS ("
    "  SELECT a.attnum, a.attname, a.atttypid AS type FROM pg_attribute a"
    "   WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped"
    "  UNION ALL SELECT b.attnum, b.attname, t.typbasetype FROM base b JOIN pg_type t ON t.oid = b.type"
    "   WHERE t.typtype = 'd')"
    "SELECT b.attname, CASE WHEN t.typnamespace = 'pg_catalog'::regnamespace THEN t.typname ELSE '' END,"
    "       coalesce(b.attnum = ANY (i.indkey::int2[]), false), c.relkind = 'p',"
    "       pg_encoding_to_char(d.encoding)"
    "  FROM base b JOIN pg_type t ON t.oid = b.type AND t.typtype <> 'd'"
    "  JOIN pg_class c ON c.oid = $1::regclass"
    "  JOIN pg_database d ON d.datname = current_database()"
    "  LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary"
    " ORDER BY b.attnum";

static bool has_column(const PGresult *columns, const char *name)
{
    for (int row = 0; row < PQntuples(columns); row++) {
        if (strcmp(PQgetvalue(columns, row, 0), name) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_partitioned(const PGresult *columns)
{
    return PQntuples(columns) > 0 && *PQgetvalue(columns, 0, 3) == 't';
}

static void note_problem(CompareTable *table, const char *format, const char *what)
{
    if (table->problem == NULL && asprintf(&table->problem, format, what) < 0) {
        abort();
    }
}

/* The subject's strings are borrowed from source. Its columns are the caller's to free. */
static CompareSubject make_subject(CompareTable *table, const PGresult *source, const PGresult *target)
{
    int count = PQntuples(source);
    CompareColumn *columns = calloc((size_t)count + 1, sizeof *columns);
    for (int row = 0; row < count; row++) {
        columns[row] = (CompareColumn){.name = PQgetvalue(source, row, 0),
                                       .type = PQgetvalue(source, row, 1),
                                       .key = *PQgetvalue(source, row, 2) == 't'};
        if (!has_column(target, columns[row].name)) {
            note_problem(table, "column \"%s\" is missing on the target", columns[row].name);
        }
    }
    bool encodings_differ = count > 0 && PQntuples(target) > 0 &&
                            strcmp(PQgetvalue(source, 0, 4), PQgetvalue(target, 0, 4)) != 0 &&
                            strcmp(PQgetvalue(source, 0, 4), "SQL_ASCII") != 0;
    return (CompareSubject){.schema = table->schema,
                            .name = table->name,
                            .partitioned = is_partitioned(source) || is_partitioned(target),
                            .to_utf8 = encodings_differ,
                            .columns = columns,
                            .column_count = (size_t)count};
}

static int compare_totals(ComparePair *pair, const CompareSubject *subject, CompareTable *table, Error *error)
{
    PGresult *source, *target;
    char *sql = query_total(subject);
    int status = pair_query(pair, sql, NULL, &source, &target, error);
    free(sql);
    if (status != 0) {
        return -1;
    }
    table->source_rows = atoll(PQgetvalue(source, 0, 0));
    table->target_rows = atoll(PQgetvalue(target, 0, 0));
    table->equal = table->source_rows == table->target_rows &&
                   strcmp(PQgetvalue(source, 0, 1), PQgetvalue(target, 0, 1)) == 0;
    PQclear(source);
    PQclear(target);
    return 0;
}

/*
 * Was the table, or a partition of it, emptied or rewritten since the snapshot? pg_class is read under the snapshot,
 * pg_relation_filenode tells the file of this moment.
 */
static int check_rewritten(ComparePair *pair, CompareTable *table, Error *error)
{
    char *rewritten = NULL;
    int status = database_value(
        pair->target, &rewritten, error,
        "SELECT count(*) FROM pg_class c WHERE c.relfilenode <> 0"
        "   AND c.relfilenode <> pg_relation_filenode(c.oid)"
        "   AND (c.oid = to_regclass(format('%I.%I', $1::text, $2::text)) OR c.oid IN (SELECT inhrelid"
        "        FROM pg_inherits WHERE inhparent = to_regclass(format('%I.%I', $1::text, $2::text))))",
        2, table->schema, table->name);
    table->rewritten = status == 0 && strcmp(rewritten, "0") != 0;
    free(rewritten);
    if (table->rewritten) {
        note_problem(table, "%s",
                     "emptied or rewritten on the target since the switch: the rows of that moment are gone");
    }
    return status;
}

/* The first buckets that differ, as an array literal; both results are ordered by bucket. */
static Text differing_buckets(const PGresult *source, const PGresult *target)
{
    Text array = {0};
    int s = 0, t = 0;
    for (int found = 0; found < MAX_BUCKETS && (s < PQntuples(source) || t < PQntuples(target));) {
        int left = s < PQntuples(source) ? atoi(PQgetvalue(source, s, 0)) : 1 << 30;
        int right = t < PQntuples(target) ? atoi(PQgetvalue(target, t, 0)) : 1 << 30;
        bool same = left == right && strcmp(PQgetvalue(source, s, 1), PQgetvalue(target, t, 1)) == 0 &&
                    strcmp(PQgetvalue(source, s, 2), PQgetvalue(target, t, 2)) == 0;
        if (!same) {
            char number[16];
            snprintf(number, sizeof number, "%d", left < right ? left : right);
            text_array_add(&array, number);
            found++;
        }
        s += left <= right;
        t += right <= left;
    }
    text_array_end(&array);
    return array;
}

typedef struct Row {
    const char *key;
    const char *hash;
} Row;

static int compare_rows(const void *left, const void *right)
{
    const Row *a = left, *b = right;
    int order = strcmp(a->key, b->key);
    return order != 0 ? order : strcmp(a->hash, b->hash);
}

/* Sorted here, since the servers may sort the same text differently when their encodings differ. */
static Row *sorted_rows(const PGresult *result)
{
    Row *rows = calloc((size_t)PQntuples(result) + 1, sizeof *rows);
    for (int i = 0; i < PQntuples(result); i++) {
        rows[i] = (Row){PQgetvalue(result, i, 0), PQgetvalue(result, i, 1)};
    }
    qsort(rows, (size_t)PQntuples(result), sizeof *rows, compare_rows);
    return rows;
}

/* One side's row that has no equal on the other: joins the entry before when that is the same key's other
 * side. */
static void add_key(CompareTable *table, int max_keys, const char *key, bool on_source)
{
    if (table->key_count > 0) {
        CompareKey *last = &table->keys[table->key_count - 1];
        if (strcmp(last->key, key) == 0 && (on_source ? !last->on_source : !last->on_target)) {
            last->on_source = last->on_target = true;
            return;
        }
    }
    if (table->key_count < (size_t)max_keys) {
        table->keys[table->key_count++] =
            (CompareKey){.key = strdup(key), .on_source = on_source, .on_target = !on_source};
    }
}

static void merge_rows(CompareTable *table, int max_keys, const PGresult *source, const PGresult *target)
{
    Row *left = sorted_rows(source), *right = sorted_rows(target);
    int s = 0, t = 0, source_count = PQntuples(source), target_count = PQntuples(target);
    table->keys = calloc((size_t)max_keys + 1, sizeof *table->keys);
    while (s < source_count || t < target_count) {
        int order = s == source_count ? 1 : t == target_count ? -1 : compare_rows(&left[s], &right[t]);
        if (order != 0) {
            add_key(table, max_keys, order < 0 ? left[s].key : right[t].key, order < 0);
        }
        s += order <= 0;
        t += order >= 0;
    }
    free(left);
    free(right);
}

static int drill_down(ComparePair *pair, const CompareSubject *subject, int max_keys, CompareTable *table,
                      Error *error)
{
    PGresult *source, *target;
    char *sql = query_buckets(subject);
    int status = pair_query(pair, sql, NULL, &source, &target, error);
    free(sql);
    if (status != 0) {
        return -1;
    }
    Text buckets = differing_buckets(source, target);
    PQclear(source);
    PQclear(target);
    sql = query_rows(subject);
    status = pair_query(pair, sql, buckets.data, &source, &target, error);
    free(sql);
    text_free(&buckets);
    if (status != 0) {
        return -1;
    }
    merge_rows(table, max_keys, source, target);
    PQclear(source);
    PQclear(target);
    return 0;
}

/* *there: on both sides. Else table says where it is missing. */
static int describe(ComparePair *pair, CompareTable *table, bool *there, PGresult **source, PGresult **target,
                    Error *error)
{
    bool here = false;
    char *schema = database_quote(table->schema), *name = database_quote(table->name);
    Text qualified = {0};
    text_printf(&qualified, "%s.%s", schema, name);
    free(schema);
    free(name);
    int status = database_found(pair->target, there, error, "SELECT to_regclass($1)", 1, qualified.data);
    if (status == 0) {
        status = database_found(pair->source, &here, error, "SELECT to_regclass($1)", 1, qualified.data);
    }
    if (status == 0 && !here) {
        table->unreadable = true;
        note_problem(table, "%s", "missing at the source: it was dropped or renamed there since the copy");
    } else if (status == 0 && !*there) {
        note_problem(table, "%s", "missing on the target");
    } else if (status == 0) {
        status = pair_query(pair, columns_sql, qualified.data, source, target, error);
    }
    *there = *there && here;
    text_free(&qualified);
    return status;
}

int table_compare(ComparePair *pair, int max_keys, CompareTable *table, Error *error)
{
    PGresult *source = NULL, *target = NULL;
    bool there;
    int status = describe(pair, table, &there, &source, &target, error);
    if (status == 0 && there) {
        CompareSubject subject = make_subject(table, source, target);
        if (table->problem == NULL) {
            status = compare_totals(pair, &subject, table, error);
        }
        if (status == 0 && table->problem == NULL && !table->equal) {
            status = check_rewritten(pair, table, error);
        }
        if (status == 0 && table->problem == NULL && !table->equal && max_keys > 0) {
            status = drill_down(pair, &subject, max_keys, table, error);
        }
        free((void *)subject.columns);
    }
    PQclear(source);
    PQclear(target);
    return status == 0 ? 0 : error_context(error, "comparing %s.%s", table->schema, table->name);
}
