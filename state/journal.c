/*
 * The journal: lines are added, never changed. A name may serve one migration after another, and `finish` may keep the
 * lines of the one before; so what is read back begins with the row of the migration that is under way.
 */
#include "state.h"

#include <stdlib.h>

int state_journal(Database *target, const char *name, const char *operation, const char *step,
                  const char *event, const char *detail, Error *error)
{
    if (database_execute(target, error,
                         "INSERT INTO penstock.journal (migration, operation, step, event, detail) "
                         "VALUES ($1, $2, $3, $4, coalesce($5::jsonb, '{}'))",
                         5, name, operation, step, event, detail) != 0) {
        return error_context(error, "writing \"%s: %s %s\" into the journal", operation, step, event);
    }
    return 0;
}

int state_read_journal(Database *target, const char *name, const char *operation, JournalReader take,
                       void *context, Error *error)
{
    PGresult *lines = NULL;
    if (database_query(target, &lines, error,
                       "SELECT j.step, j.event, j.detail FROM penstock.journal j "
                       "JOIN penstock.migration m ON m.name = j.migration AND m.created_at <= j.at "
                       "WHERE j.migration = $1 AND j.operation = $2 ORDER BY j.id",
                       2, name, operation) != 0) {
        return error_context(error, "reading the journal of migration \"%s\"", name);
    }
    for (int line = 0; line < PQntuples(lines); line++) {
        take(context, PQgetvalue(lines, line, 0), PQgetvalue(lines, line, 1), PQgetvalue(lines, line, 2));
    }
    PQclear(lines);
    return 0;
}

int state_operation_open(Database *target, const char *name, const char *operation, const char *last_step,
                         bool *open, Error *error)
{
    char *answer = NULL;
    int status = database_value(
        target, &answer, error,
        "WITH lines AS (SELECT j.* FROM penstock.journal j"
        "  JOIN penstock.migration m ON m.name = j.migration AND m.created_at <= j.at"
        "  WHERE j.migration = $1 AND j.operation = $2),"
        " latest AS (SELECT DISTINCT ON (step) event FROM lines WHERE id > coalesce("
        "  (SELECT max(id) FROM lines WHERE step = $3 AND event = 'done'), 0) ORDER BY step, id DESC)"
        " SELECT EXISTS (SELECT FROM latest WHERE event <> 'undone')",
        3, name, operation, last_step);
    *open = answer != NULL && *answer == 't';
    free(answer);
    return status == 0 ? 0 : error_context(error, "reading the journal of migration \"%s\"", name);
}
