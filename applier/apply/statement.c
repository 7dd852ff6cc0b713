/*
 * Five decisions shape the text:
 *
 * - Every value is cast to the type of its column on the target, and compared with that type's own equality operator by
 *   its qualified name: a citext key compared as text would neither mean the same nor use the index. What has no such operator
 *   (json, composite types) is compared as its output function writes it: a cast to text may be a user's. Whatever else is named
 *   has its schema as well: the search path is the database's own, for the sake of functions that its expressions call.
 * - Tables that are not partitioned are named with ONLY, so that rows of inheritance children with the same key stay
 *   untouched.
 * - Rows of relations without a key (MATCH_ROW) are found by all columns and touched by ctid, one per statement unless
 *   many go together (reduce_full.h). Among
 *   rows that are equal but differ in bytes (1.0 and 1.00) the one with the very same bytes comes first.
 * - A GENERATED ALWAYS identity column cannot be written by UPDATE. For many rows it is compared instead, so that a row
 *   where it did change is missing in the count and its relation falls back to rows; there the row is deleted and
 *   inserted anew in one statement.
 * - Arrays are taken apart side by side in a select list, which makes one row after the other. In FROM, each would first
 *   become a table of its own, kept until the last row is read.
 * - A few rows (by_key) are found by one scan of the index, and each takes its values from the arrays by the place of its key
 *   (array_position, which compares as the default operator class does: hence the list of types). Planning that costs a third of
 *   planning a join, and running it once less than running a statement for each row; with the number of rows it grows by the square.
 */
#include "statement.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct Builder {
    FILE *out;
    const ApplyRelation *relation;
    const Shape *shape;
    const char *separator;
} Builder;

/* Above so many columns the values are looked up too often. */
#define MOST_LOOKED_UP 16

/* Types of keys, by OID: int8, int2, int4, text, varchar, uuid. Whatever is equal has the same bytes. */
static const uint32_t looked_up_types[] = {20, 21, 23, 25, 1043, 2950};

static bool is_looked_up(const TargetColumn *key)
{
    for (size_t i = 0; i < sizeof looked_up_types / sizeof *looked_up_types; i++) {
        if (key->type == looked_up_types[i]) {
            return key->element_type == key->type && key->equality != NULL;
        }
    }
    return false;
}

bool statement_finds_by_key(const ApplyRelation *relation, const Shape *shape)
{
    return shape->kind != CHANGE_INSERT && relation->match == MATCH_KEY && relation->source->key_count == 1 &&
           !relation->overriding && is_looked_up(&relation->columns[relation->source->keys[0]]) &&
           statement_parameter_count(relation, shape) <= MOST_LOOKED_UP;
}

static bool in_set(const Builder *b, uint32_t column)
{
    return column_in(b->shape->set, column);
}

static bool in_find(const Builder *b, uint32_t column)
{
    return column_in(b->shape->find, column);
}

static uint32_t column_total(const ApplyRelation *relation)
{
    return relation->source->column_count;
}

int statement_parameter_count(const ApplyRelation *relation, const Shape *shape)
{
    int count = 0;
    for (uint32_t c = 0; c < column_total(relation); c++) {
        count += column_in(shape->set, c) + column_in(shape->find, c);
    }
    return count;
}

static Oid parameter_type(const ApplyRelation *relation, const Shape *shape, uint32_t column)
{
    const TargetColumn *target = &relation->columns[column];
    return shape->single ? target->element_type : target->array_type;
}

void statement_parameter_types(const ApplyRelation *relation, const Shape *shape, Oid *types)
{
    int n = 0;
    const ColumnWord *sets[] = {shape->set, shape->find};
    for (int s = 0; s < 2; s++) {
        for (uint32_t c = 0; c < column_total(relation); c++) {
            if (column_in(sets[s], c)) {
                types[n++] = parameter_type(relation, shape, c);
            }
        }
    }
}

/* The number of a parameter, from 0: column's place in set, or behind that in find. */
static int parameter_number(const Builder *b, bool find, uint32_t column)
{
    int number = 0;
    for (uint32_t c = 0; c < column_total(b->relation); c++) {
        number += in_set(b, c) && (find || c < column);
        number += find && c < column && in_find(b, c);
    }
    return number;
}

/* The value of a column, of its type on the target. */
static void put_value(const Builder *b, bool find, uint32_t column)
{
    int number = parameter_number(b, find, column);
    if (b->shape->by_key) {
        uint32_t key = b->relation->source->keys[0];
        fprintf(b->out, "($%d)[pg_catalog.array_position($%d, t.%s)]", number + 1,
                parameter_number(b, true, key) + 1, b->relation->columns[key].quoted);
    } else if (b->shape->single) {
        fprintf(b->out, "$%d", number + 1);
    } else {
        fprintf(b->out, "u.p%d", number);
    }
    fprintf(b->out, "::%s", b->relation->columns[column].cast);
}

/* What stands between items: first `begin`, then `next`. */
static void put_separator(Builder *b, const char *next)
{
    fputs(b->separator, b->out);
    b->separator = next;
}

static const char *only(const ApplyRelation *relation)
{
    return relation->partitioned ? "" : "ONLY ";
}

/* The rows are joined with those of the table. */
static bool joins(const Builder *b)
{
    return !b->shape->single && !b->shape->by_key;
}

static void put_unnest(Builder *b)
{
    int count = statement_parameter_count(b->relation, b->shape);
    fputs("(SELECT ", b->out);
    for (int i = 0; i < count; i++) {
        fprintf(b->out, "%spg_catalog.unnest($%d)", i == 0 ? "" : ", ", i + 1);
    }
    fputs(") AS u(", b->out);
    for (int i = 0; i < count; i++) {
        fprintf(b->out, "%sp%d", i == 0 ? "" : ", ", i);
    }
    fputs(")", b->out);
}

/* t.column = value, in the column's own sense. */
static void put_equal(const Builder *b, bool find, uint32_t column)
{
    const TargetColumn *target = &b->relation->columns[column];
    if (b->shape->by_key && find) {
        fprintf(b->out, "t.%s %s ANY ($%d)", target->quoted, target->equality,
                parameter_number(b, true, column) + 1);
    } else if (target->equality != NULL) {
        fprintf(b->out, "t.%s %s ", target->quoted, target->equality);
        put_value(b, find, column);
    } else {
        fprintf(b->out, "pg_catalog.textin(%s(t.%s)) OPERATOR(pg_catalog.=) pg_catalog.textin(%s(",
                target->output, target->quoted, target->output);
        put_value(b, find, column);
        fputs("))", b->out);
    }
}

/* The columns that the row is found by. */
static void put_find(Builder *b)
{
    for (uint32_t c = 0; c < column_total(b->relation); c++) {
        const TargetColumn *target = &b->relation->columns[c];
        if (in_find(b, c)) {
            put_separator(b, " AND ");
            put_equal(b, true, c);
        } else if (b->relation->match == MATCH_ROW && !target->generated) {
            put_separator(b, " AND ");
            fprintf(b->out, "t.%s IS NULL", target->quoted);
        }
    }
}

/* Columns that an update of many rows may not write but must not lose either. */
static void put_identity_unchanged(Builder *b)
{
    for (uint32_t c = 0; c < column_total(b->relation); c++) {
        if (in_set(b, c) && b->relation->columns[c].identity_always) {
            put_separator(b, " AND ");
            put_equal(b, false, c);
        }
    }
}

/* The row itself by its bytes: puts the same bytes before what is only equal. */
static void put_same_bytes_first(Builder *b, const char *before)
{
    bool any = false;
    for (uint32_t c = 0; c < column_total(b->relation); c++) {
        any = any || in_find(b, c);
    }
    if (!any) {
        return;
    }
    fprintf(b->out, "%s(ROW(", before);
    b->separator = "";
    for (uint32_t c = 0; c < column_total(b->relation); c++) {
        if (in_find(b, c)) {
            put_separator(b, ", ");
            fprintf(b->out, "t.%s", b->relation->columns[c].quoted);
        }
    }
    fputs(")::pg_catalog.record OPERATOR(pg_catalog.*=) ROW(", b->out);
    b->separator = "";
    for (uint32_t c = 0; c < column_total(b->relation); c++) {
        if (in_find(b, c)) {
            put_separator(b, ", ");
            put_value(b, true, c);
        }
    }
    fputs(")::pg_catalog.record) DESC", b->out);
}

/* WITH m: where the one row is, for MATCH_ROW. */
static void put_row_location(Builder *b)
{
    fprintf(b->out, "m AS MATERIALIZED (SELECT t.tableoid AS r, t.ctid AS c FROM %s%s AS t",
            only(b->relation), b->relation->qualified);
    b->separator = " WHERE ";
    put_find(b);
    put_same_bytes_first(b, " ORDER BY ");
    fputs(" LIMIT 1)", b->out);
}

/*
 * WITH m: where the rows are, for MATCH_ROW and many, each another one. The rows that are looked for are numbered, and each of
 * them takes one of those that are equal to it, the one with the same bytes first.
 */
static void put_row_locations(Builder *b)
{
    fprintf(b->out,
            "m AS MATERIALIZED (SELECT DISTINCT ON (u.o) t.tableoid AS r, t.ctid AS c FROM %s%s AS t, "
            "(SELECT u.*, pg_catalog.row_number() OVER () AS o FROM ",
            only(b->relation), b->relation->qualified);
    put_unnest(b);
    fputs(") AS u", b->out);
    b->separator = " WHERE ";
    put_find(b);
    fputs(" ORDER BY u.o", b->out);
    put_same_bytes_first(b, ", ");
    fputs(")", b->out);
}

/* FROM or USING, and WHERE: what an update or delete applies to. */
static void put_target(Builder *b, const char *keyword)
{
    b->separator = " WHERE ";
    if (b->relation->match == MATCH_ROW) {
        fprintf(b->out, " %s m WHERE t.ctid OPERATOR(pg_catalog.=) m.c%s", keyword,
                b->relation->partitioned ? " AND t.tableoid OPERATOR(pg_catalog.=) m.r" : "");
        return;
    }
    if (joins(b)) {
        fprintf(b->out, " %s ", keyword);
        put_unnest(b);
    }
    put_find(b);
}

static void put_insert(Builder *b)
{
    fprintf(b->out, "INSERT INTO %s", b->relation->qualified);
    b->separator = " (";
    for (uint32_t c = 0; c < column_total(b->relation); c++) {
        if (in_set(b, c)) {
            put_separator(b, ", ");
            fputs(b->relation->columns[c].quoted, b->out);
        }
    }
    if (statement_parameter_count(b->relation, b->shape) == 0) {
        fputs(" DEFAULT VALUES", b->out);
        return;
    }
    fprintf(b->out, ")%s SELECT ", b->relation->overriding ? " OVERRIDING SYSTEM VALUE" : "");
    b->separator = "";
    for (uint32_t c = 0; c < column_total(b->relation); c++) {
        if (in_set(b, c)) {
            put_separator(b, ", ");
            put_value(b, false, c);
        }
    }
    if (!b->shape->single) {
        fputs(" FROM ", b->out);
        put_unnest(b);
    }
}

static void put_delete(Builder *b)
{
    if (b->relation->match == MATCH_ROW) {
        fputs("WITH ", b->out);
        if (b->shape->single) {
            put_row_location(b);
        } else {
            put_row_locations(b);
        }
        fputs(" ", b->out);
    }
    fprintf(b->out, "DELETE FROM %s%s AS t", only(b->relation), b->relation->qualified);
    put_target(b, "USING");
}

/* An update that writes nothing must still find its rows: their number is checked. */
static void put_presence(Builder *b)
{
    fprintf(b->out, "SELECT FROM %s%s AS t", only(b->relation), b->relation->qualified);
    if (joins(b)) {
        fputs(", ", b->out);
        put_unnest(b);
    }
    b->separator = " WHERE ";
    put_find(b);
    put_identity_unchanged(b);
    if (b->relation->match == MATCH_ROW) {
        fputs(" LIMIT 1", b->out);
    }
}

static void put_update(Builder *b)
{
    if (b->relation->match == MATCH_ROW) {
        fputs("WITH ", b->out);
        put_row_location(b);
        fputs(" ", b->out);
    }
    fprintf(b->out, "UPDATE %s%s AS t", only(b->relation), b->relation->qualified);
    b->separator = " SET ";
    for (uint32_t c = 0; c < column_total(b->relation); c++) {
        if (in_set(b, c) && !b->relation->columns[c].identity_always) {
            put_separator(b, ", ");
            fprintf(b->out, "%s = ", b->relation->columns[c].quoted);
            put_value(b, false, c);
        }
    }
    put_target(b, "FROM");
    put_identity_unchanged(b);
}

/* An update as delete and insert in one statement: what is not written is kept. */
static void put_replace(Builder *b)
{
    fputs("WITH ", b->out);
    if (b->relation->match == MATCH_ROW) {
        put_row_location(b);
        fputs(", ", b->out);
    }
    fprintf(b->out, "d AS (DELETE FROM %s%s AS t", only(b->relation), b->relation->qualified);
    put_target(b, "USING");
    fprintf(b->out, " RETURNING t.*) INSERT INTO %s", b->relation->qualified);
    b->separator = " (";
    for (uint32_t c = 0; c < column_total(b->relation); c++) {
        if (!b->relation->columns[c].generated) {
            put_separator(b, ", ");
            fputs(b->relation->columns[c].quoted, b->out);
        }
    }
    for (uint32_t i = 0; i < b->relation->extra_count; i++) {
        fprintf(b->out, ", %s", b->relation->extra[i]);
    }
    fputs(") OVERRIDING SYSTEM VALUE SELECT ", b->out);
    b->separator = "";
    for (uint32_t c = 0; c < column_total(b->relation); c++) {
        if (in_set(b, c)) {
            put_separator(b, ", ");
            put_value(b, false, c);
        } else if (!b->relation->columns[c].generated) {
            put_separator(b, ", ");
            fprintf(b->out, "d.%s", b->relation->columns[c].quoted);
        }
    }
    for (uint32_t i = 0; i < b->relation->extra_count; i++) {
        fprintf(b->out, ", d.%s", b->relation->extra[i]);
    }
    fputs(" FROM d", b->out);
}

static void put_any_update(Builder *b)
{
    bool identity = false;
    bool other = false;
    for (uint32_t c = 0; c < column_total(b->relation); c++) {
        bool always = b->relation->columns[c].identity_always;
        identity = identity || (in_set(b, c) && always);
        other = other || (in_set(b, c) && !always);
    }
    if (identity && b->shape->single) {
        put_replace(b);
    } else if (!other) {
        put_presence(b);
    } else {
        put_update(b);
    }
}

char *statement_sql(const ApplyRelation *relation, const Shape *shape)
{
    char *text = NULL;
    size_t size = 0;
    Builder b = {.relation = relation, .shape = shape, .out = open_memstream(&text, &size)};
    switch (shape->kind) {
    case CHANGE_INSERT:
        put_insert(&b);
        break;
    case CHANGE_UPDATE:
        put_any_update(&b);
        break;
    case CHANGE_DELETE:
        put_delete(&b);
        break;
    }
    fclose(b.out);
    return text;
}
