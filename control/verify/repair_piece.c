/*
 * A piece in which very many rows are wrong is copied anew as it is, at a point, as single rows are (repair_batch.c):
 *
 *     target   what is there: key and hash of each row ──► DELETE ──► COPY FROM ──► which rows are others now, listed
 *     source                                                 COPY TO
 *
 * The applier stands for as long as that takes: seconds for a piece of the copy. Rows are told from each other by the hash of their
 * key, and the same ones of a table without a key by their number.
 */
#include <stdlib.h>

#include "number.h"
#include "repair_batch.h"
#include "text.h"

/* "ONLY s.t AS t WHERE …" */
static void append_piece(Text *sql, const RepairTable *table)
{
    text_append(sql, "ONLY ");
    text_qualified_add(sql, table->schema, table->name);
    text_append(sql, " AS t WHERE true");
    query_range_add(sql, &table->range);
}

/* A row for each of the piece: k what is shown of its key, i that and its number among the same, h its hash. */
static void append_hashes(Text *sql, const RepairBatch *batch)
{
    const CompareTable *found = batch->found;
    text_printf(sql,
                "SELECT k, i, pg_catalog.row_number() OVER (PARTITION BY i) AS n, h FROM (SELECT %s AS k, %s "
                "AS i, %s AS h FROM ",
                found->key_shown, found->key_hash, found->row_hash);
    append_piece(sql, batch->table);
    text_append(sql, ") r");
}

static int run_piece(RepairBatch *batch, const char *before, void (*append)(Text *, const RepairBatch *),
                     Error *error)
{
    Text sql = {0};
    text_append(&sql, before);
    append(&sql, batch);
    int status = database_execute(batch->target, error, sql.data, 0);
    text_free(&sql);
    return status;
}

static void append_deleted(Text *sql, const RepairBatch *batch)
{
    append_piece(sql, batch->table);
}

static int copy_piece(RepairBatch *batch, Error *error)
{
    Text from = {0};
    append_piece(&from, batch->table);
    int status = repair_copy(batch, from.data, error);
    text_free(&from);
    return status;
}

/* Rows that the pass has listed are marked, the others added; all are counted. */
static int note(RepairBatch *batch, Error *error)
{
    char *count = NULL;
    Text sql = {0}, object = {0};
    text_printf(&object, "%s.%s", batch->table->schema, batch->table->name);
    text_append(&sql, "WITH now AS (");
    append_hashes(&sql, batch);
    text_append(&sql,
                "), repaired AS (SELECT coalesce(now.k, o.k) AS key, CASE WHEN o.i IS NULL THEN 'inserted'"
                "      WHEN now.i IS NULL THEN 'deleted' ELSE 'replaced' END AS how"
                "    FROM pg_temp.penstock_before o FULL JOIN now ON o.i = now.i AND o.n = now.n"
                "   WHERE o.h IS DISTINCT FROM now.h)" REPAIR_LISTED);
    int status =
        database_value(batch->target, &count, error, sql.data, 2, batch->verify->pass.id, object.data);
    batch->repaired = status == 0 && count != NULL ? strtoll(count, NULL, 10) : 0;
    free(count);
    text_free(&sql);
    text_free(&object);
    return status;
}

int repair_whole(RepairBatch *batch, Error *error)
{
    return run_piece(batch, "CREATE TEMP TABLE penstock_before ON COMMIT DROP AS ", append_hashes, error) ==
                       0 &&
                   run_piece(batch, "DELETE FROM ", append_deleted, error) == 0 &&
                   copy_piece(batch, error) == 0
               ? note(batch, error)
               : -1;
}
