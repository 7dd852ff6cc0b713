/*
 *     hashtextextended(ROW(a, float8send(b), c)::text, 0)
 *
 * ROW(…)::text tells NULL from '' and one column from the next. hashtextextended gives the same on 11 and 14
 * for the same bytes, so with equal encodings the text is hashed as it is; else what UTF-8 makes of it, in
 * hex. Of money it is the amount, which is the number that is stored and lc_monetary's decimals. A sum of 64-bit hashes, as numeric, does not depend on the order of the rows and counts a doubled row
 * twice.
 */
#include "table_query.h"

#include <string.h>

#include "database.h"
#include "text.h"

#include <stdlib.h>

/*
 * Types whose text is rounded, may differ between majors, or depends on settings of the two databases, and what gives them
 * exactly: a function, or a cast.
 */
static const struct {
    const char *type;
    const char *function;
    const char *cast;
} exact[] = {
    {"money", NULL, "numeric"},      {"_money", NULL, "numeric[]"},   {"float4", "float4send", NULL},
    {"float8", "float8send", NULL},  {"point", "point_send", NULL},   {"lseg", "lseg_send", NULL},
    {"path", "path_send", NULL},     {"box", "box_send", NULL},       {"polygon", "poly_send", NULL},
    {"line", "line_send", NULL},     {"circle", "circle_send", NULL}, {"_float4", "array_send", NULL},
    {"_float8", "array_send", NULL}, {"_point", "array_send", NULL},  {"_lseg", "array_send", NULL},
    {"_path", "array_send", NULL},   {"_box", "array_send", NULL},    {"_polygon", "array_send", NULL},
    {"_line", "array_send", NULL},   {"_circle", "array_send", NULL},
};

static void append_name(Text *sql, const char *name)
{
    char *quoted = database_quote(name);
    text_append(sql, quoted);
    free(quoted);
}

static void append_column(Text *sql, const CompareColumn *column)
{
    const char *function = NULL, *cast = NULL;
    for (size_t i = 0; i < sizeof exact / sizeof *exact; i++) {
        if (strcmp(exact[i].type, column->type) == 0) {
            function = exact[i].function;
            cast = exact[i].cast;
        }
    }
    if (function != NULL) {
        text_printf(sql, "pg_catalog.%s(", function);
    }
    text_append(sql, "t.");
    append_name(sql, column->name);
    text_append(sql, function != NULL ? ")" : "");
    if (cast != NULL) {
        text_printf(sql, "::pg_catalog.%s", cast);
    }
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
static void append_row(Text *sql, const CompareSubject *subject, bool key)
{
    bool all = !key || !has_key(subject);
    const char *comma = "";
    text_append(sql, "ROW(");
    for (size_t i = 0; i < subject->column_count; i++) {
        if (all || subject->columns[i].key) {
            text_append(sql, comma);
            append_column(sql, &subject->columns[i]);
            comma = ", ";
        }
    }
    text_append(sql, ")::text");
}

static void append_hash(Text *sql, const CompareSubject *subject, bool key)
{
    text_append(sql, "pg_catalog.hashtextextended(");
    if (subject->to_utf8) {
        text_append(sql, "pg_catalog.encode(pg_catalog.convert_to(");
    }
    append_row(sql, subject, key);
    text_append(sql, subject->to_utf8 ? ", 'UTF8'), 'hex'), 0)" : ", 0)");
}

static void append_from(Text *sql, const CompareSubject *subject)
{
    text_append(sql, subject->partitioned ? " FROM " : " FROM ONLY ");
    append_name(sql, subject->schema);
    text_append(sql, ".");
    append_name(sql, subject->name);
    text_append(sql, " AS t");
}

char *query_total(const CompareSubject *subject)
{
    Text sql = {0};
    text_append(&sql, "SELECT pg_catalog.count(*), coalesce(pg_catalog.sum(");
    append_hash(&sql, subject, false);
    text_append(&sql, "), 0)");
    append_from(&sql, subject);
    return sql.data;
}

static void append_bucket(Text *sql, const CompareSubject *subject)
{
    text_append(sql, "(");
    append_hash(sql, subject, true);
    text_append(sql, " & 4095)::int4");
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
    text_append(&sql, "SELECT pg_catalog.left(");
    append_row(&sql, subject, true);
    text_append(&sql, ", 200) COLLATE pg_catalog.\"C\", ");
    append_hash(&sql, subject, false);
    append_from(&sql, subject);
    text_append(&sql, " WHERE ");
    append_bucket(&sql, subject);
    text_append(&sql, " = ANY ($1::int4[]) ORDER BY 1, 2");
    return sql.data;
}
