/*
 * The names come from the source's catalog in one query. Then, batch by batch: one UNION ALL over the
 * sequences themselves on the source, and one statement on the target that looks each name up and calls setval on
 * what it finds; the rows that come back are those it did not find.
 */
#include "sequences.h"

#include <stdlib.h>

#include "left_behind.h"
#include "text.h"

#define BATCH 400

static const char list_sql[] =
    "SELECT n.nspname, c.relname"
    "  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    "  LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass"
    "       AND d.objid = c.oid AND d.deptype = 'e'"
    "  LEFT JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid"
    " WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname NOT IN ('penstock', "
    "'information_schema')"
    "   AND n.nspname !~ '^pg_' AND (e.oid IS NULL OR c.oid = ANY (e.extconfig)) AND " IS_KEPT(
        "c.oid") " ORDER BY 1, 2";

/* Looked up one by one: what a join costs hangs on statistics that a target which was filled just now lacks. */
static const char set_sql[] =
    "SELECT w.nspname, w.relname"
    "  FROM unnest($1::text[], $2::text[], $3::int8[], $4::bool[]) AS w (nspname, relname, value, called)"
    " WHERE pg_catalog.setval(pg_catalog.to_regclass(pg_catalog.format('%I.%I', w.nspname, w.relname)),"
    "       w.value, w.called) IS NULL";

/* Reads the values of sequences [first, last) of names, in that order. */
static int read_values(Database *source, const PGresult *names, int first, int last, PGresult **out,
                       Error *error)
{
    Text sql = {0};
    for (int i = first; i < last; i++) {
        char *schema = database_quote(PQgetvalue(names, i, 0));
        char *name = database_quote(PQgetvalue(names, i, 1));
        text_printf(&sql, "%sSELECT %d AS number, last_value, is_called FROM %s.%s",
                    i == first ? "" : " UNION ALL ", i, schema, name);
        free(schema);
        free(name);
    }
    text_append(&sql, " ORDER BY number");
    int status = database_query(source, out, error, sql.data, 0);
    text_free(&sql);
    return status;
}

/* That they stand there until the switch. */
static const char note_sql[] =
    "INSERT INTO penstock.sequence (migration, schema_name, sequence_name, last_value, is_called)"
    " SELECT $5, * FROM unnest($1::text[], $2::text[], $3::int8[], $4::bool[])"
    " ON CONFLICT (migration, schema_name, sequence_name) DO UPDATE SET last_value = excluded.last_value,"
    "    is_called = excluded.is_called, set_at = excluded.set_at";

static int set_values(Database *target, const char *migration, const PGresult *names, int first,
                      const PGresult *values, Error *error)
{
    Text arrays[4] = {{0}, {0}, {0}, {0}};
    for (int i = 0; i < PQntuples(values); i++) {
        text_array_add(&arrays[0], PQgetvalue(names, first + i, 0));
        text_array_add(&arrays[1], PQgetvalue(names, first + i, 1));
        text_array_add(&arrays[2], PQgetvalue(values, i, 1));
        text_array_add(&arrays[3], PQgetvalue(values, i, 2));
    }
    for (int i = 0; i < 4; i++) {
        text_array_end(&arrays[i]);
    }
    PGresult *missing = NULL;
    int status = database_query(target, &missing, error, set_sql, 4, arrays[0].data, arrays[1].data,
                                arrays[2].data, arrays[3].data);
    if (status == 0 && PQntuples(missing) > 0) {
        status = error_set(error, ERROR_TARGET, "%d sequences are missing on the target, the first is %s.%s",
                           PQntuples(missing), PQgetvalue(missing, 0, 0), PQgetvalue(missing, 0, 1));
        error_hint(error, "create them on the target as they are on the source, then try again");
    }
    PQclear(missing);
    if (status == 0) {
        status = database_execute(target, error, note_sql, 5, arrays[0].data, arrays[1].data, arrays[2].data,
                                  arrays[3].data, migration);
    }
    for (int i = 0; i < 4; i++) {
        text_free(&arrays[i]);
    }
    return status;
}

static int copy_batch(Database *source, Database *target, const char *migration, const PGresult *names,
                      int first, int last, Error *error)
{
    PGresult *values = NULL;
    if (read_values(source, names, first, last, &values, error) != 0) {
        return -1;
    }
    int status =
        PQntuples(values) == last - first
            ? set_values(target, migration, names, first, values, error)
            : error_set(error, ERROR_SOURCE, "%d sequences gave %d values", last - first, PQntuples(values));
    PQclear(values);
    return status;
}

int sequences_list(Database *source, PGresult **out, Error *error)
{
    return database_query(source, out, error, list_sql, 0) == 0 ? 0
                                                                : error_context(error, "listing sequences");
}

int sequences_copy(Database *source, Database *target, const char *migration, size_t *count, Error *error)
{
    PGresult *names = NULL;
    if (sequences_list(source, &names, error) != 0) {
        return -1;
    }
    int status = 0, total = PQntuples(names);
    for (int first = 0; status == 0 && first < total; first += BATCH) {
        int last = first + BATCH < total ? first + BATCH : total;
        status = copy_batch(source, target, migration, names, first, last, error);
    }
    PQclear(names);
    *count = (size_t)total;
    return status == 0 ? 0 : error_context(error, "copying sequence values");
}
