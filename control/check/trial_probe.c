/*
 * What no list of removed features can know: whether the target takes the schema. It is made there, without rows, in a database
 * of its own that is dropped again.
 */
#include "check.h"

#include "tools.h"
#include "trial.h"

static void refused(void *context, const char *object, const char *words)
{
    finding_add(context, object, words, NULL);
}

/* A target that holds the migration already has had the copy's own words. */
static int is_copied(CheckContext *context, bool *copied, Error *error)
{
    *copied = false;
    return database_found(context->target, copied, error, "SELECT to_regclass('penstock.schema_object')", 0);
}

int probe_trial(CheckContext *context, json_t *findings, Error *error)
{
    const SchemaOptions *schema = context->request->schema;
    const SchemaRoad road = {
        .source_uri = context->settings->source,
        .target_uri = context->settings->target,
        .migration = context->settings->migration,
        .source = context->source,
        .target = context->target,
        .left = &context->left,
        .jobs = 1,
        .options = schema != NULL ? *schema : (SchemaOptions){.tablespaces = context->request->tablespaces},
        .refused = refused,
        .context = findings};
    const char *why_not = NULL;
    bool copied = false;
    Tools tools;
    Error no_tools;
    if (context->request->no_trial || context->same_database) {
        return check_skip(error, "as --no-trial says");
    }
    if (tools_find(database_version(context->target) / 10000, &tools, &no_tools) != 0) {
        return check_skip(error, "there is no pg_dump that fits the target");
    }
    if (is_copied(context, &copied, error) != 0) {
        return -1;
    }
    if (copied) {
        return check_skip(error, "the target holds the state of a migration");
    }
    if (schema_trial(&road, &why_not, error) != 0) {
        return -1;
    }
    return why_not != NULL ? check_skip(error, why_not) : 0;
}
