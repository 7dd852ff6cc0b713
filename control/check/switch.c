/*
 * What the cutover's own preflight finds before there is a copy, as outcomes: a row of its table is one check here.
 */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "preflight.h"
#include "state.h"

/* The outcome that is being filled; they come row by row. */
typedef struct Filling {
    json_t *outcomes;
    const PreflightRow *row; /* NULL: none */
    CheckStatus status;
    json_t *findings;
    char *error;
} Filling;

static void end_row(Filling *filling)
{
    if (filling->row == NULL) {
        return;
    }
    bool found = json_array_size(filling->findings) > 0 && filling->status != CHECK_NOTE;
    json_array_append_new(filling->outcomes,
                          check_outcome(filling->row->id, CHECK_SWITCH_GROUP, filling->row->title,
                                        filling->status, filling->findings,
                                        found ? filling->row->advice : NULL, filling->error));
    free(filling->error);
    *filling = (Filling){.outcomes = filling->outcomes};
}

static void begin_row(Filling *filling, const PreflightRow *row)
{
    end_row(filling);
    filling->row = row;
    filling->status = CHECK_OK;
    filling->findings = json_array();
}

/* The worst of a row is its status; what is less says so of itself. */
static void add_finding(Filling *filling, CheckStatus status, const PreflightFinding *finding)
{
    finding_add(filling->findings, finding->words, NULL, finding->fix);
    json_t *added = json_array_get(filling->findings, json_array_size(filling->findings) - 1);
    if (*finding->hint != '\0') {
        json_object_set_new(added, "hint", json_string(finding->hint));
    }
    json_object_set_new(added, "severity", json_string(check_status_name(status)));
    if (filling->status == CHECK_OK || status > filling->status) {
        filling->status = status;
    }
}

static void drop_equal_severities(Filling *filling)
{
    size_t index;
    json_t *finding;
    json_array_foreach(filling->findings, index, finding)
    {
        const char *own = json_string_value(json_object_get(finding, "severity"));
        if (own != NULL && strcmp(own, check_status_name(filling->status)) == 0) {
            json_object_del(finding, "severity");
        }
    }
}

static void hear(void *context, const PreflightRow *row, const PreflightFinding *finding)
{
    Filling *filling = context;
    switch (finding->weight) {
    case PREFLIGHT_BEGINS:
        begin_row(filling, row);
        return;
    case PREFLIGHT_SKIPPED:
        filling->status = CHECK_SKIPPED;
        filling->error = strdup(finding->words);
        return;
    case PREFLIGHT_UNKNOWN:
        filling->status = CHECK_ERROR;
        free(filling->error);
        filling->error = strdup(finding->words);
        return;
    case PREFLIGHT_NOTE:
        add_finding(filling, CHECK_NOTE, finding);
        break;
    case PREFLIGHT_WARNING:
        add_finding(filling, CHECK_WARNING, finding);
        break;
    default:
        add_finding(filling, CHECK_PROBLEM, finding);
    }
    drop_equal_severities(filling);
}

/* Behind the switch, the source is fenced and the proxies lead elsewhere: nothing is ahead any more. */
static bool is_ahead(CheckContext *context)
{
    bool exists = false;
    Migration migration;
    Error ignored;
    if (context->target == NULL || state_exists(context->target, &exists, &ignored) != 0 || !exists ||
        state_load(context->target, context->settings->migration, &migration, &ignored) != 0) {
        return true;
    }
    return migration.phase <= PHASE_COPIED;
}

void check_switch(CheckContext *context, json_t *outcomes)
{
    Filling filling = {.outcomes = outcomes};
    CutoverOptions *ahead = context->request->ahead, replaced = *ahead;
    if (context->stand_in.reverse_conninfo != NULL) {
        replaced.reverse_conninfo = context->stand_in.reverse_conninfo;
        ahead = &replaced;
    }
    if (!context->same_database && is_ahead(context)) {
        preflight_early(context->settings, ahead, context->source, context->target, hear, &filling);
    }
    end_row(&filling);
}
