/*
 * One row per part, by table and in the order of keys; one row for a table that is copied whole.
 */
#include "origin_lookup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

static const char origin_sql[] =
    "SELECT a.n, coalesce(j.first_key, '-9223372036854775808') AS first_key, coalesce(j.id, 0), "
    "  p.snapshot IS NOT NULL, s.seen, s.end_lsn "
    "FROM unnest($1::int8[]) WITH ORDINALITY AS a (id, n) JOIN penstock.relation r ON r.id = a.id "
    "LEFT JOIN (penstock.job_relation jr JOIN penstock.job j ON j.id = jr.job AND j.kind = 'part') "
    "  ON jr.relation = r.id AND r.part_column IS NOT NULL "
    "CROSS JOIN LATERAL (SELECT CASE WHEN j.id IS NULL THEN r.snapshot ELSE j.snapshot END AS snapshot) p "
    "LEFT JOIN penstock.snapshot s ON s.migration = r.migration AND s.number = p.snapshot "
    "ORDER BY a.n, first_key";

static int read_part(const PGresult *rows, int row, OriginPart *part, Error *error)
{
    Lsn end;
    *part = (OriginPart){.first_key = strtoll(PQgetvalue(rows, row, 1), NULL, 10),
                         .job = strtoll(PQgetvalue(rows, row, 2), NULL, 10),
                         .copied = PQgetvalue(rows, row, 3)[0] == 't'};
    if (!part->copied) {
        return 0;
    }
    if (!lsn_parse(PQgetvalue(rows, row, 5), &end)) {
        return error_set(error, ERROR_STATE, "a snapshot that was copied from is not in penstock.snapshot");
    }
    if (PQgetisnull(rows, row, 4)) {
        part->snapshot = snapshot_by_lsn(end);
        return 0;
    }
    return snapshot_parse(PQgetvalue(rows, row, 4), end, &part->snapshot, error);
}

/* Of the rows [first, last). */
static Origin *read_origin(const PGresult *rows, int first, int last, Error *error)
{
    Origin *origin = calloc(1, sizeof *origin);
    if (origin == NULL || (origin->parts = calloc((size_t)(last - first), sizeof *origin->parts)) == NULL) {
        abort();
    }
    for (int row = first; row < last; row++) {
        if (read_part(rows, row, &origin->parts[origin->count++], error) != 0) {
            origin_free(origin);
            return NULL;
        }
    }
    return origin;
}

/* No row is from a transaction that committed there or behind. */
static Lsn end_of(const Origin *origin)
{
    Lsn end = LSN_INVALID;
    for (size_t i = 0; i < origin->count; i++) {
        Lsn own = origin->parts[i].copied ? origin->parts[i].snapshot.end : UINT64_MAX;
        end = own > end ? own : end;
    }
    return end;
}

/* The column of the source that the table's parts are ranges of. */
static int find_column(ApplyRelation *relation, const char *name, Error *error)
{
    const SourceRelation *source = relation->source;
    for (uint32_t c = 0; c < source->column_count; c++) {
        if (strcmp(source->columns[c].name, name) == 0) {
            relation->origin->column = c;
            return 0;
        }
    }
    return error_set(error, ERROR_CONFLICT,
                     "table %s is copied by ranges of column \"%s\", which the source does not have any more",
                     relation->qualified, name);
}

static int take_origins(const PGresult *rows, ApplyRelation *const *relations, const char *const *columns,
                        size_t count, Error *error)
{
    for (int first = 0, last; first < PQntuples(rows); first = last) {
        size_t number = strtoul(PQgetvalue(rows, first, 0), NULL, 10) - 1;
        for (last = first + 1;
             last < PQntuples(rows) && strcmp(PQgetvalue(rows, first, 0), PQgetvalue(rows, last, 0)) == 0;
             last++) {
        }
        if (number >= count) {
            continue;
        }
        ApplyRelation *relation = relations[number];
        relation->origin = read_origin(rows, first, last, error);
        if (relation->origin == NULL) {
            return error_context(error, "from what %s was copied", relation->qualified);
        }
        relation->copy_lsn = end_of(relation->origin);
        if (columns[number] != NULL && find_column(relation, columns[number], error) != 0) {
            return -1;
        }
    }
    return 0;
}

int origin_lookup(Database *target, ApplyRelation *const *relations, const char *const *columns, size_t count,
                  Error *error)
{
    PGresult *rows = NULL;
    Text numbers = {0};
    for (size_t i = 0; i < count; i++) {
        char text[24];
        snprintf(text, sizeof text, "%lld", (long long)relations[i]->number);
        text_array_add(&numbers, text);
    }
    text_array_end(&numbers);
    int status = database_query(target, &rows, error, origin_sql, 1, numbers.data);
    if (status == 0) {
        status = take_origins(rows, relations, columns, count, error);
    }
    PQclear(rows);
    text_free(&numbers);
    return status;
}
