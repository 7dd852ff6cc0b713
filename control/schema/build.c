/*
 * Statements of one object are one simple query behind a savepoint, at whose end the savepoint for the next is made: one round
 * trip. It cannot be made at the beginning: a query with a syntax error, an operator that is gone, say, runs no statement at all,
 * and would find no savepoint to go back to. Which errors are the object's own and
 * which are everybody's is decided by class.
 */
#include "build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "session.h"

/* What pg_restore's scripts begin with, beside what a session of ours that builds has anyway. */
static const char preamble[] = "SET search_path = '';"
                               "SET standard_conforming_strings = on;"
                               "SET check_function_bodies = off;"
                               "SET lock_timeout = 0";

/*
 * Of these classes an error says nothing of the object: the next one would meet it as well. Class 08 is not among them: a
 * foreign server that does not answer says so, too, while our own connection stands.
 */
static const char *const everybodys[] = {
    "25006", "53", "57", "58", "XX001", "XX002",
};

#define MOST_OF_LINE 200 /* bytes of a line that is quoted */
#define DEFAULT_MEMORY_MB 256
#define DEFAULT_MEMORY "256MB"

void refusal_free(Refusal *refusal)
{
    text_free(&refusal->words);
    *refusal = (Refusal){0};
}

/* As the operator says; else the session's own, or DEFAULT_MEMORY where that is less. Statements are for any search_path. */
static int set_memory(const SchemaOptions *options, Database *session, Error *error)
{
    char *bytes = NULL;
    if (options->memory == NULL &&
        database_value(session, &bytes, error,
                       "SELECT pg_catalog.pg_size_bytes(pg_catalog.current_setting('maintenance_work_mem'))",
                       0) != 0) {
        return -1;
    }
    bool enough = bytes != NULL && strtoll(bytes, NULL, 10) >= DEFAULT_MEMORY_MB * (1LL << 20);
    free(bytes);
    return enough ? 0
                  : database_execute(
                        session, error,
                        "SELECT pg_catalog.set_config('maintenance_work_mem', $1::pg_catalog.text, false)", 1,
                        options->memory != NULL ? options->memory : DEFAULT_MEMORY);
}

int schema_set_resources(const SchemaOptions *options, Database *session, Error *error)
{
    char workers[16];
    snprintf(workers, sizeof workers, "%d", options->parallel - 1);
    if (set_memory(options, session, error) != 0) {
        return error_context(error, "setting --maintenance-work-mem");
    }
    return options->parallel == 0
               ? 0
               : database_execute(session, error,
                                  "SELECT pg_catalog.set_config('max_parallel_maintenance_workers', "
                                  "$1::pg_catalog.text, false)",
                                  1, workers);
}

int schema_spare(const SchemaOptions *options, Database *session, int processes, bool local, Error *error)
{
    char workers[16];
    snprintf(workers, sizeof workers, "%d", processes);
    if (options->parallel != 0) {
        return 0;
    }
    /* An earlier index may have had less. */
    if (!local && database_execute(session, error, "RESET max_parallel_maintenance_workers", 0) != 0) {
        return -1;
    }
    return database_execute(
        session, error,
        "SELECT pg_catalog.set_config('max_parallel_maintenance_workers', LEAST($1::pg_catalog.int4,"
        " pg_catalog.current_setting('max_parallel_maintenance_workers')::pg_catalog.int4)::pg_catalog.text,"
        " $2::pg_catalog.bool)",
        2, workers, local ? "t" : "f");
}

int builder_open(const SchemaRoad *road, const char *uri, const char *encoding, Builder *out, Error *error)
{
    char purpose[96];
    snprintf(purpose, sizeof purpose, "copy %s", road->migration);
    if (session_open_as(SESSION_BUILDS, uri, DATABASE_TARGET, purpose, encoding, &out->session, error) != 0) {
        return -1;
    }
    if (database_execute(out->session, error, preamble, 0) == 0 &&
        schema_set_resources(&road->options, out->session, error) == 0) {
        return 0;
    }
    database_close(out->session);
    out->session = NULL;
    return -1;
}

void builder_renew(const SchemaRoad *road, const char *uri, const char *encoding, Builder *builder)
{
    Builder fresh = {0};
    Error ignored;
    if (builder->known < SESSION_FULL) {
        return;
    }
    builder->known = 0;
    if (builder_open(road, uri, encoding, &fresh, &ignored) == 0) {
        database_close(builder->session);
        builder->session = fresh.session;
        builder->saved = false;
    }
}

static bool is_everybodys(const char *sqlstate)
{
    for (size_t i = 0; i < sizeof everybodys / sizeof *everybodys; i++) {
        if (strncmp(sqlstate, everybodys[i], strlen(everybodys[i])) == 0) {
            return true;
        }
    }
    return false;
}

static void append_field(Text *words, const char *label, const PGresult *result, int field)
{
    const char *value = PQresultErrorField(result, field);
    if (value != NULL && *value != '\0') {
        text_printf(words, "%s%s%s", words->size > 0 ? "\n" : "", label, value);
    }
}

/*
 * The line of sql that the message is about: a table's statement has its constraints and defaults in it, and the message does not
 * say which of them it means. The server counts characters.
 */
static void append_line(Text *words, PGconn *connection, const PGresult *result, const char *sql)
{
    const char *position = PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION);
    int encoding = PQclientEncoding(connection);
    const char *line = sql, *end = sql + strlen(sql), *at = sql;
    for (int left = position != NULL ? number_int(position) : 0; left > 1 && at < end; left--) {
        line = *at == '\n' ? at + 1 : line;
        at += PQmblen(at, encoding);
    }
    line += strspn(line, " \t");
    size_t size = strcspn(line, "\n"), fits = 0;
    while (fits < size && fits < MOST_OF_LINE) {
        fits += (size_t)PQmblen(line + fits, encoding);
    }
    if (position != NULL && size > 0) {
        text_append(words, "\nIN: ");
        text_append_bytes(words, line, fits < size ? fits : size);
        text_append(words, fits < size ? "..." : "");
    }
}

static int refuse(Builder *builder, const PGresult *result, const char *sql, Refusal *refusal, Error *error)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (sqlstate == NULL || is_everybodys(sqlstate) ||
        PQstatus(database_connection(builder->session)) != CONNECTION_OK) {
        return database_error(builder->session, result, error);
    }
    snprintf(refusal->sqlstate, sizeof refusal->sqlstate, "%s", sqlstate);
    append_field(&refusal->words, "", result, PG_DIAG_MESSAGE_PRIMARY);
    append_field(&refusal->words, "DETAIL: ", result, PG_DIAG_MESSAGE_DETAIL);
    append_field(&refusal->words, "HINT: ", result, PG_DIAG_MESSAGE_HINT);
    append_field(&refusal->words, "CONTEXT: ", result, PG_DIAG_CONTEXT);
    append_line(&refusal->words, database_connection(builder->session), result, sql);
    return 0;
}

static int wait_for_result(Builder *builder, Error *error)
{
    PGconn *connection = database_connection(builder->session);
    const SessionWait wait = {.stop = builder->stop, .what = "making the schema's objects"};
    while (PQisBusy(connection)) {
        int ready = session_poll(builder->session, false, &wait, error);
        if (ready < 0) {
            session_cancel(builder->session);
            return -1;
        }
        if (ready > 0 && PQconsumeInput(connection) == 0) {
            return database_error(builder->session, NULL, error);
        }
    }
    return 0;
}

/* Refusals and errors are as in builder_run_alone. */
static int run(Builder *builder, const char *sql, Refusal *refusal, Error *error)
{
    PGconn *connection = database_connection(builder->session);
    int status = 0;
    refusal_free(refusal);
    if (PQsendQuery(connection, sql) == 0) {
        return database_error(builder->session, NULL, error);
    }
    for (;;) {
        if (wait_for_result(builder, error) != 0) {
            return -1;
        }
        PGresult *result = PQgetResult(connection);
        if (result == NULL) {
            return status;
        }
        if (PQresultStatus(result) == PGRES_FATAL_ERROR && status == 0 && refusal->sqlstate[0] == '\0') {
            status = refuse(builder, result, sql, refusal, error);
        }
        PQclear(result);
    }
}

/*
 * The server reads all of a simple query before it runs the first statement of it: the strings in it are standard ones. What it
 * then runs may be functions in an index or a check, whose bodies are read while they run, as the application's sessions would.
 */
static void statements_of(const SchemaObject *object, const char *search_path, Text *out)
{
    text_append(out, "SET LOCAL standard_conforming_strings TO DEFAULT;\n");
    text_append(out, search_path);
    text_printf(out,
                "%s\n%s\n%s\n;SET LOCAL standard_conforming_strings = on;\nRELEASE SAVEPOINT "
                "penstock_object; SAVEPOINT penstock_object",
                object->tablespace != NULL ? object->tablespace : "",
                object->access_method != NULL ? object->access_method : "", object->sql);
}

int builder_begin(Builder *builder, bool commit, Error *error)
{
    char sql[128];
    builder->saved = true;
    snprintf(sql, sizeof sql, "%sBEGIN; %sSAVEPOINT penstock_object", commit ? "COMMIT; " : "",
             builder->hurried ? "SET LOCAL lock_timeout = '2s'; " : "");
    return database_execute(builder->session, error, sql, 0);
}

/* A column has a line, about. */
static void count_known(Builder *builder, const SchemaObject *object)
{
    builder->known += SESSION_TABLE;
    for (const char *at = object->sql; *at != '\0'; at++) {
        builder->known += *at == '\n';
    }
}

/* Tries it once. After a refusal the transaction is as it was. */
static int try(Builder *builder, const SchemaObject *object, const char *search_path, Refusal *refusal,
               Error *error)
{
    Text sql = {0};
    if (!builder->saved && database_execute(builder->session, error, "SAVEPOINT penstock_object", 0) != 0) {
        return -1;
    }
    builder->saved = true;
    count_known(builder, object);
    statements_of(object, search_path, &sql);
    int status = run(builder, sql.data, refusal, error);
    text_free(&sql);
    if (status != 0 || refusal->sqlstate[0] == '\0') {
        return status;
    }
    return database_execute(builder->session, error, "ROLLBACK TO SAVEPOINT penstock_object", 0);
}

/* undefined_function, undefined_table, undefined_object, invalid_schema_name. */
static bool lacks_a_name(const Refusal *refusal)
{
    static const char *const states[] = {"42883", "42P01", "42704", "3F000"};
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        if (strcmp(refusal->sqlstate, states[i]) == 0) {
            return true;
        }
    }
    return false;
}

static int run_alone(Builder *builder, const char *settings, const char *search_path, const char *sql,
                     Refusal *refusal, Error *error)
{
    Text before = {0};
    Error ignored;
    text_printf(&before,
                "SET lock_timeout = 0; SET standard_conforming_strings TO DEFAULT; SET search_path %s;%s",
                search_path, settings != NULL ? settings : "");
    int status = database_execute(builder->session, error, before.data, 0);
    text_free(&before);
    if (status == 0) {
        status = run(builder, sql, refusal, error);
    }
    int after = PQstatus(database_connection(builder->session)) == CONNECTION_OK
                    ? database_execute(builder->session, status == 0 ? error : &ignored,
                                       "RESET default_tablespace; RESET default_table_access_method; SET "
                                       "search_path = ''; SET standard_conforming_strings = on",
                                       0)
                    : 0;
    return status == 0 ? after : status;
}

int builder_run_alone(Builder *builder, const char *settings, const char *sql, Refusal *refusal, Error *error)
{
    int status = run_alone(builder, settings, "= ''", sql, refusal, error);
    return status == 0 && lacks_a_name(refusal)
               ? run_alone(builder, settings, "TO DEFAULT", sql, refusal, error)
               : status;
}

int builder_make(Builder *builder, const SchemaObject *object, Refusal *refusal, Error *error)
{
    if (try(builder, object, "", refusal, error) != 0) {
        return -1;
    }
    if (!lacks_a_name(refusal)) {
        return 0;
    }
    Refusal again = {0};
    int status = try(builder, object, "SET LOCAL search_path TO DEFAULT;\n", &again, error);
    if (status == 0 && again.sqlstate[0] == '\0') {
        refusal_free(refusal);
        status = database_execute(builder->session, error, "SET LOCAL search_path = ''", 0);
        builder->saved = false;
    }
    refusal_free(&again);
    return status;
}

/* Each object ends with the savepoint for the next one. Nothing in a schema makes a savepoint. */
static bool ends_object(PGresult *result)
{
    return strcmp(PQcmdStatus(result), "SAVEPOINT") == 0;
}

/* Refusals and errors are as in run; which words it is refused with is not said. */
static int run_several(Builder *builder, const char *sql, size_t *made, bool *refused, Error *error)
{
    PGconn *connection = database_connection(builder->session);
    Refusal refusal = {0};
    int status = 0;
    if (PQsendQuery(connection, sql) == 0) {
        return database_error(builder->session, NULL, error);
    }
    while (wait_for_result(builder, error) == 0) {
        PGresult *result = PQgetResult(connection);
        if (result == NULL) {
            refusal_free(&refusal);
            return status;
        }
        *made += ends_object(result);
        if (PQresultStatus(result) == PGRES_FATAL_ERROR && status == 0) {
            *refused = true;
            status = refuse(builder, result, sql, &refusal, error);
        }
        PQclear(result);
    }
    refusal_free(&refusal);
    return -1;
}

int builder_make_several(Builder *builder, const SchemaObject *const *objects, size_t count, size_t *made,
                         Error *error)
{
    Text sql = {0};
    bool refused = false;
    *made = 0;
    if (!builder->saved && database_execute(builder->session, error, "SAVEPOINT penstock_object", 0) != 0) {
        return -1;
    }
    builder->saved = true;
    for (size_t i = 0; i < count; i++) {
        text_append(&sql, i > 0 ? ";\n" : "");
        count_known(builder, objects[i]);
        statements_of(objects[i], "", &sql);
    }
    int status = run_several(builder, sql.data, made, &refused, error);
    text_free(&sql);
    return status == 0 && refused
               ? database_execute(builder->session, error, "ROLLBACK TO SAVEPOINT penstock_object", 0)
               : status;
}
