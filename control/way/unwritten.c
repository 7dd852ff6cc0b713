/*
 * age(xmin) is that of the transaction that wrote the row, also once it is frozen (heap_getsysattr gives the raw xmin, 9.4 and
 * later). Rows as old as the note's own transaction, or younger, are new: age() counts from the next transaction, so it is
 * compared with what has begun since.
 */
#include "unwritten.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reverse_parts.h"
#include "text.h"

/* *out is old, *all every row that is there; since is a transaction of txid_current. */
static int count_rows(Database *target, const char *name, const char *since, json_int_t *old, json_int_t *all,
                      Error *error)
{
    char *sql = NULL;
    PGresult *row;
    if (asprintf(
            &sql,
            "SELECT count(*) FILTER (WHERE age(xmin) > txid_current() - $1::int8), count(*) FROM ONLY %s",
            name) < 0) {
        return error_set(error, ERROR_SYSTEM, "out of memory");
    }
    int status = database_query(target, &row, error, sql, 1, since);
    free(sql);
    if (status == 0) {
        *old = atoll(PQgetvalue(row, 0, 0));
        *all = atoll(PQgetvalue(row, 0, 1));
        PQclear(row);
    }
    return status;
}

int unwritten_find(Database *target, const Migration *migration, json_t *detail, Error *error)
{
    PGresult *tables;
    if (reverse_limited_tables(target, migration, &tables, error) != 0) {
        return -1;
    }
    json_t *names = json_array();
    for (int i = 0; PQntuples(tables) <= UNWRITTEN_MOST_TABLES && i < PQntuples(tables); i++) {
        json_array_append_new(names, json_string(PQgetvalue(tables, i, 0)));
    }
    json_object_set_new(detail, "limited", names);
    PQclear(tables);
    return 0;
}

/* Of those that were found and are there: name, file, bytes. */
static int look_at_files(Database *target, const json_t *names, PGresult **out, Error *error)
{
    Text list = {0};
    for (size_t i = 0; i < json_array_size(names); i++) {
        text_array_add(&list, json_string_value(json_array_get(names, i)));
    }
    text_array_end(&list);
    int status =
        database_query(target, out, error,
                       "SELECT t.name, pg_relation_filenode(c.oid), pg_relation_size(c.oid)"
                       "  FROM unnest($1::text[]) AS t (name) JOIN pg_class c ON c.oid = to_regclass(t.name)",
                       1, list.data);
    text_free(&list);
    return status;
}

static bool is_much(const PGresult *tables)
{
    long long bytes = 0;
    for (int i = 0; i < PQntuples(tables); i++) {
        bytes += atoll(PQgetvalue(tables, i, 2));
    }
    return bytes > UNWRITTEN_MOST_BYTES;
}

int unwritten_note(Database *target, const json_t *found, json_t *detail, Error *error)
{
    PGresult *tables;
    char *now = NULL;
    if (look_at_files(target, json_object_get(found, "limited"), &tables, error) != 0) {
        return -1;
    }
    json_t *noted = json_object();
    int status = 0;
    if (PQntuples(tables) > 0 && !is_much(tables)) {
        status = database_value(target, &now, error, "SELECT txid_current()", 0);
    }
    for (int i = 0; status == 0 && now != NULL && i < PQntuples(tables); i++) {
        json_int_t old, all;
        status = count_rows(target, PQgetvalue(tables, i, 0), now, &old, &all, error);
        json_object_set_new(noted, PQgetvalue(tables, i, 0),
                            json_pack("{s:s, s:I}", "file", PQgetvalue(tables, i, 1), "rows", old));
    }
    if (now != NULL) {
        json_object_set_new(detail, "noted_since", json_string(now));
    }
    json_object_set_new(detail, "noted", noted);
    free(now);
    PQclear(tables);
    return status == 0 ? 0 : error_context(error, "noting tables of which not everything comes back");
}

static int is_unwritten(Database *target, const json_t *detail, const PGresult *tables, int i, bool *out,
                        Error *error)
{
    const char *name = PQgetvalue(tables, i, 0),
               *since = json_string_value(json_object_get(detail, "noted_since"));
    const json_t *noted = json_object_get(json_object_get(detail, "noted"), name);
    const char *file = json_string_value(json_object_get(noted, "file"));
    json_int_t old, all;
    *out = false;
    if (since == NULL || file == NULL || strcmp(file, PQgetvalue(tables, i, 2)) != 0 ||
        atoll(PQgetvalue(tables, i, 3)) > 2 * UNWRITTEN_MOST_BYTES) {
        return 0;
    }
    if (count_rows(target, name, since, &old, &all, error) != 0) {
        return -1;
    }
    *out = old == all && old == json_integer_value(json_object_get(noted, "rows"));
    return 0;
}

int unwritten_limits(Database *target, const Migration *migration, const json_t *detail, char *inserts,
                     char *nothing, size_t size, Error *error)
{
    PGresult *tables;
    Text some = {0}, none = {0};
    int status = reverse_limited_tables(target, migration, &tables, error);
    if (status != 0) {
        return status;
    }
    for (int i = 0; status == 0 && i < PQntuples(tables); i++) {
        bool unwritten;
        status = is_unwritten(target, detail, tables, i, &unwritten, error);
        if (status == 0 && !unwritten) {
            Text *list = strcmp(PQgetvalue(tables, i, 1), "inserts") == 0 ? &some : &none;
            text_printf(list, "%s%s", list->size > 0 ? ", " : "", PQgetvalue(tables, i, 0));
        }
    }
    snprintf(inserts, size, "%s", some.data != NULL ? some.data : "");
    snprintf(nothing, size, "%s", none.data != NULL ? none.data : "");
    text_free(&some);
    text_free(&none);
    PQclear(tables);
    return status;
}
