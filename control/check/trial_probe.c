/*
 * What no list of removed features can know: whether the target takes the schema. It is made there, without rows, in a database
 * of its own that is dropped again. Once the copy has made it, what that was refused is what is said here, by the same names: so
 * what was accepted of the trial stays accepted.
 */
#include "check.h"

#include "schema.h"
#include "tools.h"

typedef struct Trying {
    const CheckRequest *request;
    json_t *findings;
} Trying;

static void refused(void *context, const char *object, const char *words)
{
    const Trying *trying = context;
    finding_add(trying->findings, object, words, NULL);
}

static void waits(void *context)
{
    const Trying *trying = context;
    check_idle(trying->request, 0, 0);
}

static void counted(void *context, size_t done, size_t of)
{
    const Trying *trying = context;
    check_idle(trying->request, done, of);
}

/* Whether the copy of this migration has made the schema. */
static int is_made(CheckContext *context, bool *made, Error *error)
{
    bool there = false;
    *made = false;
    if (database_found(context->target, &there, error, "SELECT to_regclass('penstock.schema_object')", 0) !=
        0) {
        return -1;
    }
    return !there ? 0
                  : database_found(context->target, made, error,
                                   "SELECT 1 FROM penstock.schema_object WHERE migration = $1 LIMIT 1", 1,
                                   context->settings->migration);
}

/* What the copy has written down, with the server's words. */
static int remember(CheckContext *context, json_t *findings, Error *error)
{
    PGresult *rows = NULL;
    if (schema_refused(context->target, context->settings->migration, &rows, error) != 0) {
        return -1;
    }
    for (int i = 0; i < PQntuples(rows); i++) {
        finding_add(findings, PQgetvalue(rows, i, 0), PQgetvalue(rows, i, 1), NULL);
    }
    PQclear(rows);
    return 0;
}

int probe_trial_right(CheckContext *context, json_t *findings, Error *error)
{
    PGresult *rows = NULL;
    bool made = false;
    if (context->request->no_trial) {
        return check_skip(error, "as --no-trial says");
    }
    if (is_made(context, &made, error) != 0) {
        return -1;
    }
    if (made) {
        return check_skip(error, "the schema is on the target already");
    }
    if (database_query(context->target, &rows, error,
                       "SELECT format('role %I', rolname), format('ALTER ROLE %I CREATEDB', rolname)"
                       "  FROM pg_roles WHERE rolname = current_user AND NOT (rolsuper OR rolcreatedb)",
                       0) != 0) {
        return -1;
    }
    if (PQntuples(rows) > 0) {
        finding_add(findings, PQgetvalue(rows, 0, 0),
                    "it has no CREATEDB: what the target refuses of the schema is seen by the copy only",
                    PQgetvalue(rows, 0, 1));
    }
    PQclear(rows);
    return 0;
}

int probe_trial(CheckContext *context, json_t *findings, Error *error)
{
    const SchemaOptions *schema = context->request->schema;
    Trying trying = {.request = context->request, .findings = findings};
    const SchemaRoad road = {
        .source_uri = context->settings->source,
        .target_uri = context->settings->target,
        .migration = context->settings->migration,
        .source = context->source,
        .target = context->target,
        .left = &context->left,
        .tools = &context->tools,
        .jobs = 1,
        .options = schema != NULL ? *schema : (SchemaOptions){.tablespaces = context->request->tablespaces},
        .idle = waits,
        .refused = refused,
        .counted = counted,
        .context = &trying};
    const char *why_not = NULL;
    bool made = false;
    Error no_tools;
    if (is_made(context, &made, error) != 0) {
        return -1;
    }
    if (made) {
        return remember(context, findings, error);
    }
    if (context->request->no_trial || context->same_database) {
        return check_skip(error, "as --no-trial says");
    }
    if (check_tools(context, &no_tools) != 0) {
        return check_skip(error, "there is no pg_dump that fits the target");
    }
    if (schema_trial(&road, &why_not, &context->trial_end, error) != 0) {
        return -1;
    }
    return why_not != NULL ? check_skip(error, why_not) : 0;
}
