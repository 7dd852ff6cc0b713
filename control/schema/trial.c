/*
 * A database with our comment is ours: the comment comes right behind CREATE DATABASE, which has no room for it. Killed between
 * the two, an empty database stays, and is taken for somebody's; its name says whose it is.
 */
#include "trial.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive.h"
#include "batch.h"
#include "checks.h"
#include "command.h"
#include "leave.h"
#include "make.h"
#include "needed_roles.h"
#include "trial_end.h"

#define AT_A_TIME 500
#define COMMENT "Penstock trial of a schema: may be dropped"

typedef struct Trial {
    SchemaRoad road;
    char name[64];
    Text uri; /* leads to it */
    Builder builder;
    SchemaScript pre, post;
    size_t tried; /* objects of both */
    int made;     /* what make_database answered, and its error */
    Error not_made;
} Trial;

static int run(const Trial *trial, const char *format, Error *error)
{
    Text sql = {0};
    char *quoted = database_quote(trial->name);
    text_printf(&sql, format, quoted);
    int status = database_execute(trial->road.target, error, sql.data, 0);
    free(quoted);
    text_free(&sql);
    return status;
}

/* Drops what an interrupted trial has left. */
static int clear(const Trial *trial, Error *error)
{
    PGresult *rows = NULL;
    if (database_query(trial->road.target, &rows, error,
                       "SELECT shobj_description(oid, 'pg_database') IS NOT DISTINCT FROM $2 FROM pg_database"
                       " WHERE datname = $1::name",
                       2, trial->name, COMMENT) != 0) {
        return -1;
    }
    bool there = PQntuples(rows) > 0, ours = there && PQgetvalue(rows, 0, 0)[0] == 't';
    PQclear(rows);
    if (there && !ours) {
        error_set(error, ERROR_STATE, "the target's server has a database %s that is in the way of a trial",
                  trial->name);
        return error_hint(error, "Drop it if it is nobody's, or name another --migration.");
    }
    return ours ? run(trial, "DROP DATABASE %s", error) : 0;
}

/* As the target's database is, so that the same is refused. */
static int make_database(const Trial *trial, Error *error)
{
    char *options = NULL;
    Text sql = {0};
    int status = clear(trial, error);
    if (status == 0) {
        status = database_value(trial->road.target, &options, error,
                                "SELECT format(' TEMPLATE template0 ENCODING %L LC_COLLATE %L LC_CTYPE %L',"
                                "   pg_encoding_to_char(encoding), datcollate, datctype) FROM pg_database"
                                " WHERE datname = current_database()",
                                0);
    }
    if (status == 0) {
        char *quoted = database_quote(trial->name);
        text_printf(&sql, "CREATE DATABASE %s%s", quoted, options);
        status = database_execute(trial->road.target, error, sql.data, 0);
        free(quoted);
    }
    if (status == 0) {
        status = run(trial, "COMMENT ON DATABASE %s IS '" COMMENT "'", error);
    }
    text_free(&sql);
    free(options);
    return status;
}

/* The target's connection string with another database. */
static int lead_there(Trial *trial, Error *error)
{
    const char *uri = trial->road.target_uri != NULL ? trial->road.target_uri : "";
    PQconninfoOption *options = PQconninfoParse(uri, NULL);
    if (options == NULL) {
        return error_set(error, ERROR_USAGE, "the connection string of the target is not valid");
    }
    for (const PQconninfoOption *option = options; option->keyword != NULL; option++) {
        if (option->val != NULL && strcmp(option->keyword, "dbname") != 0) {
            text_conninfo_add(&trial->uri, option->keyword, option->val);
        }
    }
    PQconninfoFree(options);
    text_conninfo_add(&trial->uri, "dbname", trial->name);
    return 0;
}

static int try_object(void *context, const SchemaObject *object, size_t number, Error *error)
{
    Trial *trial = context;
    (void)number;
    const SchemaRoad *road = &trial->road;
    SchemaObject chosen = *object;
    Text statements = {0}, name = {0};
    Refusal refusal = {0};
    int status = 0;
    if (object_choice(road, object, &statements) != OBJECT_LEFT_OUT) {
        chosen.sql = statements.data != NULL ? statements.data : object->sql;
        status = builder_make(&trial->builder, &chosen, &refusal, error);
    }
    if (status == 0 && refusal.sqlstate[0] != '\0' && road->refused != NULL) {
        object_describe(object, &name);
        road->refused(road->context, name.data, refusal.words.data != NULL ? refusal.words.data : "");
    }
    text_free(&name);
    text_free(&statements);
    refusal_free(&refusal);
    return status;
}

static void count(const Trial *trial)
{
    if (trial->road.counted != NULL) {
        trial->road.counted(trial->road.context, trial->tried, trial->pre.count + trial->post.count);
    }
}

static int begin_next(Trial *trial, Error *error)
{
    count(trial);
    if (database_execute(trial->builder.session, error, "COMMIT", 0) != 0) {
        return -1;
    }
    builder_renew(&trial->road, trial->uri.data, archive_encoding(&trial->road), &trial->builder);
    return builder_begin(&trial->builder, false, error);
}

/* Each relation that is made stays locked to the end of its transaction, hence several. */
static int try_script(Trial *trial, const SchemaScript *script, Error *error)
{
    Batch batch = {.builder = &trial->builder, .make = try_object, .context = trial};
    if (builder_begin(&trial->builder, false, error) != 0) {
        return -1;
    }
    for (size_t i = 0; i < script->count; i++) {
        if (interrupted()) {
            return error_set(error, ERROR_INTERRUPTED, "interrupted while the schema was tried");
        }
        const SchemaObject *object = &script->objects[i];
        trial->tried++;
        if (batch_add(&batch, object, i, !object_is_plain(&trial->road, object), error) != 0 ||
            (i % AT_A_TIME == AT_A_TIME - 1 &&
             (batch_flush(&batch, error) != 0 || begin_next(trial, error) != 0))) {
            return -1;
        }
    }
    return batch_flush(&batch, error) != 0 ? -1
                                           : database_execute(trial->builder.session, error, "COMMIT", 0);
}

static int read_scripts(Trial *trial, Error *error)
{
    Archive *archive = NULL;
    int status = archive_dump(&trial->road, &archive, error);
    if (status == 0) {
        status = archive_script(archive, "pre-data", &trial->pre, error);
    }
    if (status == 0) {
        status = archive_script(archive, "post-data", &trial->post, error);
    }
    archive_free(archive);
    return status;
}

static void *make_beside(void *context)
{
    Trial *trial = context;
    trial->made = make_database(trial, &trial->not_made);
    return NULL;
}

/*
 * The server makes the database while the source's schema is read; the session of road->target is the other thread's meanwhile.
 * *made: it is there, whatever is returned.
 */
static int make_and_read(Trial *trial, bool *made, Error *error)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, make_beside, trial) != 0) {
        return error_set(error, ERROR_SYSTEM, "cannot start a thread");
    }
    int status = read_scripts(trial, error);
    pthread_join(thread, NULL);
    *made = trial->made == 0;
    if (!*made) {
        *error = trial->not_made;
    }
    return *made ? status : -1;
}

static int try_there(Trial *trial, Error *error)
{
    int status = checks_move(&trial->road, &trial->pre, &trial->post, error);
    if (status == 0) {
        status = leave_mark(trial->road.source, trial->road.left, &trial->pre, &trial->post, error);
    }
    if (status == 0) {
        status = builder_open(&trial->road, trial->uri.data, archive_encoding(&trial->road), &trial->builder,
                              error);
    }
    if (status == 0) {
        status = try_script(trial, &trial->pre, error);
    }
    if (status == 0) {
        status = try_script(trial, &trial->post, error);
    }
    database_close(trial->builder.session);
    return status;
}

static int may_make_databases(const SchemaRoad *road, bool *may, Error *error)
{
    return database_found(road->target, may, error,
                          "SELECT 1 FROM pg_roles WHERE rolname = current_user AND (rolsuper OR rolcreatedb)",
                          0);
}

int schema_trial(const SchemaRoad *road, const char **why_not, TrialEnd **end, Error *error)
{
    Trial trial = {.road = *road};
    Error missing = {0}, later = {0};
    bool may = false;
    *why_not = NULL;
    *end = NULL;
    if (may_make_databases(road, &may, error) != 0) {
        return -1;
    }
    if (!may) {
        *why_not = "the role of --target may not make a database to try it in (CREATEDB)";
        return 0;
    }
    snprintf(trial.name, sizeof trial.name, "penstock_trial_%.40s", road->migration);
    if (needed_roles_check(road, &missing) != 0) {
        trial.road.options.no_owner = trial.road.options.no_privileges = true;
    }
    bool made = false;
    int status = lead_there(&trial, error);
    if (status == 0) {
        status = make_and_read(&trial, &made, error);
    }
    if (status == 0) {
        status = try_there(&trial, error);
    }
    if (made && trial_end_begin(road->target_uri, trial.name, end, status == 0 ? error : &later) != 0) {
        status = -1;
    }
    script_free(&trial.pre);
    script_free(&trial.post);
    text_free(&trial.uri);
    return status == 0 ? 0 : error_context(error, "trying the schema in a database of its own");
}
