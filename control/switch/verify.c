/*
 * The switch point, proven: both sides as they were just before the release, by snapshots taken then; after it both go on,
 * the source by the way back. Sequences were compared during the hold already: they know no snapshots.
 */
#include <stdio.h>

#include "cutover.h"

#define KEYS_SHOWN 10

static json_t *table_json(const CompareTable *table)
{
    json_t *keys = json_array();
    for (size_t i = 0; i < table->key_count; i++) {
        const CompareKey *key = &table->keys[i];
        json_array_append_new(keys, json_pack("{s:s, s:s}", "key", key->key, "where",
                                              key->on_source && key->on_target ? "both"
                                              : key->on_source                 ? "source"
                                                                               : "target"));
    }
    return json_pack("{s:s, s:s, s:b, s:I, s:I, s:s?, s:o}", "schema", table->schema, "table", table->name,
                     "equal", table->equal, "source_rows", (json_int_t)table->source_rows, "target_rows",
                     (json_int_t)table->target_rows, "problem", table->problem, "keys", keys);
}

static void print_table(const CompareTable *table)
{
    printf("  %s.%s  %lld / %lld  %s%s\n", table->schema, table->name, (long long)table->source_rows,
           (long long)table->target_rows,
           table->equal       ? "equal"
           : table->rewritten ? "no answer"
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

static CompareOptions compare_options(Cutover *cutover)
{
    return (CompareOptions){.source_uri = cutover->settings->source,
                            .target_uri = cutover->settings->target,
                            .source_snapshot = cutover->source_snapshot,
                            .target_snapshot = cutover->snapshot,
                            .migration = cutover->migration.name,
                            .jobs = cutover->options->jobs,
                            .max_keys = KEYS_SHOWN,
                            .stop = interrupted,
                            .guard = &cutover->guard};
}

int cutover_guard(Cutover *cutover, Error *error)
{
    CompareOptions options = compare_options(cutover);
    return compare_guard(&options, &cutover->guard, error);
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
        *different = result.different > 0;
        json_t *tables = json_array();
        for (size_t i = 0; i < result.table_count; i++) {
            json_array_append_new(tables, table_json(&result.tables[i]));
            if (!cutover->settings->json) {
                print_table(&result.tables[i]);
            }
        }
        *out = json_pack("{s:I, s:I, s:I, s:I, s:o}", "tables_compared", (json_int_t)result.table_count,
                         "tables_different", (json_int_t)result.different, "tables_rewritten",
                         (json_int_t)result.rewritten, "rows", (json_int_t)result.rows, "tables", tables);
        if (!cutover->settings->json) {
            printf("%zu tables, %lld rows: %zu different, %zu without an answer\n", result.table_count,
                   (long long)result.rows, result.different, result.rewritten);
        }
    }
    compare_free(&result);
    return status == 0 ? 0 : error_context(error, "comparing the switch point");
}
