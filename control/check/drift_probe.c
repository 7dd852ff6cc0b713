/*
 * While a migration runs, what has been changed at the source is not changed on the target: the cutover's preflight asks the
 * same question.
 */
#include "check.h"

#include <string.h>

#include "drift.h"
#include "mend.h"
#include "state.h"

/* So many are said with their statement: each is a question to a server. */
#define MENDED 200

/* Whether the rows are copied and clients are still on the source: before, and behind the switch, differences say nothing. */
static int is_running(CheckContext *context, bool *running, Error *error)
{
    bool exists = false;
    Migration migration;
    *running = false;
    if (state_exists(context->target, &exists, error) != 0) {
        return -1;
    }
    if (exists && state_load(context->target, context->settings->migration, &migration, error) == 0) {
        *running = migration.phase == PHASE_COPIED;
    } else {
        error->code = ERROR_NONE; /* no migration of this name: nothing can have drifted */
    }
    return 0;
}

/* Rows that are known to be wrong on the target: no cutover begins before they have been copied again. */
static int find_marked(CheckContext *context, json_t *findings, Error *error)
{
    PGresult *rows = NULL;
    if (database_query(context->target, &rows, error,
                       "SELECT format('table %s.%s', schema_name, table_name), recopy_reason"
                       "  FROM penstock.relation WHERE migration = $1 AND recopy_lsn IS NOT NULL"
                       "   AND copy_state <> 'copied' ORDER BY 1",
                       1, context->settings->migration) != 0) {
        return -1;
    }
    for (int i = 0; i < PQntuples(rows); i++) {
        Text detail = {0};
        text_printf(
            &detail,
            "has to be copied again: %s. Stop penstock follow, run penstock copy, start penstock follow",
            PQgetvalue(rows, i, 1));
        finding_add(findings, PQgetvalue(rows, i, 0), detail.data, NULL);
        text_free(&detail);
    }
    PQclear(rows);
    return 0;
}

int probe_drift(CheckContext *context, json_t *findings, Error *error)
{
    bool running = false;
    CatalogDifferences differences;
    if (is_running(context, &running, error) != 0) {
        return -1;
    }
    if (!running) {
        return 0;
    }
    if (find_marked(context, findings, error) != 0 ||
        drift_find(context->source, context->target, context->settings->migration, DRIFT_OF_WHAT_TRAVELS,
                   NULL, &differences, error) != 0) {
        return -1;
    }
    int status = 0;
    for (size_t i = 0; i < differences.count && status == 0; i++) {
        Text object = {0}, line = {0}, fix = {0};
        text_printf(&object, "%s %s", differences.list[i].kind, differences.list[i].object);
        drift_describe(&differences.list[i], &line);
        const char *detail = line.data + object.size;
        status = i < MENDED ? drift_mend(context->source, context->target, TRUTH_AT_SOURCE,
                                         &differences.list[i], &fix, error)
                            : 0;
        finding_add(findings, object.data, detail + strspn(detail, ": "), fix.data);
        text_free(&object);
        text_free(&line);
        text_free(&fix);
    }
    catalog_differences_free(&differences);
    return status;
}
