/*
 *     hash_array_extended(ARRAY[record_send(ROW(a, b, ROW(c)::text))], 0)     as send functions give it: c is of a user's type
 *     hashtextextended(ROW(a, float8send(b), c)::text, 0)                     as text
 *
 * Both tell NULL from '' and one column from the next, and give the same on 11 to 18 for the same bytes. Of a bytea there is no
 * hash function that SQL can call, but an array's is made of those of its elements, here of one (utils/adt/arrayfuncs.c,
 * hash_array_extended). What is sent costs a third to a half of what text does: numbers, times and floats are not written out, and
 * nothing is quoted. With other encodings than one that both sides have, text is hashed, as it is or as UTF-8 makes of it, in hex.
 * A sum of 64-bit hashes, as numeric, does not depend on the order of the rows and counts a doubled row
 * twice. In which form each value is, forms.h says.
 */
#include "table_query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "forms.h"

#define SHOWN "100"

static char *column_value(const CompareColumn *column)
{
    Text value = {0};
    text_append(&value, "t.");
    text_name_add(&value, column->name);
    return value.data;
}

/* concat gives what the type writes, where a cast to text may do something else (bpchar loses its spaces), and nothing for null. */
#define WRITTEN "CASE WHEN %s IS NOT DISTINCT FROM NULL THEN NULL ELSE pg_catalog."

/* Of a bytea or of what the value's text is. */
static void append_md5(Text *sql, const CompareSubject *subject, const char *value, bool bytes)
{
    if (bytes) {
        text_printf(sql, "pg_catalog.md5(%s)", value);
    } else if (subject->to_utf8) {
        text_printf(sql, WRITTEN "md5(pg_catalog.convert_to(pg_catalog.concat(%s), 'UTF8')) END", value,
                    value);
    } else {
        text_printf(sql, WRITTEN "md5(pg_catalog.concat(%s)) END", value, value);
    }
}

/* The value in its form; its MD5 when careful: 16 bytes of it are as good as all, and a row of them fits into a text. */
static void append_column(Text *sql, const CompareSubject *subject, const CompareColumn *column, bool careful)
{
    char *value = column_value(column);
    char *form = form_apply(column->form, value);
    if (careful) {
        append_md5(sql, subject, form, column->bytes);
    } else {
        text_append(sql, form);
    }
    free(form);
    free(value);
}

static bool has_key(const CompareSubject *subject)
{
    for (size_t i = 0; i < subject->column_count; i++) {
        if (subject->columns[i].key) {
            return true;
        }
    }
    return false;
}

/* ROW(…)::text of all columns, or of the key's alone; of all where there is no key. */
static void append_row(Text *sql, const CompareSubject *subject, bool key, bool careful)
{
    bool all = !key || !has_key(subject);
    const char *comma = "";
    text_append(sql, "ROW(");
    for (size_t i = 0; i < subject->column_count; i++) {
        if (all || subject->columns[i].key) {
            text_append(sql, comma);
            append_column(sql, subject, &subject->columns[i], careful);
            comma = ", ";
        }
    }
    text_append(sql, ")::pg_catalog.text");
}

/* A key is shown as it is: those of B-trees are short. A row that stands for one is not. */
static void append_key(Text *sql, const CompareSubject *subject)
{
    text_append(sql, "pg_catalog.left(");
    append_row(sql, subject, true, subject->careful && !has_key(subject));
    text_append(sql, ", 200) COLLATE pg_catalog.\"C\"");
}

/* A value of a type that is not the same on both sides is text, in which NULL is not ''. */
static void append_sent(Text *sql, const CompareSubject *subject, bool key)
{
    bool all = !key || !has_key(subject);
    const char *comma = "";
    text_append(sql, "pg_catalog.hash_array_extended(ARRAY[pg_catalog.record_send(ROW(");
    for (size_t i = 0; i < subject->column_count; i++) {
        const CompareColumn *column = &subject->columns[i];
        if (all || column->key) {
            char *value = column_value(column);
            char *form = form_apply(column->sent != NULL ? column->sent : column->form, value);
            text_printf(sql, column->sent != NULL ? "%s%s" : "%sROW(%s)::pg_catalog.text", comma, form);
            comma = ", ";
            free(form);
            free(value);
        }
    }
    text_append(sql, "))], 0)");
}

static void append_hash(Text *sql, const CompareSubject *subject, bool key)
{
    if (subject->sent && !subject->careful) {
        append_sent(sql, subject, key);
        return;
    }
    text_append(sql, "pg_catalog.hashtextextended(");
    if (subject->to_utf8) {
        text_append(sql, "pg_catalog.encode(pg_catalog.convert_to(");
    }
    append_row(sql, subject, key, subject->careful);
    text_append(sql, subject->to_utf8 ? ", 'UTF8'), 'hex'), 0)" : ", 0)");
}

static void append_bound(Text *sql, const QueryRange *range, const char *comparison, const char *key)
{
    if (key != NULL && key[0] != '\0') {
        text_append(sql, " AND t.");
        text_name_add(sql, range->column);
        text_printf(sql, " OPERATOR(pg_catalog.%s) ", comparison);
        text_literal_add(sql, key);
        text_printf(sql, "::pg_catalog.%s", range->type);
    }
}

void query_range_add(Text *sql, const QueryRange *range)
{
    if (range->column != NULL) {
        append_bound(sql, range, ">=", range->first_key);
        append_bound(sql, range, "<", range->last_key);
    }
}

/* FROM and WHERE, to which further conditions can be added. The condition's names are those of the table itself. */
static void append_from(Text *sql, const CompareSubject *subject)
{
    bool conditional = subject->condition != NULL && subject->condition[0] != '\0';
    const char *only = subject->partitioned ? "" : "ONLY ";
    text_printf(sql, conditional ? " FROM (SELECT * FROM %s" : " FROM %s", only);
    text_qualified_add(sql, subject->schema, subject->name);
    if (conditional) {
        text_printf(sql, " %s)", subject->condition);
    }
    text_append(sql, " AS t WHERE true");
    query_range_add(sql, &subject->range);
    if (subject->sample > 0) {
        text_append(sql, " AND pg_catalog.abs(");
        append_hash(sql, subject, true);
        text_printf(sql,
                    " OPERATOR(pg_catalog.%%) 10000::pg_catalog.int8) OPERATOR(pg_catalog.<) "
                    "%d::pg_catalog.int8",
                    subject->sample);
    }
}

/*
 * A session that woke late had to wait for a core, as each statement of a client does: so it stays away, for many times as long. What
 * a nap of 2 ms takes beyond that by itself is the rounding of pg_sleep and of the timer. Arguments are evaluated from left to right
 * (ExecInitFunc, all majors), so the second look at the clock comes after the nap.
 */
#define YIELD                                                                                                \
    "LEAST(GREATEST(('-0.0023'::pg_catalog.float8 OPERATOR(pg_catalog.-) pg_catalog.date_part('epoch',"      \
    " pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) CASE WHEN"                                         \
    " pg_catalog.pg_sleep('0.002'::pg_catalog.float8) IS NULL THEN NULL"                                     \
    " ELSE pg_catalog.clock_timestamp() END)) OPERATOR(pg_catalog.*) '30'::pg_catalog.float8,"               \
    " '0'::pg_catalog.float8), '0.05'::pg_catalog.float8)"

/*
 * A reader that never rests takes a core from whoever else wants one, and each statement of a client waits for it, by some
 * milliseconds. One that works for less than a millisecond and then sleeps lets them pass.
 */
static void append_pace(Text *sql, ComparePace pace)
{
    char seconds[48];
    snprintf(seconds, sizeof seconds, "'%g'::pg_catalog.float8", pace.seconds);
    text_printf(sql,
                ", pg_catalog.count(*) FILTER (WHERE CASE WHEN pg_catalog.random() OPERATOR(pg_catalog.<)"
                " '%g'::pg_catalog.float8 THEN pg_catalog.pg_sleep(%s) IS NULL"
                " ELSE false END)",
                1 / pace.rows, pace.yields ? YIELD : seconds);
}

char *query_totals(const CompareSubject *const *subjects, int count)
{
    Text sql = {0};
    for (int i = 0; i < count; i++) {
        text_printf(&sql, "%sSELECT %d, pg_catalog.count(*), coalesce(pg_catalog.sum(",
                    i > 0 ? " UNION ALL " : "", i);
        append_hash(&sql, subjects[i], false);
        text_append(&sql, "), 0)");
        if (subjects[i]->pace.rows > 0) {
            append_pace(&sql, subjects[i]->pace);
        }
        append_from(&sql, subjects[i]);
    }
    return sql.data;
}

static void append_bucket(Text *sql, const CompareSubject *subject)
{
    text_append(sql, "(");
    append_hash(sql, subject, true);
    text_append(sql, " OPERATOR(pg_catalog.&) 4095::pg_catalog.int8)::pg_catalog.int4");
}

static void append_in_buckets(Text *sql, const CompareSubject *subject)
{
    append_from(sql, subject);
    text_append(sql, " AND ");
    append_bucket(sql, subject);
    text_append(sql, " OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.int4[])");
}

char *query_buckets(const CompareSubject *subject)
{
    Text sql = {0};
    text_append(&sql, "SELECT ");
    append_bucket(&sql, subject);
    text_append(&sql, ", pg_catalog.count(*), pg_catalog.sum(");
    append_hash(&sql, subject, false);
    text_append(&sql, ")");
    append_from(&sql, subject);
    text_append(&sql, " GROUP BY 1 ORDER BY 1");
    return sql.data;
}

char *query_rows(const CompareSubject *subject)
{
    Text sql = {0};
    text_append(&sql, "SELECT ");
    append_key(&sql, subject);
    text_append(&sql, ", ");
    append_hash(&sql, subject, true);
    text_append(&sql, ", ");
    append_hash(&sql, subject, false);
    append_in_buckets(&sql, subject);
    text_append(&sql, " ORDER BY 2, 3");
    return sql.data;
}

char *query_values(const CompareSubject *subject)
{
    Text sql = {0};
    text_append(&sql, "SELECT ");
    append_hash(&sql, subject, true);
    for (size_t i = 0; i < subject->column_count; i++) {
        const CompareColumn *column = &subject->columns[i];
        char *value = column_value(column);
        char *form = form_apply(column->form, value);
        /* A long bytea is cut before it is made text, which is twice as long. */
        bool is_bytea = strcmp(column->form, "\1") == 0 && column->bytes;
        if (is_bytea) {
            text_printf(
                &sql, ", pg_catalog.left(pg_catalog.substr(%s, 1, " SHOWN ")::pg_catalog.text, " SHOWN "), ",
                value);
        } else {
            text_printf(&sql, ", " WRITTEN "left(pg_catalog.concat(%s), " SHOWN ") END, ", value, value);
        }
        append_md5(&sql, subject, form, column->bytes);
        free(form);
        free(value);
    }
    append_in_buckets(&sql, subject);
    text_append(&sql, " AND ");
    append_hash(&sql, subject, true);
    text_append(&sql, " OPERATOR(pg_catalog.=) ANY ($2::pg_catalog.int8[]) ORDER BY 1");
    return sql.data;
}

char *query_keys(const CompareSubject *subject)
{
    Text sql = {0};
    if (!has_key(subject)) {
        return NULL;
    }
    text_append(&sql, "SELECT ");
    append_hash(&sql, subject, true);
    for (size_t i = 0; i < subject->column_count; i++) {
        if (subject->columns[i].key) {
            char *value = column_value(&subject->columns[i]);
            text_printf(&sql, ", pg_catalog.concat(%s)", value);
            free(value);
        }
    }
    append_in_buckets(&sql, subject);
    text_append(&sql, " AND ");
    append_hash(&sql, subject, true);
    text_append(&sql, " OPERATOR(pg_catalog.=) ANY ($2::pg_catalog.int8[])");
    return sql.data;
}

char *query_row_hash(const CompareSubject *subject)
{
    Text sql = {0};
    append_hash(&sql, subject, false);
    return sql.data;
}

char *query_key_hash(const CompareSubject *subject)
{
    Text sql = {0};
    append_hash(&sql, subject, true);
    return sql.data;
}

char *query_key_shown(const CompareSubject *subject)
{
    Text sql = {0};
    append_key(&sql, subject);
    return sql.data;
}
