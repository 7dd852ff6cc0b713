/*
 * Key values arrive in PostgreSQL's binary format; who reads the message wants them as psql shows them. The
 * server knows how, so it is asked, once, after the transaction is rolled back. When that fails too, the
 * bytes are shown.
 */
#include "conflict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reduce.h"

#define MAX_SHOWN 4  /* columns */
#define MAX_VALUE 60 /* bytes of each */

static const char *const verbs[] = {
    [CHANGE_INSERT] = "insert into",
    [CHANGE_UPDATE] = "update of",
    [CHANGE_DELETE] = "delete from",
};

typedef struct Shown {
    uint32_t columns[MAX_SHOWN];
    Bytes values[MAX_SHOWN];
    bool nulls[MAX_SHOWN];
    int count;
} Shown;

/* The key's columns; of rows without a key, the first columns that have something. */
static Shown choose(const Change *change)
{
    Shown shown = {0};
    RowImage image = change_key(change);
    const SourceRelation *source = change->relation->source;
    for (uint32_t c = 0; c < source->column_count && shown.count < MAX_SHOWN; c++) {
        bool wanted = change->relation->match != MATCH_KEY || source->columns[c].key;
        if (wanted && image_has(&image, c)) {
            Bytes *value = &shown.values[shown.count];
            shown.nulls[shown.count] = image_cell(&image, c, value) == CELL_NULL;
            shown.columns[shown.count++] = c;
        }
    }
    return shown;
}

static PGresult *ask(Session *session, const Change *change, const Shown *shown)
{
    char sql[MAX_SHOWN * 64];
    const char *values[MAX_SHOWN];
    int lengths[MAX_SHOWN];
    Oid types[MAX_SHOWN];
    int at = 0;
    for (int i = 0; i < shown->count; i++) {
        at += snprintf(sql + at, sizeof sql - (size_t)at, "%s$%d::pg_catalog.text", i == 0 ? "SELECT " : ", ",
                       i + 1);
        types[i] = change->relation->columns[shown->columns[i]].element_type;
        values[i] = shown->nulls[i]              ? NULL
                    : shown->values[i].size == 0 ? ""
                                                 : (const char *)shown->values[i].data;
        lengths[i] = (int)shown->values[i].size;
    }
    PGresult *result = NULL;
    if (shown->count == 0 ||
        session_describe(session, sql, shown->count, types, values, lengths, &result) != 0) {
        return NULL;
    }
    return result;
}

static void put_bytes(FILE *out, Bytes value)
{
    fputs("\\x", out);
    for (size_t i = 0; i < value.size && i < MAX_VALUE / 2; i++) {
        fprintf(out, "%02x", value.data[i]);
    }
    fputs(value.size > MAX_VALUE / 2 ? "…" : "", out);
}

/* At most MAX_VALUE bytes, not ending within a UTF-8 character. */
static void put_text(FILE *out, const char *text)
{
    size_t size = strlen(text);
    if (size > MAX_VALUE) {
        size = MAX_VALUE;
        while (size > 0 && ((unsigned char)text[size] & 0xC0) == 0x80) {
            size--;
        }
    }
    fprintf(out, "%.*s%s", (int)size, text, text[size] != '\0' ? "…" : "");
}

/* " (id=5, name=x)", or nothing. The caller frees it. */
static char *describe_key(Session *session, const Change *change)
{
    Shown shown = choose(change);
    PGresult *result = ask(session, change, &shown);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    for (int i = 0; i < shown.count; i++) {
        fprintf(out, "%s%s=", i == 0 ? " (" : ", ", change->relation->source->columns[shown.columns[i]].name);
        if (shown.nulls[i]) {
            fputs("NULL", out);
        } else if (result != NULL) {
            put_text(out, PQgetvalue(result, 0, i));
        } else {
            put_bytes(out, shown.values[i]);
        }
    }
    fputs(shown.count != 0 ? ")" : "", out);
    fclose(out);
    PQclear(result);
    return text;
}

bool conflict_is_about_rows(const char *sqlstate)
{
    static const char *const classes[] = {"21", "22", "23", "27", "44", "P0"};
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        if (strncmp(sqlstate, classes[i], 2) == 0) {
            return true;
        }
    }
    return false;
}

/* What to do where no more is known than the error itself. */
static const char *advice(const Error *error)
{
    if (strcmp(error->sqlstate, "23505") == 0 || strcmp(error->sqlstate, "23P01") == 0) {
        return "a row on the target is in the way: find out what else writes there, remove or change that "
               "row";
    }
    if (error->code == ERROR_CONFLICT) {
        return "make the target's table and rows fit this change";
    }
    return "make the target accept this statement";
}

/* The ways on that are always there. */
static void add_ways_on(const Change *change, Error *error)
{
    char lsn[LSN_TEXT_SIZE];
    lsn_format(change->position.commit_lsn, lsn);
    const SourceRelation *source = change->relation->source;
    if (error->code == ERROR_CONFLICT) {
        error_hint(
            error,
            "%s, and start again: the applier goes on with this very change. Or start it with "
            "--on-conflict %s.%s=overwrite or =skip, or with --skip-lsn %s to leave out what is left of "
            "the transaction",
            error->hint, source->schema, source->name, lsn);
    } else {
        error_hint(
            error,
            "%s, and start again: the applier goes on with this very change. Or start it with --skip-lsn "
            "%s to leave out what is left of the transaction",
            error->hint, lsn);
    }
}

void conflict_explain(Session *session, const Change *change, Error *error)
{
    if (conflict_is_about_rows(error->sqlstate)) {
        error->code = ERROR_CONFLICT;
    }
    if (error->hint[0] == '\0') {
        error_hint(error, "%s", advice(error));
    }
    add_ways_on(change, error);
    char *key = describe_key(session, change);
    char lsn[LSN_TEXT_SIZE];
    error_context(error, "%s %s%s at %s, change %llu", verbs[change->rows->kind], change->relation->qualified,
                  key, lsn_format(change->position.commit_lsn, lsn),
                  (unsigned long long)change->position.sequence);
    error->lsn = change->position.commit_lsn;
    free(key);
}

void conflict_miscounted(const Change *change, uint64_t rows, Error *error)
{
    if (change->rows->kind == CHANGE_INSERT) {
        error_set(error, ERROR_CONFLICT, "the target inserted %llu rows instead of one",
                  (unsigned long long)rows);
        error_hint(
            error,
            "a trigger that is enabled ALWAYS or REPLICA, or a rule, on the target's table changes what is "
            "inserted: disable it until the cutover");
    } else if (rows == 0) {
        error_set(error, ERROR_CONFLICT, "the target has no such row");
        error_hint(error,
                   "find out what else writes on the target (or which trigger there suppresses the change), "
                   "bring the row back");
    } else {
        error_set(error, ERROR_CONFLICT, "the target has %llu such rows", (unsigned long long)rows);
        error_hint(error,
                   "the key must be unique on the target: give the table the source's primary key or unique "
                   "index, remove the doubled rows");
    }
}
