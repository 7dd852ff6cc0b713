/*
 * Which functions an expression calls stands in its tree (:funcid of a call, :opfuncid of an operator). One that is not
 * immutable may look outside, and so may one in a procedural language or SQL, whatever it is declared as.
 *
 * Only where the constraint comes from: parents bring it to their children and partitions, and take it from them.
 */
#include "checks.h"

#include <stdlib.h>
#include <string.h>

#include "left_behind.h"

static const char checks_sql[] =
    "SELECT c.oid, n.nspname, pg_catalog.concat(t.relname, ' ', c.conname),"
    "       pg_catalog.format('ALTER TABLE %I.%I DROP CONSTRAINT %I', n.nspname, t.relname, c.conname),"
    "       pg_catalog.format('ALTER TABLE %I.%I ADD CONSTRAINT %I %s;', n.nspname, t.relname, c.conname,"
    "                         pg_catalog.pg_get_constraintdef(c.oid)), t.oid"
    "  FROM pg_catalog.pg_constraint c JOIN pg_catalog.pg_class t ON t.oid OPERATOR(pg_catalog.=) c.conrelid"
    "  JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) t.relnamespace"
    " WHERE c.contype OPERATOR(pg_catalog.=) 'c' AND c.conislocal AND c.coninhcount OPERATOR(pg_catalog.=) 0"
    "   AND c.convalidated AND t.relkind OPERATOR(pg_catalog.=) ANY (ARRAY['r'::\"char\", 'p'])"
    "   AND n.nspname OPERATOR(pg_catalog.<>) ALL (ARRAY['pg_catalog', 'information_schema', "
    "'penstock']::name[])"
    "   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d"
    "        WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass"
    "          AND d.objid OPERATOR(pg_catalog.=) t.oid AND d.deptype OPERATOR(pg_catalog.=) 'e')"
    "   AND " IS_KEPT(
        "t.oid") " AND EXISTS (SELECT FROM pg_catalog.regexp_matches(c.conbin::pg_catalog.text, "
                 "':(?:op)?funcid "
                 "(\\d+)', 'g') AS m (found)"
                 "        JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) "
                 "m.found[1]::pg_catalog.oid"
                 "        JOIN pg_catalog.pg_language l ON l.oid OPERATOR(pg_catalog.=) p.prolang"
                 "       WHERE p.provolatile OPERATOR(pg_catalog.<>) 'i'"
                 "          OR l.lanname OPERATOR(pg_catalog.<>) ALL (ARRAY['internal', 'c']::name[]) AND "
                 "p.oid "
                 "OPERATOR(pg_catalog.>=) 16384::oid)"
                 " ORDER BY 1";

/* The check needs its table, and locks it. */
static void need_table(SchemaObject *object, const SchemaScript *pre, uint32_t table)
{
    for (size_t i = 0; i < pre->count; i++) {
        if (pre->objects[i].object_id == table && strcmp(pre->objects[i].kind, "TABLE") == 0) {
            object->needs = malloc(sizeof *object->needs);
            if (object->needs == NULL) {
                abort();
            }
            object->needs[0] = pre->objects[i].dump_id;
            object->need_count = 1;
            return;
        }
    }
}

int checks_move(const SchemaRoad *road, SchemaScript *pre, SchemaScript *post, Error *error)
{
    PGresult *rows = NULL;
    /* Names in a definition have their schema only where that is not on the search_path. */
    if (database_execute(road->source, error, "BEGIN; SET LOCAL search_path = ''", 0) != 0) {
        return -1;
    }
    if (database_query(road->source, &rows, error, checks_sql, 0) != 0 ||
        database_execute(road->source, error, "COMMIT", 0) != 0) {
        PQclear(rows);
        return error_context(error, "looking for CHECK constraints that look outside of their row");
    }
    script_keep(post, rows);
    for (int i = 0; i < PQntuples(rows); i++) {
        SchemaObject object = {.class_id = 2606,
                               .object_id = (uint32_t)strtoul(PQgetvalue(rows, i, 0), NULL, 10),
                               .kind = "CHECK CONSTRAINT",
                               .schema = PQgetvalue(rows, i, 1),
                               .name = PQgetvalue(rows, i, 2),
                               .sql = PQgetvalue(rows, i, 4)};
        need_table(&object, pre, (uint32_t)strtoul(PQgetvalue(rows, i, 5), NULL, 10));
        script_add(post, &object);
        object.needs = NULL;
        object.need_count = 0;
        object.kind = "CHECK CONSTRAINT, for later,";
        object.sql = PQgetvalue(rows, i, 3);
        script_add(pre, &object);
    }
    return 0;
}
