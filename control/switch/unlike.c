/*
 * reset_val is what a session of our role in this database begins with, since our own settings are made by SET. What the role
 * has for itself is left out: it is nobody else's. So is what the database of the source sets: the copy brings that, and
 * behind it the comparison of the definitions looks at it. What the target's database sets by itself counts: it is what
 * applications will find.
 */
#include "unlike.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "noticed.h"
#include "text.h"

#define SAID 40

/* role is '' for what every session of the database gets. */
#define SIDE                                                                                                 \
    "SELECT ''::text AS role, s.name, s.reset_val AS value, s.reset_val IS NOT DISTINCT FROM s.boot_val AS " \
    "built_in"                                                                                               \
    "  FROM pg_settings s WHERE s.name IN " NOTICED                                                          \
    "   AND NOT EXISTS (SELECT FROM pg_db_role_setting o, unnest(o.setconfig) c"                             \
    "     WHERE o.setrole = (SELECT oid FROM pg_roles WHERE rolname = current_user)"                         \
    "       AND lower(split_part(c, '=', 1)) = lower(s.name))"                                               \
    " UNION ALL"                                                                                             \
    " SELECT r.rolname::text, split_part(c, '=', 1), substr(c, strpos(c, '=') + 1), false"                   \
    "  FROM pg_db_role_setting o JOIN pg_roles r ON r.oid = o.setrole AND r.rolcanlogin, "                   \
    "unnest(o.setconfig) c"                                                                                  \
    " WHERE o.setdatabase = 0 AND split_part(c, '=', 1) NOT IN " NOT_COMPARED

static const char gather_sql[] =
    "SELECT coalesce(array_agg(role), '{}'), coalesce(array_agg(name), '{}'), coalesce(array_agg(value), "
    "'{}'),"
    " coalesce(array_agg(built_in), '{}'),"
    " (SELECT array_agg(rolname::text) FROM pg_roles WHERE rolcanlogin) FROM (" SIDE ") q";

/* Names of UTC, and locales as they are spelt here and there, are the same. */
#define MEANS(side)                                                                                          \
    "CASE WHEN lower(" side ".name) = 'timezone'"                                                            \
    " THEN regexp_replace(" side ".value, '^(Etc/)?(UTC|UCT|GMT|GMT0|Greenwich|Universal|Zulu)$', 'UTC')"    \
    " WHEN " side ".name ~ '^lc_' THEN regexp_replace(lower(" side ".value), '-', '', 'g')"                  \
    " ELSE " side ".value END"

static const char compare_sql[] =
    "SELECT coalesce(t.role, h.role), coalesce(t.name, h.name), t.value, h.value,"
    "  concat('ALTER ', CASE WHEN coalesce(t.role, h.role) = '' THEN CASE WHEN d.name IS NULL THEN 'SYSTEM'"
    "      ELSE format('DATABASE %I', d.name) END"
    "    ELSE format('ROLE %I', coalesce(t.role, h.role)) END,"
    "    CASE WHEN t.value IS NULL THEN format(' RESET %s', h.name)"
    "    ELSE concat(' SET ', t.name, ' TO ', CASE WHEN t.name ~ '(search_path|libraries|tablespaces)$'"
    "      THEN coalesce(nullif(t.value, ''), quote_literal('')) ELSE quote_literal(t.value) END) END,"
    "    CASE WHEN coalesce(t.role, h.role) = '' AND d.name IS NULL THEN '; SELECT pg_reload_conf()' END)"
    " FROM unnest($1::text[], $2::text[], $3::text[], $4::bool[]) AS t (role, name, value, built_in)"
    " FULL JOIN (" SIDE ") h ON h.role = t.role AND h.name = t.name"
    /* The database's own would hide what is set for the server. */
    " LEFT JOIN (SELECT b.datname AS name, split_part(c, '=', 1) AS setting FROM pg_database b JOIN "
    "   pg_db_role_setting o ON o.setdatabase = b.oid AND o.setrole = 0, unnest(o.setconfig) c"
    "   WHERE b.datname = current_database()) d ON lower(d.setting) = lower(h.name) AND h.role = ''"
    " WHERE " MEANS("t") " IS DISTINCT FROM " MEANS(
        "h") " AND NOT (t.built_in AND h.built_in)"
             "   AND CASE WHEN coalesce(t.role, h.role) = '' THEN t.role IS NOT NULL AND h.role IS NOT NULL"
             "     ELSE coalesce(t.role, h.role) = ANY ($5::text[])"
             "       AND EXISTS (SELECT FROM pg_roles r WHERE r.rolname = coalesce(t.role, h.role) AND "
             "r.rolcanlogin) END"
             "   AND NOT (coalesce(t.role, h.role) = '' AND lower(coalesce(t.name, h.name)) = ANY "
             "($6::text[]))"
             " ORDER BY 1, 2";

/* What the database itself sets at the source. */
static const char own_sql[] =
    "SELECT coalesce(array_agg(lower(split_part(c, '=', 1))), '{}') FROM pg_db_role_setting o, "
    "unnest(o.setconfig) c WHERE o.setrole = 0"
    "   AND o.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())";

static int find(Cutover *cutover, PGresult **out, Error *error)
{
    PGresult *there;
    char *own = NULL;
    if (database_query(cutover->leaving, &there, error, gather_sql, 0) != 0) {
        return -1;
    }
    int status = database_value(cutover->leaving, &own, error, own_sql, 0);
    if (status == 0) {
        status = database_query(cutover->entering, out, error, compare_sql, 6, PQgetvalue(there, 0, 0),
                                PQgetvalue(there, 0, 1), PQgetvalue(there, 0, 2), PQgetvalue(there, 0, 3),
                                PQgetvalue(there, 0, 4), own != NULL ? own : "{}");
    }
    free(own);
    PQclear(there);
    return status;
}

static void describe(const Cutover *cutover, const PGresult *rows, int row, Text *out)
{
    const char *role = PQgetvalue(rows, row, 0);
    text_printf(out, "%s%s%s is ", *role != '\0' ? role : "", *role != '\0' ? ": " : "",
                PQgetvalue(rows, row, 1));
    text_printf(out, "%s at the %s, ", PQgetisnull(rows, row, 2) ? "not set" : PQgetvalue(rows, row, 2),
                cutover->road->from);
    text_printf(out, "%s at the %s", PQgetisnull(rows, row, 3) ? "not set" : PQgetvalue(rows, row, 3),
                cutover->road->to);
}

/* Before the copy each is a problem of its own, with the statement that mends it. */
static void tell_early(Cutover *cutover, const PGresult *rows)
{
    for (int row = 0; row < PQntuples(rows); row++) {
        Text line = {0};
        Error problem;
        describe(cutover, rows, row, &line);
        error_set(&problem, ERROR_STATE, "%s", line.data);
        error_hint(&problem, "On the %s; or --accept-settings.", cutover->road->to);
        preflight_problem(cutover, &problem, PQgetvalue(rows, row, 4));
        text_free(&line);
    }
}

int unlike_settings(Cutover *cutover, Error *error)
{
    PGresult *rows;
    bool accepted = cutover->options->accept_settings || cutover->road != &road_cutover;
    if (find(cutover, &rows, error) != 0) {
        return -1;
    }
    if (preflight_is_early(cutover) && !accepted) {
        tell_early(cutover, rows);
        PQclear(rows);
        return 0;
    }
    Text first = {0};
    int count = PQntuples(rows), status = 0;
    for (int row = 0; row < count; row++) {
        Text line = {0};
        describe(cutover, rows, row, &line);
        if (row < SAID) {
            cutover_warn(cutover, "%s%s. To mend it, on the %s: %s", accepted ? "accepted: " : "", line.data,
                         cutover->road->to, PQgetvalue(rows, row, 4));
        }
        if (row < 3) {
            text_printf(&first, "%s%s", row > 0 ? "; " : "", line.data);
        }
        text_free(&line);
    }
    if (count > 0 && !accepted) {
        error_set(error, ERROR_STATE, "applications would find %d other setting%s: %.600s%s", count,
                  count == 1 ? "" : "s", first.data, count > 3 ? "; ..." : "");
        status =
            error_hint(error, "Run the statements that were said; --accept-settings switches all the same.");
    }
    text_free(&first);
    PQclear(rows);
    return status;
}
