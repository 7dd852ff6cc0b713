/*
 * Checks that take more than a query: connecting, comparing versions, and trying whether a setting may be
 * set.
 */
#include "check.h"

#include "ends.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state.h"

#define OLDEST_SOURCE 11
#define NO_SUCH_DATABASE "3D000"

/*
 * A server that cannot be reached is a finding, not an error of the check. Returns the server's SQLSTATE in sqlstate, "" without.
 */
static void connect_or_find(const char *uri, DatabaseEnd end, Database **out, json_t *findings,
                            char sqlstate[6])
{
    Error error = {.code = ERROR_NONE};
    sqlstate[0] = '\0';
    if (database_connect(uri, end, "check", out, &error) == 0) {
        return;
    }
    *out = NULL;
    snprintf(sqlstate, 6, "%s", error.sqlstate);
    finding_add(findings, end == DATABASE_SOURCE ? "source" : "target", error.message, NULL);
    if (error.hint[0] != '\0') {
        json_object_set_new(json_array_get(findings, 0), "hint", json_string(error.hint));
    }
}

int probe_source(CheckContext *context, json_t *findings, Error *error)
{
    char sqlstate[6];
    (void)error;
    connect_or_find(context->settings->source, DATABASE_SOURCE, &context->source, findings, sqlstate);
    return 0;
}

/* A database that is yet to be made is made as the source's is. */
static void advise_to_make(CheckContext *context, json_t *findings)
{
    char *name = conninfo_get(context->settings->target, "dbname"), *fix = NULL;
    Error ignored;
    json_t *finding = json_array_get(findings, 0);
    if (context->source != NULL && name != NULL &&
        database_value(context->source, &fix, &ignored,
                       "SELECT format('CREATE DATABASE %I ENCODING %L LC_COLLATE %L LC_CTYPE %L TEMPLATE "
                       "template0;', $1::text, pg_encoding_to_char(encoding), datcollate, datctype) FROM "
                       "pg_database WHERE datname = current_database()",
                       1, name) == 0) {
        json_object_set_new(finding, "fix", json_string(fix));
    }
    free(fix);
    free(name);
}

int probe_target(CheckContext *context, json_t *findings, Error *error)
{
    char sqlstate[6];
    (void)error;
    connect_or_find(context->settings->target, DATABASE_TARGET, &context->target, findings, sqlstate);
    if (context->target == NULL && strcmp(sqlstate, NO_SUCH_DATABASE) == 0) {
        advise_to_make(context, findings);
        stand_in_find(context);
    }
    return 0;
}

static char *identity_of(Database *database, Error *error)
{
    char *identity = NULL;
    int status = database_value(
        database, &identity, error,
        "SELECT concat(system_identifier, '/', current_database()) FROM pg_control_system()", 0);
    return status == 0 ? identity : NULL;
}

static int find_same_database(CheckContext *context, json_t *findings, Error *error)
{
    char *source = identity_of(context->source, error);
    char *target = source != NULL ? identity_of(context->target, error) : NULL;
    if (target != NULL && strcmp(source, target) == 0) {
        finding_add(findings, "source and target", "they are the same database", NULL);
    }
    int status = target != NULL ? 0 : -1;
    free(source);
    free(target);
    return status;
}

int probe_versions(CheckContext *context, json_t *findings, Error *error)
{
    char detail[128];
    int source = database_version(context->source) / 10000;
    int target = database_version(context->target) / 10000;
    if (source < OLDEST_SOURCE) {
        snprintf(detail, sizeof detail, "PostgreSQL %d; %d is the oldest that Penstock decodes", source,
                 OLDEST_SOURCE);
        finding_add(findings, "source", detail, NULL);
    }
    if (target < source) {
        snprintf(detail, sizeof detail, "PostgreSQL %d, older than the source's %d", target, source);
        finding_add(findings, "target", detail, NULL);
    }
    return context->stand_in.stands ? 0 : find_same_database(context, findings, error);
}

int probe_session_role(CheckContext *context, json_t *findings, Error *error)
{
    Error refused = {.code = ERROR_NONE};
    char *role = NULL;
    if (database_execute(context->target, &refused,
                         "SET session_replication_role = replica; RESET session_replication_role", 0) == 0) {
        return 0;
    }
    if (strcmp(refused.sqlstate, "42501") != 0) {
        *error = refused;
        return -1;
    }
    if (database_value(context->target, &role, error, "SELECT format('role %I', current_user)", 0) != 0) {
        return -1;
    }
    finding_add(findings, role, refused.message, NULL);
    free(role);
    return 0;
}

/* True in *ours when the target holds the migration that the settings name. */
static int holds_this_migration(CheckContext *context, bool *ours, Error *error)
{
    Migration migration;
    bool exists = false;
    *ours = false;
    if (state_exists(context->target, &exists, error) != 0) {
        return -1;
    }
    if (!exists) {
        return 0;
    }
    if (state_load(context->target, context->settings->migration, &migration, error) == 0) {
        *ours = true;
        return 0;
    }
    return error->code == ERROR_STATE ? 0 : -1;
}

int probe_same_database(CheckContext *context, json_t *findings, Error *error)
{
    if (ends_same(context->source, context->target, &context->same_database, error) != 0) {
        return -1;
    }
    if (context->same_database) {
        finding_add(findings, PQdb(database_connection(context->target)),
                    "--source and --target lead to one and the same database", NULL);
    }
    return 0;
}

/* What is in the source's own database is in nobody's way. */
int probe_target_empty(CheckContext *context, json_t *findings, Error *error)
{
    PGresult *result = NULL;
    bool ours = false;
    if (holds_this_migration(context, &ours, error) != 0) {
        return -1;
    }
    error->code = ERROR_NONE;
    if (ours || context->same_database) {
        return 0;
    }
    if (database_query(
            context->target, &result, error,
            "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c "
            "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'm', 'v', 'S', 'f') "
            "AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'penstock') "
            "AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass "
            "AND e.objid = c.oid AND e.deptype = 'e') ORDER BY 1",
            0) != 0) {
        return -1;
    }
    for (int i = 0; i < PQntuples(result); i++) {
        finding_add(findings, PQgetvalue(result, i, 0), "already there", NULL);
    }
    PQclear(result);
    return 0;
}

int probe_migration_name(CheckContext *context, json_t *findings, Error *error)
{
    char slot[64];
    if (state_slot_name(context->settings->migration, slot, error) != 0) {
        finding_add(findings, error->message, error->hint, NULL);
        error->code = ERROR_NONE;
    }
    return 0;
}
