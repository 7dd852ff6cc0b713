/*
 * One JSON document of what the pass came to, made by the target from the state; people get it as lines.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "verify.h"

/* Of so many tables that differ the document has the rows. */
#define TABLES_LISTED "1000"
/* And so many of each, or as many as --limit says: of those that were repaired there may be millions. */
#define ROWS_LISTED "1000"

static const char document_sql[] =
    "SELECT json_build_object("
    "  'pass', p.id, 'scope', p.scope, 'started_at', p.started_at, 'ended_at', p.ended_at,"
    "  'first_point', p.first_point, 'last_point', p.last_point, 'points', p.points,"
    "  'longest_hold_ms', round(p.longest_hold_ms::numeric, 1),"
    "  'tables_compared', p.tables, 'rows', p.rows, 'different', p.different, 'unanswered', p.unanswered,"
    "  'repaired', p.repaired,"
    "  'tables', (SELECT coalesce(json_agg(json_build_object('schema', v.schema_name, 'table', v.table_name,"
    "        'equal', v.equal, 'answered', v.answered, 'source_rows', v.source_rows, 'target_rows', "
    "v.target_rows,"
    "        'problem', v.problem, 'rows', (SELECT coalesce(json_agg(json_build_object('key', d.key, "
    "'column', "
    "            d.column_name, 'source', d.source, 'target', d.target, 'repaired', d.repaired) ORDER BY "
    "d.id), "
    "'[]')"
    "          FROM (SELECT * FROM penstock.verify_difference WHERE pass = p.id AND kind = 'row'"
    "           AND object = concat(v.schema_name, '.', v.table_name) ORDER BY id"
    "           LIMIT greatest($2::int, " ROWS_LISTED ")) d))"
    "        ORDER BY v.schema_name, v.table_name), '[]')"
    "     FROM (SELECT v.*, n.* FROM penstock.verify_table v"
    "             JOIN penstock.relation r ON r.id = v.relation, LATERAL (SELECT coalesce(r.route_schema,"
    "               r.schema_name) AS schema_name, coalesce(r.route_table, r.table_name) AS table_name) n"
    "            WHERE v.pass = p.id AND (NOT (v.equal AND v.answered) OR concat(n.schema_name, '.', "
    "n.table_name) IN"
    "               (SELECT object FROM penstock.verify_difference WHERE pass = p.id AND repaired IS NOT "
    "NULL))"
    "            ORDER BY v.relation LIMIT " TABLES_LISTED ") v),"
    "  'objects', (SELECT coalesce(json_agg(json_build_object('kind', d.kind, 'object', d.object, 'part', "
    "d.key,"
    "        'source', d.source, 'target', d.target, 'repaired', d.repaired) ORDER BY d.id), '[]')"
    "     FROM penstock.verify_difference d WHERE d.pass = p.id AND d.kind <> 'row'))"
    "  FROM penstock.verify_pass p WHERE p.id = $1::int8";

/* What is no UTF-8 (of a database in SQL_ASCII) becomes question marks, rather than that there is no document. */
static json_t *parse(char *text)
{
    json_t *document = json_loads(text, 0, NULL);
    if (document == NULL) {
        for (unsigned char *at = (unsigned char *)text; *at != '\0'; at++) {
            *at = *at < 0x80 ? *at : '?';
        }
        document = json_loads(text, 0, NULL);
    }
    return document;
}

static const char *text_at(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}

static bool is_null(const json_t *object, const char *name)
{
    return !json_is_string(json_object_get(object, name));
}

static long long number_at(const json_t *object, const char *name)
{
    return (long long)json_number_value(json_object_get(object, name));
}

/* In quotes, so that spaces at its end are seen, and NULL from a text of that. */
static void print_value(const char *before, const json_t *row, const char *name)
{
    printf(is_null(row, name) ? "%sNULL" : "%s'%s'", before, text_at(row, name));
}

static void print_row(const json_t *row)
{
    const char *repaired = text_at(row, "repaired");
    if (!is_null(row, "column")) {
        printf("      %s  %s", text_at(row, "key"), text_at(row, "column"));
        print_value(": ", row, "source");
        print_value(" / ", row, "target");
    } else {
        printf("      %s  %s", text_at(row, "key"),
               is_null(row, "source")   ? "only on the target"
               : is_null(row, "target") ? "only at the source"
                                        : "differs");
    }
    printf(repaired[0] != '\0' ? "  (%s)\n" : "\n", repaired);
}

static void print_table(const json_t *table)
{
    size_t i;
    json_t *row;
    bool answered = json_is_true(json_object_get(table, "answered"));
    printf("  %s.%s  %lld / %lld rows  %s", text_at(table, "schema"), text_at(table, "table"),
           number_at(table, "source_rows"), number_at(table, "target_rows"),
           !answered                                       ? "NO ANSWER"
           : json_is_true(json_object_get(table, "equal")) ? "REPAIRED"
                                                           : "DIFFERENT");
    printf(is_null(table, "problem") ? "\n" : ": %s\n", text_at(table, "problem"));
    json_array_foreach(json_object_get(table, "rows"), i, row)
    {
        print_row(row);
    }
}

static void print_object(const json_t *object)
{
    bool definition = strcmp(text_at(object, "kind"), "definition") == 0;
    printf("  %s%s%s", definition ? "" : text_at(object, "kind"), definition ? "" : " ",
           text_at(object, "object"));
    printf(is_null(object, "part") ? ": " : ", %s: ", text_at(object, "part"));
    if (is_null(object, "source") || is_null(object, "target")) {
        printf("only %s", is_null(object, "source") ? "on the target" : "at the source");
    } else {
        printf("%s / %s", text_at(object, "source"), text_at(object, "target"));
    }
    printf(is_null(object, "repaired") ? "\n" : "  (%s)\n", text_at(object, "repaired"));
}

static void print_document(const Verify *verify, const json_t *document, bool equal)
{
    size_t i;
    json_t *entry;
    printf("Compared %lld tables, %lld rows, at %lld point%s in %.1f s",
           number_at(document, "tables_compared"), number_at(document, "rows"), number_at(document, "points"),
           number_at(document, "points") == 1 ? "" : "s", clock_seconds() - verify->began);
    if (verify->migration.phase == PHASE_SWITCHED) {
        printf(".\n");
    } else {
        printf("; the applier was held for %.1f ms at most.\n",
               json_number_value(json_object_get(document, "longest_hold_ms")));
    }
    json_array_foreach(json_object_get(document, "tables"), i, entry)
    {
        print_table(entry);
    }
    json_array_foreach(json_object_get(document, "objects"), i, entry)
    {
        print_object(entry);
    }
    if (verify->options->repair) {
        printf("Repaired: %lld rows.\n", number_at(document, "repaired"));
    }
    if (verify->options->sample > 0) {
        printf("This was a sample: %g %% of the rows of each table, and all definitions.\n",
               verify->options->sample / 100.0);
    }
    printf(equal ? "Both sides hold the same.\n"
                 : "DIFFERENT (source / target): %lld; without an answer: %lld.\n",
           number_at(document, "different"), number_at(document, "unanswered"));
}

int verify_report(Verify *verify, bool *equal, Error *error)
{
    char limit[16];
    snprintf(limit, sizeof limit, "%d", verify->options->limit);
    char *text = NULL;
    if (database_value(verify->target, &text, error, document_sql, 2, verify->pass.id, limit) != 0) {
        return error_context(error, "reading what was compared");
    }
    json_t *document = text != NULL ? parse(text) : NULL;
    free(text);
    if (document == NULL) {
        return error_set(error, ERROR_STATE, "the pass is gone from the state, or is not to be read");
    }
    *equal = number_at(document, "different") == 0 && number_at(document, "unanswered") == 0;
    if (verify->settings->json) {
        json_object_set_new(document, "equal", json_boolean(*equal));
        json_object_set_new(document, "sample_percent", json_real(verify->options->sample / 100.0));
        json_object_set_new(document, "resumed", json_boolean(verify->pass.resumed));
        json_object_set_new(document, "seconds", json_real(clock_seconds() - verify->began));
        json_dumpf(document, stdout, JSON_INDENT(2));
        printf("\n");
    } else {
        print_document(verify, document, *equal);
    }
    json_decref(document);
    return 0;
}
