/*
 *     target   BEGIN, lock the point ──► DELETE by keys ──► COPY FROM ──► note each row, COMMIT
 *     source   BEGIN, snapshot ─────────────────────────► COPY TO by keys ──► COMMIT
 *
 * Keys are given as text and cast to the types of the columns. Rows without a key are known by their hash, so that both tables
 * are read whole: only small ones are repaired like that. The session on the target is a replica: no trigger fires.
 */
#include "repair_batch.h"

#include <stdlib.h>

#include "exported.h"
#include "relay.h"
#include "text.h"

#define STALL_SECONDS 60

static void append_table(Text *sql, const RepairTable *table)
{
    text_qualified_add(sql, table->schema, table->name);
}

/* The key's columns and their types, as they are in the database: a row each. */
static int read_key(Database *database, const RepairTable *table, PGresult **out, Error *error)
{
    return database_query(
        database, out, error,
        "SELECT a.attname, pg_catalog.format_type(a.atttypid, -1)"
        "  FROM pg_catalog.pg_attribute a, (SELECT i.indkey FROM pg_catalog.pg_index i"
        "         WHERE i.indrelid = pg_catalog.to_regclass(pg_catalog.format('%I.%I', $1::text, $2::text))"
        "           AND (i.indisprimary OR i.indisreplident) ORDER BY i.indisprimary DESC LIMIT 1) k"
        " WHERE a.attrelid = pg_catalog.to_regclass(pg_catalog.format('%I.%I', $1::text, $2::text))"
        "   AND a.attnum = ANY (k.indkey::int2[]) AND NOT a.attisdropped ORDER BY a.attnum",
        2, table->schema, table->name);
}

/* " WHERE ROW(a, b) = ANY …": the rows of these keys. */
static void append_by_keys(Text *sql, const PGresult *key, const CompareTable *found)
{
    text_append(sql, " WHERE (");
    for (int i = 0; i < PQntuples(key); i++) {
        text_append(sql, i > 0 ? ", t." : "t.");
        text_name_add(sql, PQgetvalue(key, i, 0));
    }
    text_append(sql, ") IN (VALUES ");
    for (size_t row = 0; row < found->key_count; row++) {
        text_append(sql, row > 0 ? ", (" : "(");
        for (int i = 0; i < PQntuples(key); i++) {
            text_append(sql, i > 0 ? ", " : "");
            text_literal_add(sql, found->keys[row].parts[i]);
            text_printf(sql, "::%s", PQgetvalue(key, i, 1));
        }
        text_append(sql, ")");
    }
    text_append(sql, ")");
}

/* How often each row is too many on the target, or is missing there, by its hash: rows of a VALUES. */
static bool append_counts(Text *sql, const CompareTable *found, bool missing)
{
    bool any = false;
    for (size_t row = 0; row < found->key_count; row++) {
        const CompareKey *key = &found->keys[row];
        if (missing ? key->on_source : key->on_target) {
            text_printf(sql, "%s(%s::int8)", any ? ", " : "", key->hash);
            any = true;
        }
    }
    return any;
}

/* " WHERE ctid IN …" of a table without a key, or false when there is none to take. hash is the row's, over t. */
static bool append_by_hash(Text *sql, const RepairTable *table, const char *hash, const CompareTable *found,
                           bool missing)
{
    Text counts = {0};
    bool any = append_counts(&counts, found, missing);
    if (any) {
        text_printf(
            sql,
            " WHERE %s IN (SELECT %s FROM (SELECT t.leaf, t.ctid, h, row_number() OVER (PARTITION BY h) AS n"
            " FROM (SELECT t.tableoid AS leaf, t.ctid, %s AS h FROM %s",
            table->routed ? "(t.tableoid, t.ctid)" : "t.ctid", table->routed ? "n.leaf, n.ctid" : "n.ctid",
            hash, table->routed ? "" : "ONLY ");
        append_table(sql, table);
        text_printf(sql,
                    " AS t) t) n JOIN (SELECT h, count(*) AS most FROM (VALUES %s) v (h) GROUP BY h) w"
                    " ON w.h = n.h WHERE n.n <= w.most)",
                    counts.data);
    }
    text_free(&counts);
    return any;
}

/* "ONLY s.t AS t WHERE …": the rows that were found, at the source or on the target. False: there are none on that side. */
static bool append_found(Text *sql, const RepairBatch *batch, const PGresult *key, const char *hash,
                         bool source)
{
    text_append(sql, batch->table->routed ? "" : "ONLY ");
    append_table(sql, batch->table);
    text_append(sql, " AS t");
    if (PQntuples(key) > 0) {
        append_by_keys(sql, key, batch->found);
        return true;
    }
    return append_by_hash(sql, batch->table, hash, batch->found, source);
}

static int delete_rows(RepairBatch *batch, const PGresult *key, const char *hash, Error *error)
{
    Text sql = {0};
    text_append(&sql, "DELETE FROM ");
    bool any = append_found(&sql, batch, key, hash, false);
    int status = any ? database_execute(batch->target, error, sql.data, 0) : 0;
    text_free(&sql);
    return status;
}

static int relay(RepairBatch *batch, const char *out, const char *in, Error *error)
{
    const SessionWait wait = {.limit_seconds = STALL_SECONDS, .what = "repairing rows"};
    RelayCount count = {0};
    _Atomic int64_t moving = 0;
    const RelayRoute route = {.wait = &wait, .moving = &moving};
    return database_execute(batch->target, error, in, 0) == 0 &&
                   database_execute(batch->source, error, out, 0) == 0
               ? relay_rows(batch->source, batch->target, &route, &count, error)
               : -1;
}

int repair_copy(RepairBatch *batch, const char *from, Error *error)
{
    const RepairTable *table = batch->table;
    const char *format = table->binary ? " WITH (FORMAT binary)" : "";
    Text out = {0}, in = {0};
    text_printf(&out, "COPY (SELECT %s FROM %s) TO STDOUT%s", table->columns, from, format);
    text_append(&in, "COPY ");
    append_table(&in, table);
    text_printf(&in, table->columns[0] != '\0' ? " (%s) FROM STDIN%s" : "%s FROM STDIN%s", table->columns,
                format);
    int status = relay(batch, out.data, in.data, error);
    text_free(&out);
    text_free(&in);
    return status;
}

static int copy_rows(RepairBatch *batch, const PGresult *key, const char *hash, Error *error)
{
    Text from = {0};
    bool any = append_found(&from, batch, key, hash, true);
    int status = any ? repair_copy(batch, from.data, error) : 0;
    text_free(&from);
    return status;
}

/* Rows that the pass has listed are marked, the others added. */
static int note(RepairBatch *batch, Error *error)
{
    char *count = NULL;
    Text object = {0}, keys = {0}, kinds = {0};
    const CompareTable *found = batch->found;
    text_printf(&object, "%s.%s", found->schema, found->name);
    for (size_t i = 0; i < found->key_count; i++) {
        const CompareKey *key = &found->keys[i];
        text_array_add(&keys, key->key);
        text_array_add(&kinds, key->on_source && key->on_target ? "replaced"
                               : key->on_source                 ? "inserted"
                                                                : "deleted");
    }
    text_array_end(&keys);
    text_array_end(&kinds);
    int status = database_value(
        batch->target, &count, error,
        "WITH repaired AS (SELECT * FROM unnest($3::text[], $4::text[]) AS u (key, how))" REPAIR_LISTED, 4,
        batch->verify->pass.id, object.data, keys.data, kinds.data);
    free(count);
    text_free(&object);
    text_free(&keys);
    text_free(&kinds);
    return status;
}

/* Rows are found by the index of their key, whatever the planner thinks. */
static int set_up(RepairBatch *batch, const PGresult *key, Error *error)
{
    static const char by_index[] = "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; "
                                   "SET LOCAL enable_mergejoin = off; SET LOCAL enable_bitmapscan = off";
    return PQntuples(key) == 0 || (database_execute(batch->source, error, by_index, 0) == 0 &&
                                   database_execute(batch->target, error, by_index, 0) == 0)
               ? 0
               : -1;
}

static int work(RepairBatch *batch, Error *error)
{
    PGresult *key = NULL;
    if (read_key(batch->source, batch->table, &key, error) != 0) {
        return -1;
    }
    int status = set_up(batch, key, error) == 0 &&
                         delete_rows(batch, key, batch->found->row_hash, error) == 0 &&
                         copy_rows(batch, key, batch->found->row_hash, error) == 0
                     ? note(batch, error)
                     : -1;
    PQclear(key);
    return status;
}

static int begin(RepairBatch *batch, const char *exported, int64_t point, bool *stands, Error *error)
{
    return exported_adopt(batch->source, exported, error) == 0 &&
                   database_execute(batch->target, error, "BEGIN", 0) == 0
               ? pairs_lock_point(batch->target, batch->verify->settings->migration, point, stands, error)
               : -1;
}

int repair_batch(void *context, const char *exported, int64_t point, Error *error)
{
    RepairBatch *batch = context;
    bool stands = false;
    if (begin(batch, exported, point, &stands, error) != 0) {
        return -1;
    }
    int status = !stands ? 0 : batch->whole ? repair_whole(batch, error) : work(batch, error);
    const char *how = status == 0 && stands ? "COMMIT" : "ROLLBACK";
    Error later;
    if (database_execute(batch->target, status == 0 ? error : &later, how, 0) != 0 ||
        database_execute(batch->source, status == 0 ? error : &later, "ROLLBACK", 0) != 0) {
        return -1;
    }
    batch->repaired = status != 0 || !stands ? 0
                      : batch->whole         ? batch->repaired
                                             : (int64_t)batch->found->key_count;
    return status == 0 ? 0
                       : error_context(error, "repairing %s.%s", batch->table->schema, batch->table->name);
}
