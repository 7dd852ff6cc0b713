/*
 * The sessions' search_path is empty, so that definitions come with every name qualified, as pg_dump writes them.
 */
#include "present.h"

#include <string.h>

#include "statement.h"

int present_index(Database *session, const SchemaObject *object, const char *index, Presence *out,
                  Error *error)
{
    PGresult *row = NULL;
    if (database_query(session, &row, error,
                       "SELECT i.indisvalid AND i.indisready FROM pg_catalog.pg_class c"
                       "  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                       "  JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid"
                       " WHERE n.nspname = $1::name AND c.relname = $2::name",
                       2, object->schema, index) != 0) {
        return error_context(error, "looking for index %s", index);
    }
    *out = PQntuples(row) == 0               ? PRESENT_NOT
           : PQgetvalue(row, 0, 0)[0] == 't' ? PRESENT_WHOLE
                                             : PRESENT_BROKEN;
    PQclear(row);
    return 0;
}

/*
 * By kind: the definition of the object of that schema ($1) and name ($2). The script's name of a constraint or trigger has
 * the table's before it.
 */
static const struct {
    const char *kind;
    const char *sql;
} definitions[] = {
    {"INDEX", "SELECT pg_catalog.pg_get_indexdef(c.oid) FROM pg_catalog.pg_class c"
              "  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
              "  JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid AND i.indisvalid"
              " WHERE n.nspname = $1::name AND c.relname = $2::name"},
    {"CONSTRAINT", "SELECT pg_catalog.pg_get_constraintdef(k.oid) FROM pg_catalog.pg_constraint k"
                   "  JOIN pg_catalog.pg_class c ON c.oid = k.conrelid"
                   "  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                   " WHERE n.nspname = $1::name AND pg_catalog.concat(c.relname, ' ', k.conname) = $2"},
    {"TRIGGER", "SELECT pg_catalog.pg_get_triggerdef(t.oid) FROM pg_catalog.pg_trigger t"
                "  JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid"
                "  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                " WHERE n.nspname = $1::name AND pg_catalog.concat(c.relname, ' ', t.tgname) = $2"},
};

/* FK CONSTRAINT and CHECK CONSTRAINT are constraints, too. */
static bool is_kind(const char *kind, const char *wanted)
{
    size_t size = strlen(kind), end = strlen(wanted);
    return size >= end && strcmp(kind + size - end, wanted) == 0;
}

int present_same(Database *session, const SchemaObject *object, bool *same, Error *error)
{
    *same = false;
    for (size_t i = 0; i < sizeof definitions / sizeof *definitions; i++) {
        if (!is_kind(object->kind, definitions[i].kind)) {
            continue;
        }
        PGresult *row = NULL;
        if (database_query(session, &row, error, definitions[i].sql, 2, object->schema, object->name) != 0) {
            return error_context(error, "looking at what has the name");
        }
        *same = PQntuples(row) == 1 && statement_defines(object->sql, PQgetvalue(row, 0, 0));
        PQclear(row);
        return 0;
    }
    return 0;
}
