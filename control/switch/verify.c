/*
 * The switch point, proven: both sides as they were just before the release, by snapshots taken then; after it both go on,
 * the source by the way back. Sequences were compared during the hold already: they know no snapshots.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cutover.h"
#include "query.h"

#define KEYS_SHOWN 10
#define GUARD_LIMIT_MS 1000
#define EQUAL_SHOWN 20
#define OTHERS_SHOWN 500

/* text for JSON: as it is, or, where its bytes are no UTF-8 (SQL_ASCII), with \xNN for those beyond ASCII. NULL gives null. */
static json_t *text_json(const char *text)
{
    json_t *value = text != NULL ? json_string(text) : json_null();
    char *escaped = value == NULL ? malloc(4 * strlen(text) + 1) : NULL;
    if (escaped == NULL) {
        return value;
    }
    char *to = escaped;
    for (const char *from = text; *from != '\0'; from++) {
        to += snprintf(to, 5, (unsigned char)*from < 0x80 ? "%c" : "\\x%02x", (unsigned char)*from);
    }
    *to = '\0';
    value = json_string(escaped);
    free(escaped);
    return value;
}

static json_t *table_json(const CompareTable *table)
{
    json_t *keys = json_array();
    for (size_t i = 0; i < table->key_count; i++) {
        const CompareKey *key = &table->keys[i];
        json_array_append_new(keys, json_pack("{s:o, s:s}", "key", text_json(key->key), "where",
                                              key->on_source && key->on_target ? "both"
                                              : key->on_source                 ? "source"
                                                                               : "target"));
    }
    return json_pack("{s:o, s:o, s:b, s:I, s:I, s:o, s:o}", "schema", text_json(table->schema), "table",
                     text_json(table->name), "equal", table->equal, "source_rows",
                     (json_int_t)table->source_rows, "target_rows", (json_int_t)table->target_rows, "problem",
                     text_json(table->problem), "keys", keys);
}

static void print_table(const CompareTable *table)
{
    printf("  %s.%s  %lld / %lld  %s%s\n", table->schema, table->name, (long long)table->source_rows,
           (long long)table->target_rows,
           table->equal                            ? "equal"
           : table->rewritten || table->unreadable ? "no answer"
                                                   : "DIFFERENT",
           table->problem != NULL ? ": " : "");
    if (table->problem != NULL) {
        printf("      %s\n", table->problem);
    }
    for (size_t i = 0; i < table->key_count; i++) {
        const CompareKey *key = &table->keys[i];
        printf("      %s  %s\n", key->key,
               key->on_source && key->on_target ? "differs"
               : key->on_source                 ? "only on the source"
                                                : "only on the target");
    }
}

/* Those that are equal, or those that are not; at most so many. */
static void print_some(const CompareResult *result, bool equal, size_t most)
{
    size_t count = 0;
    for (size_t i = 0; i < result->table_count; i++) {
        if (result->tables[i].equal == equal && count++ < most) {
            print_table(&result->tables[i]);
        }
    }
    if (count > most) {
        printf("  and %zu more that are %s\n", count - most, equal ? "equal" : "not, all of them in --json");
    }
}

/* What somebody has to look at comes last, where the eye is when it has ended. */
static void print_result(const Cutover *cutover, const CompareResult *result)
{
    bool everything = cutover->settings->log.level == LOG_DEBUG;
    print_some(result, true, everything ? SIZE_MAX : EQUAL_SHOWN);
    print_some(result, false, everything ? SIZE_MAX : OTHERS_SHOWN);
    printf("%zu tables, %lld rows: %zu different, %zu without an answer\n", result->table_count,
           (long long)result->rows, result->different, result->rewritten + result->unreadable);
}

static CompareOptions compare_options(Cutover *cutover)
{
    return (CompareOptions){.source_uri = cutover->settings->source,
                            .target_uri = cutover->settings->target,
                            .source_snapshot = cutover->moment.source,
                            .target_snapshot = cutover->moment.target,
                            .migration = cutover->migration.name,
                            .jobs = cutover->options->jobs,
                            .max_keys = KEYS_SHOWN,
                            .stop = interrupted,
                            .guard = &cutover->guard};
}

int cutover_guard(Cutover *cutover, Error *error)
{
    CompareOptions options = compare_options(cutover);
    options.guard_limits = query_sooner(cutover_limits(cutover), query_within(GUARD_LIMIT_MS));
    if (compare_guard(&options, &cutover->guard, error) == 0) {
        return 0;
    }
    if (error->code == ERROR_LIMIT) {
        cutover_note(cutover, "without a guard: who has locked small tables did not let go within %d ms",
                     GUARD_LIMIT_MS);
        *error = (Error){.code = ERROR_NONE};
        return 0;
    }
    return -1;
}

int cutover_verify(Cutover *cutover, json_t **out, bool *different, Error *error)
{
    CompareOptions options = compare_options(cutover);
    CompareResult result;
    *out = NULL;
    if (!cutover->settings->json) {
        printf("\nComparing the switch point (rows on source / target); clients are not waiting for this.\n");
        fflush(stdout);
    }
    int status = compare_tables(&options, &result, error);
    if (status == 0) {
        *different = result.different > 0 || result.unreadable > 0;
        json_t *tables = json_array();
        for (size_t i = 0; i < result.table_count; i++) {
            json_array_append_new(tables, table_json(&result.tables[i]));
        }
        *out = json_pack("{s:I, s:I, s:I, s:I, s:I, s:o}", "tables_compared", (json_int_t)result.table_count,
                         "tables_different", (json_int_t)result.different, "tables_rewritten",
                         (json_int_t)result.rewritten, "tables_unreadable", (json_int_t)result.unreadable,
                         "rows", (json_int_t)result.rows, "tables", tables);
        if (!cutover->settings->json) {
            print_result(cutover, &result);
        }
    }
    compare_free(&result);
    return status == 0 ? 0 : error_context(error, "comparing the switch point");
}
