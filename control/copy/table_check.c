/*
 * Tables are locked and looked at as a set, in one way there and back each: a job has up to fifty small ones, or all leaves of a
 * partitioned one, and the source may be far away.
 */
#include <stdlib.h>
#include <string.h>

#include "definition.h"
#include "number.h"
#include "table.h"

int tables_referenced(Database *target, const char *schemas, const char *tables, bool *referenced,
                      Error *error)
{
    PGresult *rows = NULL;
    if (database_query(
            target, &rows, error,
            "SELECT u.n - 1 FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS u (s, t, n)"
            "  JOIN (SELECT DISTINCT n.nspname, c.relname FROM pg_catalog.pg_constraint k"
            "          JOIN pg_catalog.pg_class c ON c.oid = k.confrelid AND k.conrelid <> k.confrelid"
            "          JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
            "         WHERE k.contype = 'f') f ON f.nspname = u.s AND f.relname = u.t",
            2, schemas, tables) != 0) {
        return -1;
    }
    for (int i = 0; i < PQntuples(rows); i++) {
        referenced[number_int(PQgetvalue(rows, i, 0))] = true;
    }
    PQclear(rows);
    return 0;
}

/* Parallel arrays: schema, table, definition, OID. */
enum { LISTS = 4 };
typedef struct Lists {
    Text of[LISTS];
} Lists;

static void lists_fill(const TableAsked *tables, size_t count, Lists *lists)
{
    for (size_t i = 0; i < count; i++) {
        text_array_add(&lists->of[0], tables[i].schema);
        text_array_add(&lists->of[1], tables[i].table);
        text_array_add(&lists->of[2], tables[i].definition);
        text_array_add(&lists->of[3], tables[i].oid);
    }
    for (int i = 0; i < LISTS; i++) {
        text_array_end(&lists->of[i]);
    }
}

static void lists_free(Lists *lists)
{
    for (int i = 0; i < LISTS; i++) {
        text_free(&lists->of[i]);
    }
}

/*
 * Which one a LOCK of several is about, the server does not say. What has it locked may have let go of it by now: then it is the
 * first.
 */
static size_t find_locked(Database *source, const Lists *lists, bool gone)
{
    static const char gone_sql[] =
        "SELECT u.n - 1 FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS u (s, t, n)"
        " WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = "
        "c.relnamespace WHERE n.nspname = u.s AND c.relname = u.t) ORDER BY u.n LIMIT 1";
    static const char locked_sql[] =
        "SELECT u.n - 1 FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS u (s, t, n)"
        "  JOIN pg_catalog.pg_namespace n ON n.nspname = u.s"
        "  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = u.t"
        "  JOIN pg_catalog.pg_locks l ON l.relation = c.oid AND l.mode = 'AccessExclusiveLock'"
        " ORDER BY l.granted DESC, u.n LIMIT 1";
    char *number = NULL;
    Error ignored;
    size_t at = 0;
    if (database_execute(source, &ignored, "ROLLBACK", 0) == 0 &&
        database_value(source, &number, &ignored, gone ? gone_sql : locked_sql, 2, lists->of[0].data,
                       lists->of[1].data) == 0 &&
        number != NULL) {
        at = (size_t)number_int(number);
    }
    free(number);
    return at;
}

/* From here on nobody can truncate or rewrite the tables, until the transaction ends. */
static int lock_tables(Database *source, const TableAsked *tables, size_t count, Error *error)
{
    Text sql = {0};
    text_append(&sql, "LOCK TABLE ");
    for (size_t i = 0; i < count; i++) {
        text_append(&sql, i > 0 ? ", ONLY " : "ONLY ");
        text_qualified_add(&sql, tables[i].schema, tables[i].table);
    }
    text_append(&sql, " IN ACCESS SHARE MODE");
    int status = database_execute(source, error, sql.data, 0);
    text_free(&sql);
    return status;
}

/*
 * The catalogs are read as the snapshot has them, but LOCK and COPY go by the names of now: what the snapshot calls so must be called
 * so still, the table and its columns, or the rows of another one are read where two have swapped their names. Names of now are those
 * of the server's cache, by which pg_identify_object_as_address() goes; of a table that is gone it would end the transaction.
 *
 * Of access methods only the heap (2; before 12 there is no other) is known to have its rows in that file. An aggregate for each
 * table, so that each is looked up by the index of its name, whatever the planner takes an array for.
 */
#define SAME_NAMES_SQL                                                                                       \
    "(pg_catalog.pg_identify_object_as_address('pg_catalog.pg_class'::pg_catalog.regclass, c.oid,"           \
    " coalesce(a.attnum, 0))).object_names"                                                                  \
    " = pg_catalog.array_remove(ARRAY[n.nspname::text, c.relname::text, a.attname::text], NULL)"

static const char check_sql[] =
    "SELECT f.* FROM unnest($1::text[], $2::text[], $3::text[], $4::oid[]) WITH ORDINALITY AS u (s, t, d, o, "
    "n),"
    " LATERAL (SELECT pg_catalog.string_agg(pg_catalog.concat('\"', pg_catalog.replace(a.attname, '\"', "
    "'\"\"'), '\"'), ', '"
    "           ORDER BY a.attnum) FILTER (WHERE a.attnum IS NOT NULL), count(DISTINCT c.oid),"
    "       pg_catalog.bool_and(CASE WHEN c.relfilenode = pg_catalog.pg_relation_filenode(c.oid) THEN"
    "           " SAME_NAMES_SQL " ELSE false END),"
    "       pg_catalog.bool_and(c.oid = u.o AND " STATE_COLUMNS_SQL(
        "c.oid") " = u.d::text[]),"
                 "       pg_catalog.bool_and(c.relpersistence = 'p' AND c.relam IN (0, 2)"
                 "           AND pg_catalog.pg_relation_size(c.oid) = 0),"
                 "       pg_catalog.max(CASE WHEN c.reltuples > 0 AND c.relpages > 0 THEN"
                 "           pg_catalog.pg_relation_size(c.oid) * (c.reltuples::float8 / c.relpages)"
                 "           / pg_catalog.current_setting('block_size')::int4 ELSE 0 END)::int8"
                 "  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                 "  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT "
                 "a.attisdropped"
                 "       AND coalesce(pg_catalog.to_jsonb(a) ->> 'attgenerated', '') = ''"
                 " WHERE n.nspname = u.s::name AND c.relname = u.t::name AND c.relkind = 'r') f ORDER BY u.n";

static int check_columns(const char *now, const char *columns, Error *error)
{
    if (strcmp(now, columns) == 0) {
        return 0;
    }
    error_set(error, ERROR_SOURCE,
              "its columns are not those that it had when the copy began: now %.300s, then %.300s", now,
              columns);
    return error_hint(
        error,
        "DDL is not captured in this migration: start over with `penstock finish` and an empty target");
}

/* What the row says of the table. */
static int take_found(const PGresult *rows, int row, TableAsked *asked, Error *error)
{
    TableFound *found = &asked->found;
    *found = (TableFound){.fit = TABLE_FITS,
                          .empty = PQgetvalue(rows, row, 4)[0] == 't',
                          .rows = strtoll(PQgetvalue(rows, row, 5), NULL, 10)};
    if (strcmp(PQgetvalue(rows, row, 1), "0") == 0 || PQgetvalue(rows, row, 2)[0] != 't') {
        found->fit =
            TABLE_STALE; /* made, or named so, it or a column, after the snapshot; or another file than the snapshot knows */
    } else if (asked->definition == NULL) {
        return check_columns(PQgetvalue(rows, row, 0), asked->columns, error);
    } else if (PQgetvalue(rows, row, 3)[0] != 't') {
        found->fit = TABLE_DEFINED_OTHERWISE;
    }
    return 0;
}

static int look_at(Database *source, TableAsked *tables, const Lists *lists, size_t count, size_t *at,
                   Error *error)
{
    PGresult *rows = NULL;
    bool fits = true;
    int status = 0;
    if (database_query(source, &rows, error, check_sql, LISTS, lists->of[0].data, lists->of[1].data,
                       lists->of[2].data, lists->of[3].data) != 0) {
        return -1;
    }
    for (size_t i = 0; status == 0 && fits && i < count; i++) {
        *at = i;
        status = take_found(rows, (int)i, &tables[i], error);
        fits = tables[i].found.fit == TABLE_FITS;
    }
    PQclear(rows);
    return status;
}

/* One of them is not to be had, for which error has the server's words. */
static int tell_lock(Database *source, TableAsked *tables, const Lists *lists, size_t *at, Error *error)
{
    bool gone = strcmp(error->sqlstate, "42P01") == 0;
    if (!gone && strcmp(error->sqlstate, "55P03") != 0) {
        return -1;
    }
    *at = find_locked(source, lists, gone);
    if (!gone) {
        return -1;
    }
    if (tables[*at].definition != NULL) {
        tables[*at].found.fit = TABLE_DEFINED_OTHERWISE; /* dropped or renamed: the stream says so */
        return 0;
    }
    error_set(error, ERROR_SOURCE, "it is gone from the source since the copy began");
    return error_hint(error, "If it is to go, drop it on the target, too, and run the same command again.");
}

int tables_check(Database *source, TableAsked *tables, size_t count, size_t *at, Error *error)
{
    Lists lists = {0};
    *at = 0;
    lists_fill(tables, count, &lists);
    int status = lock_tables(source, tables, count, error) == 0
                     ? look_at(source, tables, &lists, count, at, error)
                     : tell_lock(source, tables, &lists, at, error);
    lists_free(&lists);
    return status;
}
