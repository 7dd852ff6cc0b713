/*
 * One query on each side for the tables of a job. Columns come in the order of tables and of names, and are walked along each
 * other; those whose types are written the same need no closer look.
 */
#include "bent.h"

#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "text.h"

/* A type and, where it is a domain, what is beneath: c is the column. */
#define BASE                                                                                                 \
    " CROSS JOIN LATERAL (WITH RECURSIVE d AS ("                                                             \
    "   SELECT y.oid, y.typname, y.typtype, y.typbasetype, y.typtypmod, y.typreceive, -1 AS modifier"        \
    "     FROM pg_catalog.pg_type y WHERE y.oid = c.atttypid"                                                \
    "   UNION ALL SELECT y.oid, y.typname, y.typtype, y.typbasetype, y.typtypmod, y.typreceive,"             \
    "          CASE d.typtypmod WHEN -1 THEN d.modifier ELSE d.typtypmod END"                                \
    "     FROM d JOIN pg_catalog.pg_type y ON y.oid = d.typbasetype WHERE d.typtype = 'd')"                  \
    "  SELECT * FROM d WHERE typtype <> 'd') b"

#define COLUMNS_OF_TABLES                                                                                    \
    " FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS a (s, t, n)"                                    \
    "  JOIN pg_catalog.pg_namespace n ON n.nspname = a.s::name"                                              \
    "  JOIN pg_catalog.pg_class r ON r.relnamespace = n.oid AND r.relname = a.t::name"                       \
    "  JOIN pg_catalog.pg_attribute c ON c.attrelid = r.oid AND c.attnum > 0 AND NOT c.attisdropped"         \
    "  JOIN pg_catalog.pg_type t ON t.oid = c.atttypid"                                                      \
    "  JOIN pg_catalog.pg_namespace tn ON tn.oid = t.typnamespace" BASE                                      \
    " ORDER BY a.n, c.attname::text COLLATE pg_catalog.\"C\""

#define SHARED "SELECT a.n, c.attname, pg_catalog.format_type(c.atttypid, c.atttypmod), b.oid, "

static const char source_sql[] = SHARED "c.atttypmod, c.atttypid, tn.nspname, t.typname, b.oid >= 10000 OR "
                                        "b.typname LIKE 'reg%'" COLUMNS_OF_TABLES;

static const char target_sql[] =
    SHARED "CASE WHEN b.oid <> c.atttypid THEN b.modifier ELSE c.atttypmod END,"
           " pg_catalog.concat('\"', pg_catalog.replace(tn.nspname, '\"', '\"\"'), '\".\"',"
           "                   pg_catalog.replace(t.typname, '\"', '\"\"'), '\"'),"
           " EXISTS (SELECT FROM pg_catalog.pg_proc p WHERE p.oid = b.typreceive AND p.prosrc IN "
           "('enum_recv', 'textrecv'))" COLUMNS_OF_TABLES;

enum { TABLE, NAME, WRITTEN, BASE_TYPE, TYPMOD };
enum { SOURCE_TYPE = TYPMOD + 1, SOURCE_SCHEMA, SOURCE_NAME, SOURCE_IS_TEXT };
enum { TARGET_CAST = TYPMOD + 1, TARGET_TAKES_TEXT };

static uint32_t oid_of(const PGresult *rows, int row, int column)
{
    return (uint32_t)strtoul(PQgetvalue(rows, row, column), NULL, 10);
}

static int number_of(const PGresult *rows, int row, int column)
{
    return number_int(PQgetvalue(rows, row, column));
}

static char *loss_of(const PGresult *source, int i, const PGresult *target, int j)
{
    const FitSource from = {.type = oid_of(source, i, SOURCE_TYPE),
                            .base_type = oid_of(source, i, BASE_TYPE),
                            .typmod = number_of(source, i, TYPMOD),
                            .type_schema = PQgetvalue(source, i, SOURCE_SCHEMA),
                            .type_name = PQgetvalue(source, i, SOURCE_NAME),
                            .is_text = PQgetvalue(source, i, SOURCE_IS_TEXT)[0] == 't'};
    const FitTarget to = {.base_type = oid_of(target, j, BASE_TYPE),
                          .typmod = number_of(target, j, TYPMOD),
                          .cast = PQgetvalue(target, j, TARGET_CAST),
                          .takes_text = PQgetvalue(target, j, TARGET_TAKES_TEXT)[0] == 't'};
    return strcmp(PQgetvalue(source, i, WRITTEN), PQgetvalue(target, j, WRITTEN)) == 0 ? NULL
                                                                                       : fit_loss(&from, &to);
}

static int refuse(const char *schema, const char *table, const char *column, char *loss, Error *error)
{
    error_set(error, ERROR_CONFLICT, "values of column \"%s\" of %s.%s may change on their way: it is %s",
              column, schema, table, loss);
    free(loss);
    return error_hint(
        error,
        "Give the column the source's type on the target, and run the same command again. If the "
        "values may change: --lossy-types %s.%s",
        schema, table);
}

/* By table, then by name. */
static int compare_places(const PGresult *source, int i, const PGresult *target, int j)
{
    int tables = number_of(source, i, TABLE) - number_of(target, j, TABLE);
    return tables != 0 ? tables : strcmp(PQgetvalue(source, i, NAME), PQgetvalue(target, j, NAME));
}

static int compare(const PGresult *source, const PGresult *target, const PGresult *tables,
                   const int columns[4], const LossyTables *lossy, Error *error)
{
    for (int i = 0, j = 0; i < PQntuples(source) && j < PQntuples(target);) {
        int order = compare_places(source, i, target, j);
        int table = number_of(source, i, TABLE) - 1;
        const char *schema = PQgetvalue(tables, table, columns[0]),
                   *name = PQgetvalue(tables, table, columns[1]);
        char *loss = order == 0 && !fit_may_lose(lossy, schema, name) ? loss_of(source, i, target, j) : NULL;
        if (loss != NULL) {
            return refuse(schema, name, PQgetvalue(source, i, NAME), loss, error);
        }
        i += order <= 0;
        j += order >= 0;
    }
    return 0;
}

/* A column of the rows, or another one where that is not null, as an array literal. */
static void make_array(const PGresult *rows, int column, int instead, Text *out)
{
    for (int row = 0; row < PQntuples(rows); row++) {
        bool other = instead >= 0 && !PQgetisnull(rows, row, instead);
        text_array_add(out, PQgetvalue(rows, row, other ? instead : column));
    }
    text_array_end(out);
}

int bent_check(Database *source, Database *target, const PGresult *tables, const int columns[4],
               const LossyTables *lossy, Error *error)
{
    PGresult *left = NULL, *right = NULL;
    Text arrays[4] = {{0}};
    make_array(tables, columns[0], -1, &arrays[0]);
    make_array(tables, columns[1], -1, &arrays[1]);
    make_array(tables, columns[0], columns[2], &arrays[2]);
    make_array(tables, columns[1], columns[3], &arrays[3]);
    int status = database_query(source, &left, error, source_sql, 2, arrays[0].data, arrays[1].data);
    if (status == 0) {
        status = database_query(target, &right, error, target_sql, 2, arrays[2].data, arrays[3].data);
    }
    if (status == 0) {
        status = compare(left, right, tables, columns, lossy, error);
    }
    PQclear(left);
    PQclear(right);
    for (int i = 0; i < 4; i++) {
        text_free(&arrays[i]);
    }
    return status;
}
