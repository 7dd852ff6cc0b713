/*
 * The first line that fits decides (hba.c, check_hba). A line fits for certain, or may: its address or its kind of connection
 * may be something that cannot be judged from here. So a login is turned away when no line can fit, or when the first that may
 * fit does so for certain and asks for what the role has not got. GSS encryption is nothing that a proxy or a pool speaks.
 */
#include "hba.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"

/*
 * $1 database, $2 user, $3 address. Columns of the view since 10; file names came with 16. In 16 and later a name that begins
 * with a slash is a pattern: it may fit.
 */
static const char first_sql[] =
    "SELECT r.line_number, r.auth_method, r.certain"
    "  FROM (SELECT h.line_number, h.auth_method,"
    "    h.type IN ('host', 'hostnogssenc') AND NOT names.pattern AND CASE"
    "      WHEN h.address = 'all' THEN true"
    "      WHEN h.netmask IS NULL OR $3::text IS NULL THEN false ELSE true END AS certain,"
    "    (names.fits OR names.pattern) AND CASE"
    "      WHEN h.netmask IS NULL OR $3::text IS NULL THEN true"
    "      WHEN family(h.address::inet) <> family($3::inet) THEN false"
    "      ELSE host($3::inet & h.netmask::inet) = host(h.address::inet & h.netmask::inet) END AS fits"
    "   FROM pg_hba_file_rules h, LATERAL (SELECT"
    "     EXISTS (SELECT FROM unnest(h.database) d WHERE d IN ('all', $1) OR (d = 'sameuser' AND $1 = $2)"
    "       OR (d IN ('samerole', 'samegroup') AND EXISTS (SELECT FROM pg_roles g, pg_roles m WHERE "
    "g.rolname = $1"
    "         AND m.rolname = $2 AND pg_has_role(m.oid, g.oid, 'MEMBER'))))"
    "     AND EXISTS (SELECT FROM unnest(h.user_name) u WHERE u IN ('all', $2) OR EXISTS (SELECT FROM "
    "pg_roles g, pg_roles m"
    "       WHERE u = concat('+', g.rolname) AND m.rolname = $2 AND pg_has_role(m.oid, g.oid, 'MEMBER'))) AS "
    "fits,"
    "     EXISTS (SELECT FROM unnest(array_cat(h.database, h.user_name)) n WHERE left(n, 1) = '/') AS "
    "pattern) names"
    "   WHERE h.type IN ('host', 'hostssl', 'hostnossl', 'hostnogssenc')) r"
    " WHERE r.fits ORDER BY r.line_number LIMIT 1";

/* Is there anything to go by? */
static int can_judge(Database *server, bool *out, Error *error)
{
    bool may;
    *out = false;
    if (database_found(server, &may, error,
                       "SELECT 1 WHERE has_table_privilege('pg_hba_file_rules', 'SELECT')"
                       " AND has_function_privilege('pg_hba_file_rules()', 'EXECUTE')",
                       0) != 0) {
        return -1;
    }
    if (!may) {
        return 0;
    }
    bool wrong;
    if (database_found(server, &wrong, error,
                       "SELECT 1 FROM pg_hba_file_rules WHERE error IS NOT NULL LIMIT 1", 0) != 0) {
        return -1;
    }
    *out = !wrong;
    return 0;
}

/* What the role has not got of what the method asks for; NULL: nothing that we know of. */
static const char *lacks(Database *server, const char *user, const char *method)
{
    char *verifier = NULL;
    bool scram = strcmp(method, "scram-sha-256") == 0;
    const char *what = NULL;
    Error ignored;
    if (!scram && strcmp(method, "md5") != 0 && strcmp(method, "password") != 0) {
        return NULL;
    }
    if (database_value(server, &verifier, &ignored,
                       "SELECT left(coalesce(rolpassword, ''), 3) FROM pg_authid WHERE rolname = $1", 1,
                       user) != 0 ||
        verifier == NULL) {
        return NULL;
    }
    what = *verifier == '\0'                       ? "the role has no password"
           : scram && strcmp(verifier, "md5") == 0 ? "the role's password is kept as md5"
                                                   : NULL;
    free(verifier);
    return what;
}

typedef struct Login {
    const char *database;
    const char *user;
    const char *address; /* as the server would see it; NULL: not known */
} Login;

static int judge(Database *server, const Login *login, char **why, Error *error)
{
    PGresult *first;
    Text text = {0};
    if (database_query(server, &first, error, first_sql, 3, login->database, login->user, login->address) !=
        0) {
        return error_context(error, "reading pg_hba_file_rules");
    }
    if (PQntuples(first) == 0) {
        text_append(&text, "no line of pg_hba.conf there fits");
    } else if (PQgetvalue(first, 0, 2)[0] == 't') {
        const char *line = PQgetvalue(first, 0, 0), *method = PQgetvalue(first, 0, 1);
        const char *lacking = lacks(server, login->user, method);
        if (strcmp(method, "reject") == 0) {
            text_printf(&text, "line %s of pg_hba.conf there rejects it", line);
        } else if (lacking != NULL) {
            text_printf(&text, "line %s of pg_hba.conf there asks for %s, and %s", line, method, lacking);
        }
    }
    PQclear(first);
    *why = text.data;
    return 0;
}

/* Judges each row of user and address; names adds who it is. */
static int judge_rows(Database *server, const char *database, const PGresult *rows, bool names, char **why,
                      Error *error)
{
    Text all = {0};
    int status = 0;
    for (int i = 0; status == 0 && i < PQntuples(rows); i++) {
        char *one = NULL;
        Login login = {.database = database,
                       .user = PQgetvalue(rows, i, 0),
                       .address = PQgetisnull(rows, i, 1) ? NULL : PQgetvalue(rows, i, 1)};
        status = judge(server, &login, &one, error);
        if (status == 0 && one != NULL) {
            text_append(&all, all.size > 0 ? "; " : "");
            if (names) {
                text_printf(&all, "\"%s\" ", login.user);
            }
            if (login.address != NULL) {
                text_printf(&all, "from %s: ", login.address);
            }
            text_append(&all, one);
        }
        free(one);
    }
    *why = all.data;
    return status;
}

#define SESSIONS                                                                                             \
    " FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"          \
    "  AND pid <> pg_backend_pid() AND left(application_name, 9) <> 'penstock ' AND client_addr IS NOT NULL"

/* Whom sql gives of the sessions at now. */
static int judge_found(Database *now, Database *server, const char *database, const char *user,
                       const char *sql, char **why, Error *error)
{
    PGresult *rows;
    bool can;
    *why = NULL;
    if (can_judge(server, &can, error) != 0) {
        return -1;
    }
    if (!can) {
        return 0;
    }
    if (database_query(now, &rows, error, sql, user != NULL ? 1 : 0, user) != 0) {
        return -1;
    }
    int status = judge_rows(server, database, rows, user == NULL, why, error);
    PQclear(rows);
    return status;
}

int hba_judge_user(Database *now, Database *server, const char *database, const char *user, char **why,
                   Error *error)
{
    return judge_found(now, server, database, user,
                       "SELECT $1::text, a.address FROM (SELECT 1) one LEFT JOIN (SELECT DISTINCT "
                       "host(client_addr) AS address" SESSIONS " AND usename = $1 LIMIT 8) a ON true",
                       why, error);
}

int hba_judge_sessions(Database *now, Database *server, const char *database, char **why, Error *error)
{
    return judge_found(now, server, database, NULL,
                       "SELECT DISTINCT usename, host(client_addr)" SESSIONS " ORDER BY 1, 2 LIMIT 100", why,
                       error);
}
