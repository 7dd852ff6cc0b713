/*
 * What the operator has accepted of the check's problems. It is written before the migration has its row, so that a copy that is
 * killed at once does not ask again. A check may find several things in one object.
 */
#include "state.h"

int state_accept(Database *target, const char *name, const char *findings, Error *error)
{
    return database_execute(
        target, error,
        "INSERT INTO penstock.accepted (migration, check_id, object, detail)"
        " SELECT $1, f.check_id, f.object, coalesce(string_agg(f.detail, '; '), '')"
        " FROM json_to_recordset($2::json) AS f(check_id text, object text, detail text) GROUP BY 2, 3"
        " ON CONFLICT (migration, check_id, object) DO UPDATE SET detail = EXCLUDED.detail",
        2, name, findings);
}

int state_accepted(Database *target, const char *name, char **out, Error *error)
{
    bool exists = false;
    *out = NULL;
    if (database_found(target, &exists, error, "SELECT to_regclass('penstock.accepted')", 0) != 0) {
        return -1;
    }
    return exists ? database_value(target, out, error,
                                   "SELECT json_object_agg(check_id, objects) FROM (SELECT check_id,"
                                   " json_agg(object) AS objects FROM penstock.accepted WHERE migration = $1"
                                   " GROUP BY check_id) a",
                                   1, name)
                  : 0;
}
