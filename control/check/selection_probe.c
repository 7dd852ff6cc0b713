/*
 * What stays behind: found before anything else is looked at, and hidden from the checks that come behind. Nothing is written.
 *
 * A migration that has begun goes by its own patterns, whatever the command line says.
 */
#include "check.h"

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
    const Selection *selection = kept.count > 0 ? &kept : context->selection;
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
