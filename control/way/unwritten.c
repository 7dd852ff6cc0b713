/*
 * age(xmin) is that of the transaction that wrote the row, also once it is frozen (heap_getsysattr gives the raw xmin, 9.4 and
 * later). It counts from the transaction of the statement, where that has a number, and else from one that is taken at the first
 * call (GetStableLatestTransactionId): so the number is taken first, and ages are compared with that of `since`. Rows as old as
 * that, or younger, are new.
 */
#include "unwritten.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "query.h"
#include "reverse_parts.h"
#include "text.h"

typedef struct Rows {
    json_int_t old; /* from before a transaction */
    json_int_t all; /* that are there */
} Rows;

/* since is a transaction of txid_current. */
static int count_rows(Database *target, const char *name, const char *since, QueryLimits limits, Rows *out,
                      Error *error)
{
    Text sql = {0};
    PGresult *row;
    text_printf(
        &sql,
        "WITH penstock_now AS MATERIALIZED (SELECT txid_current() AS number)"
        " SELECT count(*) FILTER (WHERE age(penstock_rows.xmin) > penstock_now.number - $1::int8), count(*)"
        " FROM penstock_now, ONLY %s AS penstock_rows",
        name);
    Query query = {.sql = sql.data, .values = &since, .count = 1, .what = "counting rows", .limits = limits};
    int status = query_run(target, &query, &row, error);
    text_free(&sql);
    if (status == 0) {
        *out = (Rows){atoll(PQgetvalue(row, 0, 0)), atoll(PQgetvalue(row, 0, 1))};
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

/* --- at the switch --- */

/* Of those that were found and are there: name, file, bytes; smallest first. */
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
                       "  FROM unnest($1::text[]) AS t (name) JOIN pg_class c ON c.oid = to_regclass(t.name)"
                       " ORDER BY pg_relation_size(c.oid)",
                       1, list.data);
    text_free(&list);
    return status;
}

/* The rows of small ones; a table without "rows" is one that was too large. */
static int note_tables(Database *target, const PGresult *tables, const char *since, json_t *noted, bool *late,
                       Error *error)
{
    long long bytes = 0;
    for (int i = 0; i < PQntuples(tables); i++) {
        Rows rows;
        json_t *one = json_pack("{s:s}", "file", PQgetvalue(tables, i, 1));
        json_object_set_new(noted, PQgetvalue(tables, i, 0), one);
        bytes += atoll(PQgetvalue(tables, i, 2));
        if (bytes > UNWRITTEN_MOST_BYTES) {
            *late = true;
            continue;
        }
        if (count_rows(target, PQgetvalue(tables, i, 0), since, (QueryLimits){0}, &rows, error) != 0) {
            return -1;
        }
        json_object_set_new(one, "rows", json_integer(rows.old));
    }
    return 0;
}

int unwritten_note(Database *target, const json_t *found, json_t *detail, bool *late, Error *error)
{
    PGresult *tables;
    char *now = NULL;
    *late = false;
    if (look_at_files(target, json_object_get(found, "limited"), &tables, error) != 0) {
        return -1;
    }
    json_t *noted = json_object();
    int status = PQntuples(tables) > 0 ? database_value(target, &now, error, "SELECT txid_current()", 0) : 0;
    if (status == 0 && now != NULL) {
        json_object_set_new(detail, "noted_since", json_string(now));
        status = note_tables(target, tables, now, noted, late, error);
    }
    json_object_set_new(detail, "noted", noted);
    free(now);
    PQclear(tables);
    return status == 0 ? 0 : error_context(error, "noting tables of which not everything comes back");
}

/* The statement that takes a number takes the snapshot, too: it is the first. */
int unwritten_keep(Database *session, Error *error)
{
    return database_execute(session, error, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", 0) == 0
               ? database_execute(session, error, "SELECT txid_current()", 0)
               : -1;
}

int unwritten_count(Database *session, const json_t *noted, int limit_ms, json_t *detail, size_t *left,
                    Error *error)
{
    const char *since = json_string_value(json_object_get(noted, "noted_since")), *name;
    json_t *one, *counted = json_object();
    QueryLimits limits = query_within(limit_ms);
    int status = 0;
    *left = 0;
    json_object_foreach(json_object_get(noted, "noted"), name, one)
    {
        Rows rows;
        if (json_object_get(one, "rows") != NULL) {
            continue;
        }
        status = status == 0 ? count_rows(session, name, since, limits, &rows, error) : status;
        if (status == 0) {
            json_object_set_new(counted, name, json_integer(rows.old));
        } else {
            (*left)++;
        }
    }
    json_object_set_new(detail, "counted", counted);
    return status != 0 && error->code != ERROR_LIMIT ? -1 : 0;
}

/* --- later --- */

typedef enum Answer { UNWRITTEN, WRITTEN, NOT_KNOWN } Answer;

/* The number of rows that was kept; NULL: none. */
static const json_t *rows_of(const Unwritten *kept, const char *name)
{
    const json_t *noted = json_object_get(json_object_get(kept->noted, "noted"), name);
    const json_t *rows = json_object_get(noted, "rows");
    return rows != NULL ? rows : json_object_get(json_object_get(kept->counted, "counted"), name);
}

/* Row i of reverse_limited_tables. */
static int ask(Database *target, const Unwritten *kept, const PGresult *tables, int i, QueryLimits limits,
               Answer *out, Error *error)
{
    const char *name = PQgetvalue(tables, i, 0),
               *since = json_string_value(json_object_get(kept->noted, "noted_since"));
    const json_t *noted = json_object_get(json_object_get(kept->noted, "noted"), name);
    const json_t *was = rows_of(kept, name);
    const char *file = json_string_value(json_object_get(noted, "file"));
    Rows rows;
    *out = WRITTEN;
    if (since == NULL || file == NULL || was == NULL || strcmp(file, PQgetvalue(tables, i, 2)) != 0) {
        return 0;
    }
    if (count_rows(target, name, since, limits, &rows, error) != 0) {
        *out = NOT_KNOWN;
        return error->code == ERROR_LIMIT ? 0 : -1;
    }
    *out = rows.old == rows.all && rows.old == json_integer_value(was) ? UNWRITTEN : WRITTEN;
    return 0;
}

static void add_name(Text *list, const char *name)
{
    text_printf(list, "%s%s", list->size > 0 ? ", " : "", name);
}

static void put_names(Text *list, char *out, size_t size)
{
    snprintf(out, size, "%s", list->data != NULL ? list->data : "");
    text_free(list);
}

int unwritten_limits(Database *target, const Migration *migration, const Unwritten *kept, int limit_ms,
                     Limits *out, Error *error)
{
    PGresult *tables;
    QueryLimits limits = query_within(limit_ms);
    Text some = {0}, none = {0}, late = {0};
    int status = reverse_limited_tables(target, migration, &tables, error);
    if (status != 0) {
        return status;
    }
    for (int i = 0; status == 0 && i < PQntuples(tables); i++) {
        const char *name = PQgetvalue(tables, i, 0);
        Answer answer;
        status = ask(target, kept, tables, i, limits, &answer, error);
        if (status == 0 && answer != UNWRITTEN) {
            add_name(strcmp(PQgetvalue(tables, i, 1), "inserts") == 0 ? &some : &none, name);
        }
        if (answer == NOT_KNOWN) {
            add_name(&late, name);
        }
    }
    put_names(&some, out->inserts, sizeof out->inserts);
    put_names(&none, out->nothing, sizeof out->nothing);
    put_names(&late, out->late, sizeof out->late);
    PQclear(tables);
    return status;
}
