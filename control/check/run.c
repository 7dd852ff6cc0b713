/*
 * Runs the rows, in order, and turns whatever happens into an outcome. An error is an outcome too: the
 * connection may be in any state after it, so it is only ever used for whole statements outside transactions.
 */
#include "check.h"

#include <string.h>

static const CheckGroup *const groups[] = {
    &check_server_rows, &check_role_rows,  &check_target_rows, &check_both_rows,
    &check_left_rows,   &check_table_rows, &check_data_rows,   &check_object_rows,
};

static const char *cell(const PGresult *result, int row, int column)
{
    return PQgetisnull(result, row, column) ? NULL : PQgetvalue(result, row, column);
}

static int run_sql(const CheckRow *row, CheckContext *context, json_t *findings, Error *error)
{
    Database *database = row->side == ON_SOURCE ? context->source : context->target;
    PGresult *result = NULL;
    char *gathered = NULL;
    if (row->gather != NULL && database_value(context->source, &gathered, error, row->gather, 0) != 0) {
        return -1;
    }
    int status = row->gather != NULL ? database_query(database, &result, error, row->sql, 1, gathered)
                                     : database_query(database, &result, error, row->sql, 0);
    free(gathered);
    if (status != 0) {
        return -1;
    }
    for (int i = 0; i < PQntuples(result); i++) {
        finding_add(findings, cell(result, i, 0), cell(result, i, 1), cell(result, i, 2));
    }
    PQclear(result);
    return 0;
}

/* Why row cannot be run, or NULL. */
static const char *reason_to_skip(const CheckRow *row, const CheckContext *context)
{
    unsigned needs = row->needs;
    if (row->sql != NULL) {
        needs = (row->side == ON_SOURCE || row->gather != NULL ? NEEDS_SOURCE : 0) |
                (row->side == ON_TARGET ? NEEDS_TARGET : 0);
    }
    if ((needs & NEEDS_SOURCE) != 0 && context->source == NULL) {
        return "the source is not reachable";
    }
    if ((needs & NEEDS_TARGET) != 0 && context->target == NULL) {
        return "the target is not reachable";
    }
    if (row->of_database && context->stand_in.stands) {
        return "the target database is not there yet";
    }
    return NULL;
}

/* False for a check of something that these two versions have in the same way. */
static bool applies(const CheckRow *row, const CheckContext *context)
{
    if (row->removed_in == 0) {
        return true;
    }
    bool source_has = context->source == NULL || database_version(context->source) / 10000 < row->removed_in;
    bool target_lacks =
        context->target == NULL || database_version(context->target) / 10000 >= row->removed_in;
    return source_has && target_lacks;
}

static bool is_settled(const CheckContext *context, const char *id)
{
    const char *const *settled = context->request->settled;
    while (settled != NULL && *settled != NULL && strcmp(*settled, id) != 0) {
        settled++;
    }
    return settled != NULL && *settled != NULL;
}

static CheckStatus run_row(const CheckRow *row, CheckContext *context, json_t *findings, Error *error)
{
    const char *skip = is_settled(context, row->id) ? "settled by an option of the copy"
                       : applies(row, context)      ? reason_to_skip(row, context)
                                                    : "nothing changed between these versions";
    if (skip != NULL) {
        error_set(error, ERROR_NONE, "%s", skip);
        return CHECK_SKIPPED;
    }
    int status = row->function != NULL ? row->function(context, findings, error)
                                       : run_sql(row, context, findings, error);
    if (status != 0 && error->code == ERROR_NONE) {
        return CHECK_SKIPPED;
    }
    if (status != 0) {
        /* What would only be worth knowing is not worth a complaint. */
        return row->severity == CHECK_NOTE ? CHECK_SKIPPED : CHECK_ERROR;
    }
    return json_array_size(findings) > 0 ? row->severity : CHECK_OK;
}

static json_t *make_outcome(const CheckGroup *group, const CheckRow *row, CheckContext *context)
{
    Error error = {.code = ERROR_NONE};
    json_t *findings = json_array();
    CheckStatus status = run_row(row, context, findings, &error);
    bool found = status == CHECK_NOTE || status == CHECK_WARNING || status == CHECK_PROBLEM;
    return check_outcome(row->id, group->title, row->title, status, findings, found ? row->advice : NULL,
                         status == CHECK_ERROR || status == CHECK_SKIPPED ? error.message : NULL);
}

/* That the database of the trial could not be dropped is said where the trial is. */
static void end_trial(CheckContext *context, json_t *outcomes)
{
    Error error = {.code = ERROR_NONE};
    json_t *outcome;
    size_t i;
    if (context->request->trial_end != NULL) {
        *context->request->trial_end = context->trial_end;
        return;
    }
    if (trial_end_wait(context->trial_end, &error) == 0) {
        return;
    }
    json_array_foreach(outcomes, i, outcome)
    {
        if (strcmp(json_string_value(json_object_get(outcome, "id")), CHECK_TRIAL) == 0) {
            json_object_set_new(outcome, "status", json_string(check_status_name(CHECK_ERROR)));
            json_object_set_new(outcome, "error", json_string(error.message));
        }
    }
}

void check_idle(const CheckRequest *request, size_t done, size_t of)
{
    if (request->idle != NULL) {
        request->idle(request->context, done, of);
    }
}

json_t *check_run(const CheckRequest *request)
{
    CheckContext context = {.settings = request->settings, .request = request};
    json_t *outcomes = json_array();
    for (size_t g = 0; g < sizeof groups / sizeof groups[0]; g++) {
        for (size_t i = 0; i < groups[g]->count && !interrupted(); i++) {
            check_idle(request, 0, 0);
            json_array_append_new(outcomes, make_outcome(groups[g], &groups[g]->rows[i], &context));
        }
    }
    if (!interrupted()) {
        check_switch(&context, outcomes);
    }
    check_mark_accepted(&context, outcomes);
    end_trial(&context, outcomes);
    left_behind_free(&context.left);
    database_close(context.source);
    database_close(context.target);
    stand_in_free(&context.stand_in);
    return outcomes;
}
