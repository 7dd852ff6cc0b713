/*
 * Which tables the way back has: those of its publications on the target that are in its subscription on the source. Of one that
 * is in none of the publications the slot sends nothing; of one that is not in the subscription the worker throws away
 * what comes (should_apply_changes_for_rel, worker.c, 10 and later). Neither says a word.
 */
#include <stdlib.h>

#include "reverse_parts.h"
#include "text.h"

#define NAME "format('%I.%I', schema_name, table_name)"

/*
 * Tables of the target, and whether the migration has them, that are in no publication of ours: made since, or made anew, by
 * another name or the same. What no way back could bring is named elsewhere (comes_back.c).
 */
static int list_unpublished(Database *target, const Migration *migration, PGresult **out, Error *error)
{
    char all[64], inserts[64];
    reverse_names(migration, all, inserts);
    return database_query(
        target, out, error,
        "SELECT string_agg(" NAME ", ', ' ORDER BY " NAME ") FILTER (WHERE known),"
        "       string_agg(" NAME ", ', ' ORDER BY " NAME
        ") FILTER (WHERE NOT known AND pg_relation_size(oid) > 0)"
        "  FROM (SELECT n.nspname AS schema_name, c.relname AS table_name, c.oid, r.migration IS NOT NULL AS "
        "known"
        "    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        "     LEFT JOIN penstock.relation r ON r.migration = $1 AND r.schema_name = n.nspname"
        "      AND r.table_name = c.relname"
        "   WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND (r.migration IS NULL OR c.relpersistence = "
        "'p')"
        "     AND r.route_table IS NULL AND n.nspname NOT IN ('penstock', 'information_schema')"
        "     AND n.nspname !~ '^pg_'"
        "     AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = "
        "c.oid"
        "       AND d.deptype = 'e' AND r.migration IS NULL)"
        "     AND NOT EXISTS (SELECT FROM pg_publication_rel p JOIN pg_publication b ON b.oid = p.prpubid"
        "       WHERE p.prrelid = c.oid AND b.pubname IN ($2, $3)) OFFSET 0) t",
        3, migration->name, all, inserts);
}

/*
 * Those that are published and that the subscription lacks. What was published by hand since, once the way back was made, has
 * rows from before that the slot did not send: it has to have been copied by the subscription, which leaves a position there
 * (tablesync.c); what we wrote there has none (reverse.c).
 *
 * EXCEPT, not NOT EXISTS: of an array the planner expects a hundred rows, and looks at all tables for each of them.
 */
static int list_unsubscribed(Database *source, Database *target, const Migration *migration,
                             const char *published_at, char **out, Error *error)
{
    char all[64], inserts[64];
    PGresult *published;
    reverse_names(migration, all, inserts);
    if (database_query(
            target, &published, error,
            "SELECT coalesce(array_agg(n.nspname), '{}'), coalesce(array_agg(c.relname), '{}'),"
            "  coalesce(array_agg(coalesce(age(p.xmin) <= age(mod($3::int8, 4294967296)::text::xid), "
            "false)), '{}')"
            "  FROM pg_publication_rel p JOIN pg_publication b ON b.oid = p.prpubid AND b.pubname IN ($1, $2)"
            "  JOIN pg_class c ON c.oid = p.prrelid JOIN pg_namespace n ON n.oid = c.relnamespace",
            3, all, inserts, published_at) != 0) {
        return -1;
    }
    int status = database_value(
        source, out, error,
        "SELECT string_agg(" NAME ", ', ' ORDER BY " NAME ")"
        "  FROM (SELECT * FROM unnest($2::text[], $3::text[], $4::bool[]) AS t (schema_name, table_name, "
        "late)"
        "   EXCEPT SELECT n.nspname::text, c.relname::text, v.late FROM pg_subscription s"
        "    JOIN pg_database d ON d.oid = s.subdbid AND d.datname = current_database()"
        "    JOIN pg_subscription_rel l ON l.srsubid = s.oid AND l.srsubstate IN ('r', 's')"
        "    JOIN pg_class c ON c.oid = l.srrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
        "    JOIN (VALUES (false), (true)) AS v (late) ON NOT v.late OR l.srsublsn > '0/0'"
        "   WHERE s.subname = $1) t",
        4, all, PQgetvalue(published, 0, 0), PQgetvalue(published, 0, 1), PQgetvalue(published, 0, 2));
    PQclear(published);
    return status;
}

int reverse_uncovered(Database *source, Database *target, const Migration *migration,
                      const char *published_at, char **known, char **made, Error *error)
{
    PGresult *row;
    char *unsubscribed = NULL;
    *known = *made = NULL;
    if (list_unpublished(target, migration, &row, error) != 0) {
        return -1;
    }
    int status = list_unsubscribed(source, target, migration, published_at, &unsubscribed, error);
    if (status == 0) {
        Text names = {0};
        text_printf(&names, "%s%s%s", PQgetvalue(row, 0, 0),
                    !PQgetisnull(row, 0, 0) && unsubscribed != NULL ? ", " : "",
                    unsubscribed != NULL ? unsubscribed : "");
        *known = text_copy(names.size > 0 ? names.data : NULL);
        *made = text_copy(PQgetisnull(row, 0, 1) ? NULL : PQgetvalue(row, 0, 1));
        text_free(&names);
    }
    free(unsubscribed);
    PQclear(row);
    return status;
}

int reverse_published_at(Database *target, char **out, Error *error)
{
    return database_value(target, out, error, "SELECT txid_current()", 0);
}
