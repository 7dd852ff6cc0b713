/*
 * The keys are hashed into buckets with a total each (buckets.h), and the rows of those that differ are merged by the hashes of key
 * and row. Of the first rows that are on both sides the values are fetched at last.
 *
 * Rows without a key are a multiset: the same row more often on one side is listed as often.
 */
#include "rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buckets.h"
#include "text.h"

#define ROWS_LOOKED_AT 200000
#define MOST_COLUMNS 800 /* two for each: a query gives 1,664 columns at most */

/* The columns of query_rows. */
enum { SHOWN, KEY_HASH, ROW_HASH };

static int compare_numbers(const char *left, const char *right)
{
    long long a = strtoll(left, NULL, 10), b = strtoll(right, NULL, 10);
    return (a > b) - (a < b);
}

static int compare_at(const PGresult *source, int s, const PGresult *target, int t)
{
    int order = compare_numbers(PQgetvalue(source, s, KEY_HASH), PQgetvalue(target, t, KEY_HASH));
    return order != 0 ? order
                      : compare_numbers(PQgetvalue(source, s, ROW_HASH), PQgetvalue(target, t, ROW_HASH));
}

/* One side's row that has no equal on the other: joins the entry before when that is the same key's other side. */
static void add_key(CompareTable *table, int max_keys, const PGresult *rows, int row, bool on_source)
{
    const char *hash = PQgetvalue(rows, row, KEY_HASH);
    if (table->key_count > 0) {
        CompareKey *last = &table->keys[table->key_count - 1];
        if (strcmp(last->hash, hash) == 0 && (on_source ? !last->on_source : !last->on_target)) {
            last->on_source = last->on_target = true;
            return;
        }
    }
    if (table->key_count == (size_t)max_keys) {
        table->more_keys = true;
        return;
    }
    CompareKey *key = &table->keys[table->key_count++];
    *key = (CompareKey){
        .key = text_copy(PQgetvalue(rows, row, SHOWN)), .on_source = on_source, .on_target = !on_source};
    snprintf(key->hash, sizeof key->hash, "%s", hash);
}

static void merge_rows(CompareTable *table, int max_keys, const PGresult *source, const PGresult *target)
{
    int s = 0, t = 0, source_count = PQntuples(source), target_count = PQntuples(target);
    table->keys = calloc((size_t)max_keys + 1, sizeof *table->keys);
    if (table->keys == NULL) {
        abort();
    }
    while (s < source_count || t < target_count) {
        int order = s == source_count ? 1 : t == target_count ? -1 : compare_at(source, s, target, t);
        if (order != 0) {
            add_key(table, max_keys, order < 0 ? source : target, order < 0 ? s : t, order < 0);
        }
        s += order <= 0;
        t += order >= 0;
    }
}

/* --- values --- */

static char *value_at(const PGresult *rows, int row, int column)
{
    return PQgetisnull(rows, row, column) ? NULL : text_copy(PQgetvalue(rows, row, column));
}

static int find_row(const PGresult *rows, const char *hash)
{
    for (int row = 0; row < PQntuples(rows); row++) {
        if (strcmp(PQgetvalue(rows, row, 0), hash) == 0) {
            return row;
        }
    }
    return -1;
}

static bool same_value(const PGresult *source, int s, const PGresult *target, int t, int column)
{
    return PQgetisnull(source, s, column) == PQgetisnull(target, t, column) &&
           strcmp(PQgetvalue(source, s, column), PQgetvalue(target, t, column)) == 0;
}

static void add_columns(CompareKey *key, const CompareSubject *subject, const PGresult *source,
                        const PGresult *target)
{
    int s = find_row(source, key->hash), t = find_row(target, key->hash);
    if (s < 0 || t < 0) {
        return;
    }
    key->values = calloc(subject->column_count + 1, sizeof *key->values);
    if (key->values == NULL) {
        abort();
    }
    for (size_t i = 0; i < subject->column_count; i++) {
        int shown = 1 + 2 * (int)i;
        if (!same_value(source, s, target, t, shown + 1)) {
            CompareValue *value = &key->values[key->value_count++];
            value->column = text_copy(subject->columns[i].name);
            value->source = value_at(source, s, shown);
            value->target = value_at(target, t, shown);
        }
    }
}

static int show_digits(ComparePair *pair, const char *digits, Error *error)
{
    char sql[64];
    snprintf(sql, sizeof sql, "SET LOCAL extra_float_digits = %s", digits);
    return pair_execute(pair, sql, error);
}

/* Of rows that are on both sides. What is shown of floats are all their digits. */
static int find_values(ComparePair *pair, const CompareSubject *subject, const char *buckets,
                       CompareTable *table, Error *error)
{
    PGresult *source, *target;
    Text keys = {0};
    if (subject->column_count > MOST_COLUMNS) {
        return 0;
    }
    for (size_t i = 0; i < table->key_count; i++) {
        if (table->keys[i].on_source && table->keys[i].on_target) {
            text_array_add(&keys, table->keys[i].hash);
        }
    }
    if (keys.size == 0) {
        return 0;
    }
    text_array_end(&keys);
    char *sql = query_values(subject);
    const char *values[2] = {buckets, keys.data};
    int status = show_digits(pair, "3", error) == 0
                     ? pair_query_rows(pair, sql, 2, values, &source, &target, error)
                     : -1;
    if (status == 0 && show_digits(pair, "0", error) != 0) {
        PQclear(source);
        PQclear(target);
        status = -1;
    }
    free(sql);
    text_free(&keys);
    if (status != 0) {
        return -1;
    }
    for (size_t i = 0; i < table->key_count; i++) {
        if (table->keys[i].on_source && table->keys[i].on_target) {
            add_columns(&table->keys[i], subject, source, target);
        }
    }
    PQclear(source);
    PQclear(target);
    return 0;
}

/* --- keys --- */

static void take_parts(CompareTable *table, const PGresult *rows)
{
    for (size_t i = 0; i < table->key_count; i++) {
        CompareKey *key = &table->keys[i];
        int row = key->parts == NULL ? find_row(rows, key->hash) : -1;
        if (row < 0) {
            continue;
        }
        key->part_count = (size_t)PQnfields(rows) - 1;
        key->parts = calloc(key->part_count + 1, sizeof *key->parts);
        if (key->parts == NULL) {
            abort();
        }
        for (size_t part = 0; part < key->part_count; part++) {
            key->parts[part] = value_at(rows, row, 1 + (int)part);
        }
    }
}

static int find_parts(ComparePair *pair, const CompareSubject *subject, const char *buckets,
                      CompareTable *table, Error *error)
{
    PGresult *source, *target;
    Text keys = {0};
    char *sql = query_keys(subject);
    if (sql == NULL || table->key_count == 0) {
        free(sql);
        return 0;
    }
    for (size_t i = 0; i < table->key_count; i++) {
        text_array_add(&keys, table->keys[i].hash);
    }
    text_array_end(&keys);
    const char *values[2] = {buckets, keys.data};
    int status = show_digits(pair, "3", error) == 0
                     ? pair_query_rows(pair, sql, 2, values, &source, &target, error)
                     : -1;
    free(sql);
    text_free(&keys);
    if (status != 0) {
        return -1;
    }
    take_parts(table, source);
    take_parts(table, target);
    PQclear(source);
    PQclear(target);
    return show_digits(pair, "0", error);
}

/* As many as have the rows that are to be listed, each at least one; but no more than are in so many rows. */
static int most_buckets(const CompareTable *table, int max_keys)
{
    int wanted = max_keys < BUCKETS_LISTED ? BUCKETS_LISTED : max_keys > BUCKETS ? BUCKETS : max_keys;
    int64_t rows = table->source_rows > table->target_rows ? table->source_rows : table->target_rows;
    int64_t most = ROWS_LOOKED_AT / (rows / BUCKETS + 1);
    return most < BUCKETS_LISTED ? BUCKETS_LISTED : most > wanted ? wanted : (int)most;
}

int rows_find(ComparePair *pair, const CompareSubject *subject, int max_keys, CompareTable *table,
              Error *error)
{
    PGresult *source, *target;
    char *sql = query_buckets(subject);
    int status = pair_query_rows(pair, sql, 0, NULL, &source, &target, error);
    free(sql);
    if (status != 0) {
        return -1;
    }
    Text buckets = {0};
    int most = most_buckets(table, max_keys);
    table->more_keys = buckets_find(source, target, most, &buckets) > most;
    const char *values[1] = {buckets.data};
    PQclear(source);
    PQclear(target);
    sql = query_rows(subject);
    status = pair_query_rows(pair, sql, 1, values, &source, &target, error);
    free(sql);
    if (status == 0) {
        merge_rows(table, max_keys, source, target);
        PQclear(source);
        PQclear(target);
        status = subject->key_parts ? find_parts(pair, subject, buckets.data, table, error)
                                    : find_values(pair, subject, buckets.data, table, error);
    }
    text_free(&buckets);
    return status;
}
