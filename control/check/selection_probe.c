/*
 * What stays behind: found before anything else is looked at, and hidden from the checks that come behind. Nothing is written.
 *
 * A migration that has begun goes by its own patterns, whatever the command line says.
 */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "state.h"

static int load_selection(CheckContext *context, Selection *out, Error *error)
{
    bool exists = false;
    *out = (Selection){0};
    return context->target != NULL && state_exists(context->target, &exists, error) == 0 && exists
               ? selection_load(context->target, context->settings->migration, out, error)
               : 0;
}

/* What a finding says of a relation. */
static void tell(json_t *findings, const LeftRelation *relation)
{
    Text name = {0}, detail = {0};
    text_printf(&name, "%s.%s", relation->schema, relation->name);
    text_printf(&detail, "%s (%s)",
                relation->extent == LEFT_ALL ? "stays behind" : "is made on the target without its rows",
                relation->reason);
    finding_add(findings, name.data, detail.data, NULL);
    text_free(&name);
    text_free(&detail);
}

int probe_left_behind(CheckContext *context, json_t *findings, Error *error)
{
    Selection kept = {0};
    if (load_selection(context, &kept, error) != 0) {
        return -1;
    }
    const Selection *selection = kept.count > 0 ? &kept : context->request->selection;
    int status = 0;
    if (selection != NULL && selection->count > 0) {
        status = left_behind_find(context->source, selection, NULL, &context->left, error);
    }
    if (status == 0) {
        status = left_behind_hide(context->source, &context->left, error);
    }
    for (size_t i = 0; status == 0 && i < context->left.count; i++) {
        tell(findings, &context->left.list[i]);
    }
    selection_free(&kept);
    return status;
}

int probe_selection(CheckContext *context, json_t *findings, Error *error)
{
    (void)error;
    if (context->left.idle.size > 0) {
        finding_add(findings, context->left.idle.data, "no table, view or sequence of the source is so named",
                    NULL);
    }
    if (context->left.count > 0 && context->left.kept == 0) {
        finding_add(findings, "everything", "stays behind, by these patterns", NULL);
    }
    return 0;
}

static int look_on_target(CheckContext *context, json_t *findings, const char *from, const char *to,
                          Error *error)
{
    char *fix = NULL;
    Text name = {0};
    int status = database_value(
        context->target, &fix, error,
        "SELECT format('CREATE TABLESPACE %I LOCATION %L', $1::name, '/a/folder/of/the/target')"
        " WHERE NOT EXISTS (SELECT FROM pg_tablespace WHERE spcname = $1::name)",
        1, to);
    if (fix != NULL) {
        text_printf(&name, "tablespace %s", to);
        finding_add(findings, name.data, strcmp(from, to) != 0 ? from : NULL, fix);
    }
    text_free(&name);
    free(fix);
    return status;
}

/* Tablespaces of what is moved, by the names that they have on the target. */
int probe_tablespaces(CheckContext *context, json_t *findings, Error *error)
{
    PGresult *rows = NULL;
    if (database_query(
            context->source, &rows, error,
            "SELECT DISTINCT s.spcname FROM pg_tablespace s JOIN pg_class c ON c.reltablespace = s.oid"
            " WHERE c.oid >= 16384 AND s.spcname NOT IN ('pg_default', 'pg_global') AND " IS_KEPT(
                "c.oid") " ORDER BY 1",
            0) != 0) {
        return -1;
    }
    int status = 0;
    for (int i = 0; status == 0 && i < PQntuples(rows); i++) {
        const char *from = PQgetvalue(rows, i, 0);
        const char *to = context->request->tablespaces != NULL
                             ? tablespaces_map(context->request->tablespaces, from)
                             : from;
        status = *to != 0 ? look_on_target(context, findings, from, to, error) : 0;
    }
    PQclear(rows);
    return status;
}
