/*
 * What publishing would take, tried and rolled back. All parts are alike: what ALTER PUBLICATION … ADD does for a table does
 * not hang on how many there are (pg_publication_rel is looked up by its index).
 */
#include "clock.h"
#include "reverse_parts.h"
#include "silence.h"
#include "text.h"

#define PUBLICATION "penstock_rehearsal"

/* A table that is locked for longer is left for another time. */
#define PATIENCE "500ms"

static int publish(Database *target, const char *part, Error *error)
{
    Text sql = {0};
    text_printf(&sql,
                SILENCE_EVENT_TRIGGERS "CREATE PUBLICATION " PUBLICATION "; ALTER PUBLICATION " PUBLICATION
                                       " ADD TABLE ONLY %s",
                part);
    int status = database_execute(target, error, sql.data, 0);
    text_free(&sql);
    return status;
}

/* -1 for what could not be tried. */
static int time_part(Database *target, const char *part, double *seconds, Error *error)
{
    Error failure;
    *seconds = -1;
    if (database_execute(target, error, "BEGIN; SET LOCAL lock_timeout = '" PATIENCE "'", 0) != 0) {
        return -1;
    }
    double began = clock_seconds();
    if (publish(target, part, &failure) == 0) {
        *seconds = clock_seconds() - began;
    }
    return reverse_rollback(target, 0);
}

int reverse_measure(Database *target, const Migration *migration, size_t *tables, double *seconds,
                    Error *error)
{
    PGresult *parts = NULL;
    *seconds = 0;
    int status = reverse_table_count(target, migration, "all", tables, error);
    if (status == 0) {
        status = reverse_table_parts(target, migration, "all", &parts, error);
    }
    if (status == 0 && PQntuples(parts) > 0) {
        status = time_part(target, PQgetvalue(parts, 0, 0), seconds, error);
        *seconds *= *seconds > 0 ? PQntuples(parts) : 1;
    }
    PQclear(parts);
    return status;
}
