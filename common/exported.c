#include "exported.h"

#include <stdio.h>
#include <string.h>

#include "text.h"

static int begin(Database *holder, Error *error)
{
    bool open = PQtransactionStatus(database_connection(holder)) != PQTRANS_IDLE;
    return open && database_execute(holder, error, "ROLLBACK", 0) != 0
               ? -1
               : database_execute(holder, error, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", 0);
}

/* One question for both: while it is asked, others may stand still for the snapshot. */
int exported_take(Database *holder, char **seen, char name[EXPORTED_SIZE], Error *error)
{
    PGresult *row = NULL;
    if (begin(holder, error) != 0 ||
        database_query(holder, &row, error,
                       seen == NULL
                           ? "SELECT pg_catalog.pg_export_snapshot()"
                           : "SELECT pg_catalog.pg_export_snapshot(), pg_catalog.txid_current_snapshot()",
                       0) != 0) {
        return -1;
    }
    snprintf(name, EXPORTED_SIZE, "%s", PQgetvalue(row, 0, 0));
    if (seen != NULL) {
        *seen = text_copy(PQgetvalue(row, 0, 1));
    }
    PQclear(row);
    return 0;
}

int exported_adopt(Database *database, const char *name, Error *error)
{
    char sql[96 + EXPORTED_SIZE];
    snprintf(sql, sizeof sql,
             "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT '%.63s'", name);
    return database_execute(database, error, sql, 0);
}

/* invalid_parameter_value, object_not_in_prerequisite_state, undefined_object (from 17 on). */
bool exported_is_gone(const Error *error)
{
    return strcmp(error->sqlstate, "22023") == 0 || strcmp(error->sqlstate, "55000") == 0 ||
           strcmp(error->sqlstate, "42704") == 0;
}
