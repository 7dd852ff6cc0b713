/*
 * First the totals, of all tables in one query; most tables end there.
 *
 * A snapshot does not protect from TRUNCATE and what else gives a table a new file: pg_class is read under the snapshot,
 * pg_relation_filenode tells the file of this moment.
 */
#include "chunk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rows.h"
#include "text.h"

bool chunk_wants_care(const Error *error)
{
    /* Something is not found or ambiguous; too long a text, the last by the words of palloc. */
    static const char *const states[] = {"42", "3F", "54", "53200", "XX000"};
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        if (strncmp(error->sqlstate, states[i], strlen(states[i])) == 0) {
            return true;
        }
    }
    return false;
}

static void take_totals(CompareTable *table, const PGresult *source, int s, const PGresult *target, int t)
{
    table->source_rows = strtoll(PQgetvalue(source, s, 1), NULL, 10);
    table->target_rows = strtoll(PQgetvalue(target, t, 1), NULL, 10);
    table->equal = table->source_rows == table->target_rows &&
                   strcmp(PQgetvalue(source, s, 2), PQgetvalue(target, t, 2)) == 0;
}

/* The row of number n; the parts of a UNION ALL may come in any order. */
static int row_of(const PGresult *rows, int n)
{
    char text[16];
    snprintf(text, sizeof text, "%d", n);
    if (n < PQntuples(rows) && strcmp(PQgetvalue(rows, n, 0), text) == 0) {
        return n;
    }
    for (int row = 0; row < PQntuples(rows); row++) {
        if (strcmp(PQgetvalue(rows, row, 0), text) == 0) {
            return row;
        }
    }
    return -1;
}

/* Of the tables that have no problem. */
static int compare_totals(ComparePair *pair, const Described *described, CompareTable *tables, int count,
                          Error *error)
{
    const CompareSubject **subjects = calloc((size_t)count + 1, sizeof *subjects);
    int *numbers = calloc((size_t)count + 1, sizeof *numbers), asked = 0;
    if (subjects == NULL || numbers == NULL) {
        abort();
    }
    for (int i = 0; i < count; i++) {
        if (described[i].problem == NULL) {
            numbers[asked] = i;
            subjects[asked++] = &described[i].subject;
        }
    }
    PGresult *source = NULL, *target = NULL;
    char *sql = query_totals(subjects, asked);
    int status = asked == 0 ? 0 : pair_query_rows(pair, sql, 0, NULL, &source, &target, error);
    for (int i = 0; status == 0 && i < asked; i++) {
        int s = row_of(source, i), t = row_of(target, i);
        if (s < 0 || t < 0) {
            status = error_set(error, ERROR_PROTOCOL, "a query over %d tables gave fewer rows", asked);
        } else {
            take_totals(&tables[numbers[i]], source, s, target, t);
        }
    }
    PQclear(source);
    PQclear(target);
    free(sql);
    free(subjects);
    free(numbers);
    return status;
}

static int is_rewritten(Database *database, const CompareTable *table, bool *rewritten, Error *error)
{
    return database_found(
        database, rewritten, error,
        "SELECT 1 FROM pg_catalog.pg_class c WHERE c.relfilenode <> 0"
        "   AND c.relfilenode <> pg_catalog.pg_relation_filenode(c.oid)"
        "   AND (c.oid = pg_catalog.to_regclass(pg_catalog.format('%I.%I', $1::text, $2::text)) OR c.oid IN "
        "(SELECT inhrelid FROM pg_catalog.pg_inherits"
        "         WHERE inhparent = pg_catalog.to_regclass(pg_catalog.format('%I.%I', $1::text, $2::text))))"
        " LIMIT 1",
        2, table->schema, table->name);
}

static void note_problem(CompareTable *table, const char *problem)
{
    free(table->problem);
    table->problem = text_copy(problem);
}

/* Was the table, or a partition of it, emptied or rewritten since the snapshot, on either side? */
static int check_rewritten(ComparePair *pair, CompareTable *table, Error *error)
{
    bool here = false, there = false;
    if (is_rewritten(pair->source, table, &here, error) != 0 ||
        is_rewritten(pair->target, table, &there, error) != 0) {
        return -1;
    }
    table->rewritten = here || there;
    if (table->rewritten) {
        note_problem(table, here ? "emptied or rewritten at the source since the snapshot: the rows of that "
                                   "moment are gone"
                                 : "emptied or rewritten on the target since the snapshot: the rows of that "
                                   "moment are gone");
    }
    return 0;
}

static int look_closer(ComparePair *pair, const Described *described, int max_keys, CompareTable *table,
                       Error *error)
{
    if (check_rewritten(pair, table, error) != 0) {
        return -1;
    }
    if (described->subject.key_parts) {
        table->row_hash = query_row_hash(&described->subject);
        table->key_hash = query_key_hash(&described->subject);
        table->key_shown = query_key_shown(&described->subject);
    }
    return table->rewritten || max_keys == 0 ? 0
                                             : rows_find(pair, &described->subject, max_keys, table, error);
}

static void take_shape(Described *described, const ChunkShape *shape, bool careful)
{
    described->subject.careful = careful;
    if (shape != NULL) {
        described->subject.condition = shape->condition;
        described->subject.range = shape->range;
        described->subject.sample = shape->sample;
        described->subject.pace = shape->pace;
        described->subject.key_parts = shape->key_parts;
    }
}

static int describe(ComparePair *pair, Forms *forms, const ChunkShape *shapes, CompareTable *tables,
                    int count, Described **out, Error *error)
{
    const char **schemas = calloc((size_t)count + 1, sizeof *schemas);
    const char **names = calloc((size_t)count + 1, sizeof *names);
    if (schemas == NULL || names == NULL) {
        abort();
    }
    for (int i = 0; i < count; i++) {
        schemas[i] = tables[i].schema;
        names[i] = tables[i].name;
    }
    int status = describe_tables(pair, forms, schemas, names, count, out, error);
    free(schemas);
    free(names);
    for (int i = 0; status == 0 && i < count; i++) {
        take_shape(&(*out)[i], shapes != NULL ? &shapes[i] : NULL, pair->careful);
        pair_add_table(pair, (*out)[i].subject.partitioned, (*out)[i].subject.column_count);
        if ((*out)[i].problem != NULL) {
            note_problem(&tables[i], (*out)[i].problem);
            tables[i].unreadable = (*out)[i].gone;
        }
    }
    return status;
}

int chunk_compare(ComparePair *pair, Forms *forms, int max_keys, const ChunkShape *shapes,
                  CompareTable *tables, int count, Error *error)
{
    Described *described = NULL;
    int status = describe(pair, forms, shapes, tables, count, &described, error);
    if (status == 0) {
        status = compare_totals(pair, described, tables, count, error);
    }
    for (int i = 0; status == 0 && i < count; i++) {
        if (!tables[i].equal && tables[i].problem == NULL) {
            status = look_closer(pair, &described[i], max_keys, &tables[i], error);
        }
    }
    described_free(described, count);
    return status == 0  ? 0
           : count == 1 ? error_context(error, "comparing %s.%s", tables[0].schema, tables[0].name)
                        : -1;
}
