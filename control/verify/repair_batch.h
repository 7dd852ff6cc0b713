/*
 * Some rows of one table, or all of a piece of it, repaired at one point.
 */
#pragma once

#include "compare.h"
#include "database.h"
#include "table_query.h"
#include "verify.h"

typedef struct RepairTable {
    const char *schema, *name;
    const char *columns; /* that are copied: quoted, with commas between */
    bool binary;         /* they travel in binary */
    QueryRange range;    /* of a piece */
    bool routed;         /* a partitioned table, whose leaves may hold other rows on either side */
} RepairTable;

typedef struct RepairBatch {
    const Verify *verify;
    Database *source, *target; /* the sessions that repair */
    const RepairTable *table;
    const CompareTable *found; /* with keys and their parts */
    bool whole;                /* not these keys, but all of the piece is copied anew */
    int64_t repaired;          /* comes out */
} RepairBatch;

/* repair_piece.c: all of the piece, in the transactions that are open. */
int repair_whole(RepairBatch *batch, Error *error) MUST_CHECK;

/* Copies the table's rows out of the source into the target; which of them: what follows on FROM. */
int repair_copy(RepairBatch *batch, const char *from, Error *error) MUST_CHECK;

/*
 * Parts of a WITH behind one that gives key and how of each repaired row as `repaired`: rows that the pass ($1) has listed of the
 * object ($2) are marked, the others added. The same row may be there several times, and one may be listed by several columns.
 */
#define REPAIR_LISTED                                                                                        \
    ", done AS MATERIALIZED (SELECT key, how, row_number() OVER (PARTITION BY key) AS m FROM repaired),"     \
    " before AS (SELECT id, key, CASE WHEN column_name IS NULL THEN row_number() OVER (PARTITION BY key,"    \
    "      column_name IS NULL ORDER BY id) ELSE 1 END AS m FROM penstock.verify_difference"                 \
    "    WHERE pass = $1::int8 AND kind = 'row' AND object = $2 AND repaired IS NULL),"                      \
    " listed AS (UPDATE penstock.verify_difference d SET repaired = done.how FROM before b JOIN done"        \
    "      ON done.key = b.key AND done.m = b.m WHERE d.id = b.id RETURNING b.key, b.m),"                    \
    " added AS (INSERT INTO penstock.verify_difference (pass, kind, object, key, source, target, repaired)"  \
    "   SELECT $1::int8, 'row', $2, key, CASE WHEN how <> 'deleted' THEN 'there' END,"                       \
    "          CASE WHEN how <> 'inserted' THEN 'there' END, how FROM done"                                  \
    "    WHERE NOT EXISTS (SELECT FROM listed l WHERE l.key = done.key AND l.m = done.m)),"                  \
    " counted AS (UPDATE penstock.verify_pass SET repaired = repaired + (SELECT count(*) FROM done)"         \
    "   WHERE id = $1::int8)"                                                                                \
    " SELECT count(*) FROM done"

/* A PairsWork whose context is a RepairBatch. */
int repair_batch(void *batch, const char *exported, int64_t point, Error *error) MUST_CHECK;
