/*
 * Conflicts are written by workers, inside their transactions and with values in binary format; so only the text of the
 * statement comes from here.
 */
#include <stdio.h>
#include <stdlib.h>

#include "state.h"

char *state_conflict_sql(const char *key, const char *new_row)
{
    char *sql = NULL;
    if (asprintf(&sql,
                 "INSERT INTO penstock.conflict (migration, commit_lsn, sequence, schema_name, table_name, "
                 "kind, problem, sqlstate, message, action, key, new_row) VALUES ($1, $2::pg_catalog.pg_lsn, "
                 "$3::pg_catalog.int8, "
                 "$4, $5, $6, $7, CASE WHEN $8 OPERATOR(pg_catalog.<>) ''::pg_catalog.text THEN $8 END, CASE "
                 "WHEN $9 OPERATOR(pg_catalog.<>) ''::pg_catalog.text THEN $9 END, $10, %s, %s)",
                 key, new_row) < 0) {
        abort();
    }
    return sql;
}
