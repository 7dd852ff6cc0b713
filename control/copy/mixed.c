/*
 * Rows that have more than a gigabyte as text (the server's limit for a row in a COPY: MaxAllocSize, all majors) take at least an
 * eighth of it in binary, as bits do. Compressed by a factor of 255 at most (lz4; pglz reaches less), that is 512 kB, and a row
 * cannot be larger than a page without TOAST.
 *
 * The table in between is unlogged, of the schema penstock, and made and dropped in the transaction of the job. It is written
 * uncompressed: what is compressed is decided by the place.
 */
#include "mixed.h"

#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "text_cast.h"

#define TOAST_LEAST "262144"
#define TEXT_OID 25

/* Generated columns are computed on the target. */
static const char source_sql[] =
    "WITH RECURSIVE mine AS ("
    "  SELECT a.attnum, a.attname, a.atttypid, c.reltoastrelid FROM pg_class c JOIN pg_namespace n ON n.oid "
    "= "
    "c.relnamespace"
    "    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
    "     AND coalesce(to_jsonb(a) ->> 'attgenerated', '') = ''"
    "   WHERE n.nspname = $1 AND c.relname = $2)," FORMAT_TYPES(
        "SELECT m.atttypid FROM mine m") " SELECT m.attname, coalesce(y.portable, false), m.atttypid, "
                                         "format('%I.%I', pn.nspname, p.proname),"
                                         "        y.has_char OR (m.reltoastrelid <> 0 AND "
                                         "coalesce(pg_relation_size(m.reltoastrelid), 0) >= " TOAST_LEAST ")"
                                         "   FROM mine m JOIN types y ON y.type = m.atttypid JOIN pg_type t "
                                         "ON t.oid = m.atttypid"
                                         "   JOIN pg_proc p ON p.oid = t.typoutput JOIN pg_namespace pn ON "
                                         "pn.oid = p.pronamespace"
                                         "  ORDER BY m.attnum";

static const char target_sql[] = "SELECT a.attname, format_type(a.atttypid, NULL), " TEXT_CAST_SQL(
    "b.oid") ", t.typstorage <> 'p'"
             "  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
             "  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
             "  JOIN pg_type t ON t.oid = a.atttypid CROSS JOIN LATERAL (WITH RECURSIVE d AS ("
             "    SELECT y.oid, y.typtype, y.typbasetype FROM pg_type y WHERE y.oid = a.atttypid"
             "    UNION ALL SELECT y.oid, y.typtype, y.typbasetype FROM d JOIN pg_type y ON y.oid = "
             "d.typbasetype WHERE "
             "d.typtype = 'd')"
             "   SELECT d.oid FROM d WHERE d.typtype <> 'd') b"
             " WHERE n.nspname = $1 AND c.relname = $2";

enum { NAME, PORTABLE, TYPE, OUTPUT, MATTERS };
enum { HERE_NAME, HERE_TYPE, HERE_CAST, HERE_STORED };

static bool is_true(const PGresult *rows, int row, int column)
{
    return PQgetvalue(rows, row, column)[0] == 't';
}

static MixedFormat choose(const PGresult *columns)
{
    bool portable = true, matters = false;
    for (int i = 0; i < PQntuples(columns); i++) {
        portable = portable && is_true(columns, i, PORTABLE);
        matters = matters || is_true(columns, i, MATTERS);
    }
    return portable ? MIXED_BINARY : matters ? MIXED_BOTH : MIXED_TEXT;
}

static int row_named(const PGresult *rows, const char *name)
{
    for (int row = 0; row < PQntuples(rows); row++) {
        if (strcmp(PQgetvalue(rows, row, HERE_NAME), name) == 0) {
            return row;
        }
    }
    return -1;
}

/* A column that goes as text. Strict functions: a NULL stays one, also of a composite type, whose IS NULL means something else. */
static void add_text(Mixed *mixed, const char *name, const char *output, const PGresult *here, int row)
{
    text_printf(&mixed->sent, "pg_catalog.textin(%s(", output);
    text_name_add(&mixed->sent, name);
    text_append(&mixed->sent, "))");
    text_append(&mixed->staged, "NULL::pg_catalog.text AS ");
    text_name_add(&mixed->staged, name);
    text_name_add(&mixed->kept, name);
    text_printf(&mixed->kept, "::%s%s", PQgetvalue(here, row, HERE_CAST), PQgetvalue(here, row, HERE_TYPE));
}

static void add_binary(Mixed *mixed, const char *name)
{
    text_name_add(&mixed->sent, name);
    text_name_add(&mixed->staged, name);
    text_name_add(&mixed->kept, name);
}

static void add_column(Mixed *mixed, const PGresult *there, int i, const PGresult *here)
{
    const char *name = PQgetvalue(there, i, NAME);
    int row = row_named(here, name);
    /* What the target lacks is refused in its own words. */
    bool as_text = !is_true(there, i, PORTABLE) && row >= 0;
    Text *lists[] = {&mixed->sent, &mixed->staged, &mixed->kept};
    for (size_t list = 0; i > 0 && list < sizeof lists / sizeof lists[0]; list++) {
        text_append(lists[list], ", ");
    }
    if (as_text) {
        add_text(mixed, name, PQgetvalue(there, i, OUTPUT), here, row);
        mixed->types[i] = TEXT_OID;
    } else {
        add_binary(mixed, name);
    }
    if (as_text || (row >= 0 && is_true(here, row, HERE_STORED))) {
        text_append(&mixed->storage, mixed->storage.size == 0 ? " ALTER " : ", ALTER ");
        text_name_add(&mixed->storage, name);
        text_append(&mixed->storage, " SET STORAGE EXTERNAL");
    }
}

static int build(Database *target, const PGresult *there, const char *place_schema, const char *place,
                 Mixed *mixed, Error *error)
{
    PGresult *here = NULL;
    if (database_query(target, &here, error, target_sql, 2, place_schema, place) != 0) {
        return -1;
    }
    for (int i = 0; i < PQntuples(there); i++) {
        add_column(mixed, there, i, here);
    }
    PQclear(here);
    text_printf(&mixed->staging, "penstock.staging_%d", PQbackendPID(database_connection(target)));
    mixed->table = (TableMixed){.sent = mixed->sent.data,
                                .staging = mixed->staging.data,
                                .staged = mixed->staged.data,
                                .storage = mixed->storage.data,
                                .kept = mixed->kept.data};
    return 0;
}

int mixed_look(Database *source, Database *target, const char *schema, const char *table,
               const char *place_schema, const char *place, Mixed *out, Error *error)
{
    PGresult *there = NULL;
    *out = (Mixed){.format = MIXED_TEXT};
    if (database_query(source, &there, error, source_sql, 2, schema, table) != 0) {
        return error_context(error, "how its columns travel");
    }
    out->format = choose(there);
    out->count = (size_t)PQntuples(there);
    out->types = calloc(out->count + 1, sizeof *out->types);
    if (out->types == NULL) {
        abort();
    }
    for (size_t i = 0; i < out->count; i++) {
        out->types[i] = (uint32_t)strtoul(PQgetvalue(there, (int)i, TYPE), NULL, 10);
    }
    int status = out->format == MIXED_BOTH ? build(target, there, place_schema, place, out, error) : 0;
    PQclear(there);
    return status == 0 ? 0 : error_context(error, "how its columns travel");
}

void mixed_free(Mixed *mixed)
{
    Text *texts[] = {&mixed->sent, &mixed->staging, &mixed->staged, &mixed->storage, &mixed->kept};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        text_free(texts[i]);
    }
    free(mixed->types);
}
