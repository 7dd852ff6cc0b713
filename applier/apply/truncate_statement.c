/*
 * A truncate gives each table and index a new file and flushes it: ten milliseconds and more for a table of a hundred
 * rows, which a job that empties and fills its table again pays each time. So the server is asked to look first, in the
 * same round trip: tables that are small together are emptied by DELETE. The dead rows make them grow, until a truncate
 * that finds them large makes them new.
 *
 * DELETE must not do anything else than TRUNCATE: it is not taken where a trigger or a rule would fire under
 * session_replication_role = replica, under row level security, for anything but plain tables, where sequences are to be
 * restarted, or when the database has publications (they may refuse deletes).
 */
#include <stdio.h>
#include <stdlib.h>

#include "statement.h"

#define SMALL_BYTES (256 * 1024)

typedef struct Tables {
    const ApplyRelation *const *relations;
    uint32_t count;
} Tables;

static const char *only(const ApplyRelation *relation)
{
    return relation->partitioned ? "" : "ONLY ";
}

/* text within E'': each ' and \ doubled, once more for each level of quoting. */
static void put_quoted(FILE *out, const char *text, int levels)
{
    for (const char *at = text; *at != '\0'; at++) {
        for (int i = *at == '\'' || *at == '\\' ? 1 << levels : 1; i > 0; i--) {
            putc(*at, out);
        }
    }
}

static bool may_delete(Tables tables, bool restart_identity)
{
    bool may = !restart_identity;
    for (uint32_t i = 0; i < tables.count; i++) {
        may = may && (tables.relations[i] == NULL || !tables.relations[i]->partitioned);
    }
    return may;
}

/* The statement, within `levels` levels of quotes; false when there is nothing to truncate. */
static bool put_truncate(FILE *out, Tables tables, bool restart_identity, int levels)
{
    const char *separator = "TRUNCATE ";
    bool any = false;
    for (uint32_t i = 0; i < tables.count; i++) {
        if (tables.relations[i] != NULL) {
            fprintf(out, "%s%s", separator, only(tables.relations[i]));
            put_quoted(out, tables.relations[i]->qualified, levels);
            separator = ", ";
            any = true;
        }
    }
    fputs(any && restart_identity ? " RESTART IDENTITY" : "", out);
    return any;
}

/* True for tables that DELETE empties as well and sooner. */
static void put_condition(FILE *out, Tables tables)
{
    fprintf(
        out,
        "(SELECT pg_catalog.sum(pg_catalog.pg_table_size(c.oid)) OPERATOR(pg_catalog.<) "
        "%d::pg_catalog.numeric AND "
        "pg_catalog.bool_and(c.relkind OPERATOR(pg_catalog.=) ''r'' AND NOT c.relrowsecurity "
        "AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger AS t WHERE t.tgrelid OPERATOR(pg_catalog.=) c.oid "
        "AND t.tgenabled OPERATOR(pg_catalog.=) ANY (''{A,R}''::pg_catalog.\"char\"[])) "
        "AND NOT EXISTS (SELECT FROM pg_catalog.pg_rewrite AS r WHERE r.ev_class OPERATOR(pg_catalog.=) "
        "c.oid "
        "AND r.ev_enabled OPERATOR(pg_catalog.=) ANY (''{A,R}''::pg_catalog.\"char\"[]))) "
        "AND NOT EXISTS (SELECT FROM pg_catalog.pg_publication) "
        "FROM pg_catalog.pg_class AS c WHERE c.oid OPERATOR(pg_catalog.=) ANY (ARRAY",
        SMALL_BYTES);
    const char *separator = "[";
    for (uint32_t i = 0; i < tables.count; i++) {
        if (tables.relations[i] != NULL) {
            fprintf(out, "%sE''", separator);
            put_quoted(out, tables.relations[i]->qualified, 2);
            fputs("''::pg_catalog.regclass::pg_catalog.oid", out);
            separator = ", ";
        }
    }
    fputs("]))", out);
}

static void put_deletes(FILE *out, Tables tables)
{
    for (uint32_t i = 0; i < tables.count; i++) {
        if (tables.relations[i] != NULL) {
            fputs("DELETE FROM ONLY ", out);
            put_quoted(out, tables.relations[i]->qualified, 1);
            fputs("; ", out);
        }
    }
}

char *statement_truncate_sql(const ApplyRelation *const *relations, uint32_t count, bool restart_identity)
{
    Tables tables = {relations, count};
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    bool any;
    if (may_delete(tables, restart_identity)) {
        fputs("DO E'BEGIN IF ", out);
        put_condition(out, tables);
        fputs(" THEN ", out);
        put_deletes(out, tables);
        fputs("ELSE ", out);
        any = put_truncate(out, tables, false, 1);
        fputs("; END IF; END'", out);
    } else {
        any = put_truncate(out, tables, restart_identity, 0);
    }
    fclose(out);
    if (!any) {
        free(text);
        return NULL;
    }
    return text;
}
