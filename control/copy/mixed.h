/*
 * Tables of which some columns cannot travel in binary: reg* types and what is made of them, tsquery, types without send and
 * receive functions (ltree, cube, isn, ... of 11). A COPY has one format. So the source sends these columns as values of type text,
 * within a COPY in binary; the target takes the rows in a table of its own, and they go from there to their place by an
 * INSERT that reads the text as the type's input function does.
 *
 * That is done where text would not do for the neighbours: where there is a "char" (a byte above 127 is no character), or
 * rows may be so long that the server cannot write them as text. Such a row has much in its table's TOAST; a table with little
 * there goes as text, which needs to be written once, and with FREEZE.
 *
 *     mixed_look ──► shape.mixed, for table_copy_build ──► oids_load for types ──► mixed_free
 */
#pragma once

#include "database.h"
#include "table.h"

typedef enum MixedFormat { MIXED_BINARY, MIXED_TEXT, MIXED_BOTH } MixedFormat;

typedef struct Mixed {
    MixedFormat format;
    TableMixed table; /* of MIXED_BOTH */
    Text sent, staging, staged, storage, kept;
    uint32_t *types; /* of the columns as they are sent in binary: OIDs at the source */
    size_t count;
} Mixed;

/*
 * Looks at the table within the transaction that copies it; search_path has nothing but pg_catalog. schema, table: at the
 * source; place_schema, place: where the rows go on the target. Frees nothing of *out.
 */
int mixed_look(Database *source, Database *target, const char *schema, const char *table,
               const char *place_schema, const char *place, Mixed *out, Error *error) MUST_CHECK;
void mixed_free(Mixed *mixed);
