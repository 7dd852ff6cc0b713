/*
 * The fences that stay after `penstock finish`, with the statements that lift them: the settings as they were before go with
 * the journal, so they are said now.
 */
#include "finish.h"

#include <stdlib.h>
#include <string.h>

#include "fence_sql.h"

/* Keeps the detail of the last fence that was raised; its begin has the settings as they were. */
static void take_line(void *context, const char *step, const char *event, const char *detail)
{
    json_t **last = context;
    if (strcmp(step, "fence") == 0 && strcmp(event, "begin") == 0) {
        json_decref(*last);
        *last = json_loads(detail, 0, NULL);
    }
}

int finish_read_fence(Database *target, const Migration *migration, const char *operation, FinishFence *out,
                      Error *error)
{
    json_t *detail = NULL;
    Error ignored;
    if (state_read_journal(target, migration->name, operation, take_line, &detail, error) != 0) {
        json_decref(detail);
        return -1;
    }
    out->known = detail != NULL && fence_before(detail, &out->before, &ignored) == 0;
    json_decref(detail);
    return 0;
}

int finish_look_at_fence(Database *database, FinishFence *fence, Error *error)
{
    return database_found(database, &fence->stands, error, "SELECT true WHERE " FENCE_STANDS, 0);
}

/* The name of a migration has no characters that would need quotes. */
int finish_mark_fence(Database *database, const Migration *migration, FinishFence *fence, Error *error)
{
    char *sql = NULL;
    int status =
        database_value(database, &sql, error,
                       "SELECT format('ALTER DATABASE %I SET " FENCE_FINISHED " = %L', current_database(),"
                       " concat($1::text, ' at ', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'), "
                       "' UTC'))",
                       1, migration->name);
    if (status == 0) {
        status = database_execute(database, error, sql, 0);
    }
    fence->marked = status == 0;
    free(sql);
    return status == 0 ? 0 : error_context(error, "noting on the fence that the migration is finished");
}

void finish_print_fence(FILE *out, const char *side, const char *database, const FinishFence *fence)
{
    char *name = database_quote(database);
    fprintf(out,
            "fence       stays: the %s is closed to all but superusers. To open it again, as one of them:\n"
            "              SET default_transaction_read_only = off;\n"
            "              ALTER DATABASE %s %s;\n"
            "              ALTER DATABASE %s %s;\n",
            side, name, fence->known ? fence->before.limit : "CONNECTION LIMIT -1", name,
            fence->known ? fence->before.read_only : "RESET default_transaction_read_only");
    if (fence->known && *fence->before.mark != '\0') {
        fprintf(out, "              ALTER DATABASE %s %s;\n", name, fence->before.mark);
    }
    if (fence->marked) {
        fprintf(out, "              ALTER DATABASE %s RESET " FENCE_FINISHED ";\n", name);
    }
    free(name);
}
