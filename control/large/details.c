/*
 * Both sides say of an object who owns it, who may do what, and what is said of it, in the same words; where they differ, the side
 * that is read writes the statements.
 *
 * The role that made the cluster (OID 10) is the same on both, whatever its name.
 */
#include "parts.h"

#include <stdlib.h>
#include <string.h>

/*
 * $1: OIDs; the other side's role of OID 10, quoted: $2; owners, grants: $3, $4. A row: oid, what it is, statements that make
 * it so.
 */
static const char details_sql[] =
    "WITH o AS (SELECT m.oid, m.lomowner, m.lomacl FROM pg_largeobject_metadata m WHERE m.oid = ANY "
    "($1::oid[])),"
    " r AS (SELECT oid, CASE WHEN oid = 10 THEN $2::text ELSE quote_ident(rolname::text) END AS name,"
    "         CASE WHEN oid = 10 THEN '(made the cluster)' ELSE rolname::text END AS is FROM pg_roles"
    "       UNION ALL SELECT 0, 'PUBLIC', 'PUBLIC'),"
    " g AS (SELECT o.oid, string_agg(concat(r.is, ' ', a.privilege_type, ' ', a.is_grantable::text), ','"
    "           ORDER BY r.is COLLATE \"C\", a.privilege_type COLLATE \"C\") AS is,"
    "         string_agg(format('GRANT %s ON LARGE OBJECT %s TO %s%s;', a.privilege_type, o.oid, r.name,"
    "           CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' END), '') AS statements"
    "       FROM o, aclexplode(coalesce(o.lomacl, acldefault('L', o.lomowner))) a JOIN r ON r.oid = "
    "a.grantee GROUP BY 1)"
    " SELECT o.oid, concat(CASE WHEN $3::bool THEN r.is END, '|', CASE WHEN $4::bool THEN g.is END, '|', "
    "l.is),"
    "   concat(CASE WHEN $3::bool THEN format('ALTER LARGE OBJECT %s OWNER TO %s;', o.oid, r.name) END,"
    "     CASE WHEN $4::bool THEN concat('GRANT ALL ON LARGE OBJECT ', o.oid, ' TO PUBLIC; REVOKE ALL ON "
    "LARGE OBJECT ', o.oid,"
    "       ' FROM PUBLIC, CURRENT_USER;', g.statements) END, l.statements)"
    "  FROM o JOIN r ON r.oid = o.lomowner LEFT JOIN g ON g.oid = o.oid"
    "  LEFT JOIN (SELECT objoid, string_agg(concat(provider, '=', label), ',' ORDER BY provider) AS is,"
    "       string_agg(format('SECURITY LABEL FOR %I ON LARGE OBJECT %s IS %L;', provider, objoid, label), "
    "'') AS statements"
    "     FROM pg_seclabel WHERE classoid = 'pg_largeobject'::regclass AND objoid = ANY ($1::oid[]) GROUP BY "
    "1) l"
    "    ON l.objoid = o.oid ORDER BY o.oid";

static int read_details(Database *database, const char *oids, const char *role, const LargeRequest *request,
                        PGresult **out, Error *error)
{
    return database_query(database, out, error, details_sql, 4, oids, role, request->owners ? "t" : "f",
                          request->grants ? "t" : "f");
}

/* Whether the other side says the same of the object; both lists are by OID. */
static bool is_same(const PGresult *here, int row, const PGresult *there, int *at)
{
    unsigned long oid = strtoul(PQgetvalue(here, row, 0), NULL, 10);
    while (*at < PQntuples(there) && strtoul(PQgetvalue(there, *at, 0), NULL, 10) < oid) {
        (*at)++;
    }
    return *at < PQntuples(there) && strtoul(PQgetvalue(there, *at, 0), NULL, 10) == oid &&
           strcmp(PQgetvalue(there, *at, 1), PQgetvalue(here, row, 1)) == 0;
}

/* Who is granted to there and no more here: taken away before what is wanted is granted. */
static const char revokes_sql[] =
    "SELECT coalesce(string_agg(format('REVOKE ALL ON LARGE OBJECT %s FROM %s;', m.oid, CASE WHEN a.grantee "
    "= 0 THEN 'PUBLIC'"
    "         ELSE quote_ident(pg_get_userbyid(a.grantee)::text) END), ''), '') FROM pg_largeobject_metadata "
    "m,"
    "   aclexplode(m.lomacl) a WHERE m.oid = ANY ($1::oid[]) AND a.grantee <> m.lomowner";

static int make_same(Database *to, const PGresult *here, const PGresult *there, const LargeRequest *request,
                     Error *error)
{
    Text sql = {0}, changed = {0};
    char *revokes = NULL;
    int at = 0, status = 0;
    for (int row = 0; row < PQntuples(here); row++) {
        if (!is_same(here, row, there, &at)) {
            text_array_add(&changed, PQgetvalue(here, row, 0));
            text_append(&sql, PQgetvalue(here, row, 2));
        }
    }
    text_array_end(&changed);
    if (sql.size > 0 && request->grants) {
        status = database_value(to, &revokes, error, revokes_sql, 1, changed.data);
    }
    if (status == 0 && revokes != NULL && *revokes != '\0') {
        status = database_execute(to, error, revokes, 0);
    }
    if (status == 0 && sql.size > 0) {
        status = database_execute(to, error, sql.data, 0);
    }
    free(revokes);
    text_free(&changed);
    text_free(&sql);
    return status;
}

int details_bring(Database *from, Database *to, const char *oids, const LargeRequest *request, Error *error)
{
    PGresult *here = NULL, *there = NULL;
    char *role = NULL;
    int status =
        database_value(to, &role, error, "SELECT quote_ident(rolname::text) FROM pg_roles WHERE oid = 10", 0);
    if (status == 0) {
        status = read_details(from, oids, role != NULL ? role : "", request, &here, error);
    }
    if (status == 0) {
        status = read_details(to, oids, role != NULL ? role : "", request, &there, error);
    }
    if (status == 0) {
        status = make_same(to, here, there, request, error);
    }
    PQclear(here);
    PQclear(there);
    free(role);
    return status == 0 ? 0 : error_context(error, "owners, grants and labels of large objects");
}

/* --- comments: a change of one leaves no trace in the object's own row --- */

#define COMMENTS " FROM pg_description WHERE classoid = 'pg_largeobject'::regclass AND objsubid = 0"

static int say_comments(Database *to, const PGresult *comments, Error *error)
{
    Text sql = {0};
    text_append(&sql, "BEGIN; DO $do$ DECLARE o oid; BEGIN FOR o IN SELECT objoid" COMMENTS
                      " LOOP EXECUTE format('COMMENT ON LARGE OBJECT %s IS NULL', o); END LOOP; END $do$;");
    for (int i = 0; i < PQntuples(comments); i++) {
        text_append(&sql, PQgetvalue(comments, i, 0));
    }
    text_append(&sql, "COMMIT");
    int status = database_execute(to, error, sql.data, 0);
    text_free(&sql);
    return status;
}

int details_bring_comments(Database *from, Database *to, Error *error)
{
    static const char hash_sql[] = "SELECT md5(coalesce(string_agg(concat(objoid, '=', description), ',' "
                                   "ORDER BY objoid), ''))" COMMENTS;
    char *here = NULL, *there = NULL;
    PGresult *comments = NULL;
    int status = database_value(from, &here, error, hash_sql, 0) == 0
                     ? database_value(to, &there, error, hash_sql, 0)
                     : -1;
    if (status == 0 && strcmp(here, there) != 0) {
        status =
            database_query(from, &comments, error,
                           "SELECT format('COMMENT ON LARGE OBJECT %s IS %L;', objoid, description)" COMMENTS
                           " AND EXISTS (SELECT FROM pg_largeobject_metadata m WHERE m.oid = objoid)",
                           0);
        if (status == 0) {
            status = say_comments(to, comments, error);
        }
    }
    PQclear(comments);
    free(here);
    free(there);
    return status == 0 ? 0 : error_context(error, "comments of large objects");
}
