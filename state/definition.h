/*
 * What a table was at the source when its rows were copied: its OID, and its columns by number. A name is not enough: a table
 * that is dropped and made anew, or swapped by rename, has the name of the one that was copied and other rows; so has a
 * column. And a column that gets another type has other values in every row, of which nothing is in the stream.
 *
 *     penstock copy   state_columns_sql at the source ──► penstock.relation.source_oid, source_columns
 *     the applier     DEFINITION_COMPARED_SQL, once for each version of a table that it meets ──► definitions_add for new columns
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "database.h"
#include "error.h"
#include "lsn.h"
#include "text.h"

/* A table as the stream describes it. Texts are borrowed, in the connection's client encoding. */
typedef struct Definition {
    const char *schema;
    const char *table;
    uint32_t oid;
    const char *columns; /* an array literal, made by definition_add_column */
} Definition;

/* How it stands to the copied one. Cleared by definitions_clear. */
typedef struct DefinitionFound {
    bool listed; /* a table of that name is part of the migration */
    bool
        other_table; /* … and it is another one: the source's table of that name was made later, or renamed to it */
    bool news;      /* it has columns that are not remembered yet */
    int64_t number; /* penstock.relation.id */
    Lsn copy_lsn;   /* LSN_INVALID: not copied */
    char
        *known_as; /* schema.table under which the very table was listed, when it is not this name; or NULL */
    char *changed; /* a column of that name that is another one now, or has another type; or NULL */
} DefinitionFound;

/* One more column; columns must be ended with text_array_end. */
void definition_add_column(Text *columns, uint32_t number, uint32_t type, int32_t typmod, const char *name);

/* SQL for the same of a table whose OID the SQL expression oid gives: a text[]. */
#define STATE_COLUMNS_SQL(oid)                                                                               \
    "ARRAY(SELECT pg_catalog.concat_ws(':', a.attnum, a.atttypid, a.atttypmod, a.attname)"                   \
    " FROM pg_catalog.pg_attribute a WHERE a.attrelid OPERATOR(pg_catalog.=) " oid                           \
    " AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped ORDER BY a.attnum)"

/*
 * SQL for the name of a column of before, a text[], that is another one in now, or has got a type that may change its
 * values; null when there is none. Longer strings, and numbers with more digits in front, change nothing.
 */
#define STATE_CHANGED_COLUMN_SQL(before, now)                                                                \
    "(SELECT min(b.name) FROM " STATE_COLUMNS_PARTS(before) " b JOIN " STATE_COLUMNS_PARTS(                  \
        now) " n ON n.name = b.name WHERE n.number <> b.number OR NOT ("                                     \
             "n.type = b.type AND (n.typmod = b.typmod OR n.typmod = -1 OR b.typmod <> -1 AND ("             \
             "n.type IN (1043, 1562, 1083, 1114, 1184, 1266) AND n.typmod > b.typmod "                       \
             "OR n.type = 1700 AND (n.typmod - 4) & 65535 = (b.typmod - 4) & 65535 AND n.typmod > "          \
             "b.typmod)) "                                                                                   \
             "OR b.type = 1043 AND n.type = 25))"

#define STATE_COLUMNS_PARTS(columns)                                                                         \
    "(SELECT split_part(c, ':', 1) AS number, split_part(c, ':', 2)::int8 AS type, "                         \
    "split_part(c, ':', 3)::int4 AS typmod, substring(c FROM '^[0-9]+:[0-9]+:-?[0-9]+:(.*)$') AS name "      \
    "FROM unnest(" columns ") AS c)"

/*
 * SQL for two columns of a select list, "changed" and "news", as in DefinitionFound: known, of one that was copied, against now. The parts of columns are looked at only where
 * they are not the very same: nearly nowhere, and it costs more than all the rest.
 */
#define DEFINITION_COMPARED_SQL(known, now)                                                                  \
    "CASE WHEN " known " IS DISTINCT FROM " now " THEN " STATE_CHANGED_COLUMN_SQL(                           \
        known, now) " END AS changed, CASE WHEN " known " IS DISTINCT FROM " now                             \
                    " THEN EXISTS (SELECT FROM " STATE_COLUMNS_PARTS(                                        \
                        now) " n WHERE n.name NOT IN (SELECT name "                                          \
                             "FROM " STATE_COLUMNS_PARTS(known) " b)) ELSE false END AS news "

void definitions_clear(DefinitionFound *found, size_t count);

/* Remembers columns that are new: of each table, by penstock.relation.id, its columns as they are now; two array literals. */
int definitions_add(Database *target, const char *ids, const char *columns, Error *error) MUST_CHECK;

/*
 * The table of that name has to be copied again, since the source has another one of that name, or in that state, from
 * the transaction committed at commit_lsn on. Its OID is the new one's.
 */
int definition_note_replaced(Database *target, const char *migration, const Definition *now, Lsn commit_lsn,
                             const char *reason, Error *error) MUST_CHECK;
