/*
 * SET ROLE alone keeps nobody: RESET ROLE in a function goes back to the role of the session. The server has one way to run code of
 * a role that is not trusted in a session that is: a security-restricted operation (SECURITY_RESTRICTED_OPERATION, miscinit.c), in
 * which the role cannot be changed, nothing can be prepared or put into pg_temp, no cursor or deferred trigger is left for the
 * commit, and settings go back at its end. REFRESH MATERIALIZED VIEW is one, as the owner of the view (RefreshMatViewByOid,
 * ExecRefreshMatView before 17). So the room in which a statement runs is a materialized view that the role owns for that long,
 * whose query calls penstock.run_ddl(), which runs the statement that two settings hand it. From 17 on, its search_path is
 * pg_catalog to begin with.
 *
 * The room has the number of our process in its name, and goes in the same transaction: nobody else ever sees it.
 */
#include "as_role.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

static const char may_everything_sql[] =
    "SELECT 1 FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) $1 AND rolsuper";

static const char hand_over_sql[] = "SELECT pg_catalog.set_config('penstock.ddl_statement', $1, true), "
                                    "pg_catalog.set_config('penstock.ddl_path', $2, true)";

/* Whoever is no superuser may give a view only to a role that may make one there: it has that right for no longer. */
static void write_room(const AsRole *as, const char *role, Text *sql)
{
    const char *super = PQparameterStatus(database_connection(as->target), "is_superuser");
    bool grant = super == NULL || strcmp(super, "on") != 0;
    char *name = database_quote(role);
    text_printf(sql, "CREATE MATERIALIZED VIEW %s AS SELECT penstock.run_ddl() AS done WITH NO DATA;",
                as->room);
    if (grant) {
        text_printf(sql, "GRANT CREATE ON SCHEMA penstock TO %s;", name);
    }
    text_printf(sql, "ALTER MATERIALIZED VIEW %s OWNER TO %s;", as->room, name);
    if (grant) {
        text_printf(sql, "REVOKE CREATE ON SCHEMA penstock FROM %s;", name);
    }
    free(name);
}

int as_role_open(AsRole *out, Database *target, const char *role, Error *error)
{
    Text sql = {0};
    bool super = false;
    *out = (AsRole){.target = target};
    if (role[0] == '\0') {
        return 0;
    }
    if (database_found(target, &super, error, may_everything_sql, 1, role) != 0) {
        return -1;
    }
    if (super) {
        return database_execute(target, error, "SELECT pg_catalog.set_config('role', $1, true)", 1, role);
    }
    out->confined = true;
    snprintf(out->room, sizeof out->room, "penstock.ddl_room_%d", PQbackendPID(database_connection(target)));
    write_room(out, role, &sql);
    int status = database_execute(target, error, sql.data, 0);
    if (status != 0 && strcmp(error->sqlstate, "42704") == 0) {
        error_hint(error, "penstock roles makes the roles that the target lacks");
    }
    text_free(&sql);
    return status;
}

int as_role_run(const AsRole *as, const char *path, const char *sql, Error *error)
{
    char enter[sizeof as->room + 32];
    if (!as->confined) {
        return database_execute(as->target, error, "SELECT pg_catalog.set_config('search_path', $1, true)", 1,
                                path) == 0
                   ? database_execute(as->target, error, sql, 0)
                   : -1;
    }
    snprintf(enter, sizeof enter, "REFRESH MATERIALIZED VIEW %s", as->room);
    return database_often(as->target, NULL, error, hand_over_sql, 2, sql, path) == 0
               ? database_execute(as->target, error, enter, 0)
               : -1;
}

int as_role_close(const AsRole *as, Error *error)
{
    char leave[sizeof as->room + 32];
    snprintf(leave, sizeof leave, "DROP MATERIALIZED VIEW %s", as->room);
    return database_execute(as->target, error, as->confined ? leave : "SET LOCAL role = none", 0);
}
