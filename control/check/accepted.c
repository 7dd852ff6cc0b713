/*
 * Problems that the operator has accepted by copy --force: they are in the state, and are no problems of this migration any more.
 *
 * A problem is known again by its check and its object. What the cutover's preflight says has numbers and names of the moment in
 * its words: of those, the check alone counts.
 */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "state.h"

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static bool is_refusal(const json_t *outcome)
{
    return strcmp(text_of(outcome, "status"), check_status_name(CHECK_PROBLEM)) == 0 ||
           strcmp(text_of(outcome, "status"), check_status_name(CHECK_ERROR)) == 0;
}

static bool is_of_the_switch(const json_t *outcome)
{
    return strcmp(text_of(outcome, "group"), CHECK_SWITCH_GROUP) == 0;
}

/* "": the whole check. */
static const char *object_of(const json_t *outcome, const json_t *finding)
{
    return is_of_the_switch(outcome) ? "" : text_of(finding, "object");
}

int check_accept(Database *target, const char *migration, const json_t *outcomes, Error *error)
{
    size_t i, j;
    json_t *outcome, *finding, *all = json_array();
    json_array_foreach(outcomes, i, outcome)
    {
        if (!is_refusal(outcome)) {
            continue;
        }
        if (json_array_size(json_object_get(outcome, "findings")) == 0) {
            json_array_append_new(all, json_pack("{s:s, s:s, s:s}", "check_id", text_of(outcome, "id"),
                                                 "object", "", "detail", text_of(outcome, "error")));
        }
        json_array_foreach(json_object_get(outcome, "findings"), j, finding)
        {
            json_array_append_new(all, json_pack("{s:s, s:s, s:s}", "check_id", text_of(outcome, "id"),
                                                 "object", object_of(outcome, finding), "detail",
                                                 is_of_the_switch(outcome) ? text_of(finding, "object")
                                                                           : text_of(finding, "detail")));
        }
    }
    char *text = json_dumps(all, JSON_COMPACT);
    int status = state_accept(target, migration, text, error);
    free(text);
    json_decref(all);
    return status;
}

static bool was_accepted(const json_t *accepted, const char *id, const char *object)
{
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(accepted, id), i, one)
    {
        if (strcmp(json_string_value(one), object) == 0) {
            return true;
        }
    }
    return false;
}

static void mark(const json_t *accepted, json_t *outcome)
{
    json_t *finding, *findings = json_object_get(outcome, "findings");
    size_t i, known = 0;
    json_array_foreach(findings, i, finding)
    {
        if (was_accepted(accepted, text_of(outcome, "id"), object_of(outcome, finding))) {
            json_object_set_new(finding, "accepted", json_true());
            known++;
        }
    }
    if (known == json_array_size(findings) &&
        (known > 0 || was_accepted(accepted, text_of(outcome, "id"), ""))) {
        json_object_set_new(outcome, "status", json_string(check_status_name(CHECK_ACCEPTED)));
    }
}

/* What cannot be read was not accepted. */
void check_mark_accepted(CheckContext *context, json_t *outcomes)
{
    char *text = NULL;
    Error ignored;
    json_t *outcome;
    size_t i;
    if (context->target == NULL ||
        state_accepted(context->target, context->settings->migration, &text, &ignored) != 0) {
        return;
    }
    json_t *accepted = text != NULL ? json_loads(text, 0, NULL) : NULL;
    free(text);
    json_array_foreach(outcomes, i, outcome)
    {
        if (accepted != NULL && is_refusal(outcome)) {
            mark(accepted, outcome);
        }
    }
    json_decref(accepted);
}
