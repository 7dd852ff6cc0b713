#include "ddl_rows.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    ID,
    LSN,
    SEQUENCE,
    MADE_AT,
    ROLE,
    TAG,
    STATEMENT,
    STATE,
    REASON,
    RAN,
    MILLISECONDS,
    DECISION,
    COLUMNS
};

static const char *const names[] = {"id",        "lsn",   "sequence", "made_at", "role",         "tag",
                                    "statement", "state", "reason",   "ran",     "milliseconds", "decision"};

static const char list_sql[] = "SELECT * FROM (SELECT id, commit_lsn, sequence, made_at, role, tag, "
                               "statement, state, reason, ran, milliseconds, decision "
                               "FROM penstock.ddl WHERE migration = $1 ORDER BY commit_lsn DESC, sequence "
                               "DESC LIMIT $2::int) l ORDER BY commit_lsn, sequence";

static const char *cell(const PGresult *rows, int row, int column)
{
    return PQgetisnull(rows, row, column) ? NULL : PQgetvalue(rows, row, column);
}

static void print_json(const PGresult *rows)
{
    json_t *list = json_array();
    for (int row = 0; row < PQntuples(rows); row++) {
        json_t *object = json_object();
        for (int column = 0; column < COLUMNS; column++) {
            const char *text = cell(rows, row, column);
            bool number = text != NULL && (column == ID || column == SEQUENCE || column == MILLISECONDS);
            json_object_set_new(object, names[column],
                                number         ? json_real(strtod(text, NULL))
                                : text != NULL ? json_string(text)
                                               : json_null());
        }
        json_array_append_new(list, object);
    }
    json_dumpf(list, stdout, JSON_INDENT(2));
    fputc('\n', stdout);
    json_decref(list);
}

static void print_indented(const char *label, const char *text)
{
    printf("        %-10s", label);
    for (; *text != '\0'; text++) {
        if (*text == '\n') {
            printf("\n                  ");
        } else {
            putchar(*text);
        }
    }
    putchar('\n');
}

static void print_row(const PGresult *rows, int row)
{
    const char *took = cell(rows, row, MILLISECONDS), *role = cell(rows, row, ROLE),
               *made = cell(rows, row, MADE_AT);
    printf("%5s   %-9s %s, made %s by %s, at %s/%s%s%s%s\n", cell(rows, row, ID), cell(rows, row, STATE),
           cell(rows, row, TAG), made != NULL ? made : "(not known)", role != NULL ? role : "(not known)",
           cell(rows, row, LSN), cell(rows, row, SEQUENCE), took != NULL ? ", took " : "",
           took != NULL ? took : "", took != NULL ? " ms" : "");
    static const struct {
        int column;
        const char *label;
    } more[] = {{STATEMENT, "statement"}, {RAN, "ran"}, {REASON, "because"}, {DECISION, "decided"}};
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        const char *text = cell(rows, row, more[i].column);
        if (text != NULL) {
            print_indented(more[i].label, text);
        }
    }
}

int ddl_rows_list(Database *target, const Settings *settings, int count, Error *error)
{
    PGresult *rows = NULL;
    char most[16];
    snprintf(most, sizeof most, "%d", count);
    if (database_query(target, &rows, error, list_sql, 2, settings->migration, most) != 0) {
        return error_context(error, "reading what came of DDL");
    }
    if (settings->json) {
        print_json(rows);
    } else if (PQntuples(rows) == 0) {
        printf("No DDL has come in the stream.\n");
    }
    for (int row = 0; !settings->json && row < PQntuples(rows); row++) {
        print_row(rows, row);
    }
    PQclear(rows);
    return 0;
}

int ddl_rows_decide(Database *target, const char *migration, const DdlDecide *decide, bool *found,
                    Error *error)
{
    return database_found(target, found, error,
                          "UPDATE penstock.ddl SET decision = $3, edited = $4, edited_as_target = $5::bool "
                          "WHERE migration = $1 AND id = $2::int8 AND state = 'waiting' RETURNING 1",
                          5, migration, decide->id, decide->verb, decide->statement,
                          decide->as_target ? "true" : "false") == 0
               ? 0
               : error_context(error, "writing down the decision");
}
