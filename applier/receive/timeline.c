/*
 * A server that is promoted, or restored to an earlier point, goes on under a new timeline, and its history file says where
 * it left each timeline before:
 *
 *     timeline 1  ────────────┬──── what only the old server had
 *                             S
 *     timeline 2              └───────► what only the new one has
 *
 * Up to S both are the same bytes at the same positions. So when the target has nothing from behind S, the stream of the new
 * timeline fits, if a slot is there to read it from. When it has, or may have, it holds transactions that this server
 * never had, and nothing that comes will take them back.
 */
#include "timeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char does_not_go_on[] = "the one does not go on from the other";

/* The line "PARENT <tab> SWITCHPOINT <tab> REASON" of that parent; false when there is none. */
static bool find_switch(const char *history, int parent, Lsn *out)
{
    for (const char *line = history; line != NULL && *line != '\0';) {
        int timeline;
        unsigned high, low;
        if (sscanf(line, " %d %X/%X", &timeline, &high, &low) == 3 && timeline == parent) {
            *out = (Lsn)high << 32 | low;
            return true;
        }
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    return false;
}

static int refuse(const ReceiverOptions *options, int timeline, const char *why, Error *error)
{
    error_set(error, ERROR_STATE, "the source is on timeline %d, and the migration is on timeline %d: %s",
              timeline, options->timeline, why);
    return error_hint(
        error,
        "A standby that lacked the last transactions was promoted, or the server was restored to "
        "an earlier point. If the server of timeline %d still runs, let --source lead to it; else "
        "run penstock finish --abandon, then penstock copy again.",
        options->timeline);
}

static int judge(const ReceiverOptions *options, int timeline, const char *history, Error *error)
{
    char why[160], at[LSN_TEXT_SIZE], known[LSN_TEXT_SIZE];
    Lsn left;
    if (!find_switch(history, options->timeline, &left)) {
        return refuse(options, timeline, does_not_go_on, error);
    }
    if (lsn_end_before(options->known) > left) {
        snprintf(
            why, sizeof why,
            "the one left the other at %s, and the target may have changes up to %s that this server never "
            "had",
            lsn_format(left, at), lsn_format(options->known, known));
        return refuse(options, timeline, why, error);
    }
    return 0;
}

int timeline_check(Database *source, const ReceiverOptions *options, int timeline, Error *error)
{
    char sql[48];
    PGresult *result;
    if (options->timeline == 0 || timeline == options->timeline) {
        return 0;
    }
    if (timeline < options->timeline) { /* the first timeline has no history file */
        return refuse(options, timeline, does_not_go_on, error);
    }
    snprintf(sql, sizeof sql, "TIMELINE_HISTORY %d", timeline);
    if (database_query(source, &result, error, sql, 0) != 0) {
        return error_context(error, "asking the source for the history of timeline %d", timeline);
    }
    int status = judge(options, timeline, PQgetvalue(result, 0, 1), error);
    PQclear(result);
    return status;
}
