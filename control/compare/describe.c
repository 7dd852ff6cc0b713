/*
 * Tables are found by their quoted names (to_regclass): with 100,000 of them a join with pg_class by name could be made by
 * reading it whole, for each hundred that are asked for.
 */
#include "describe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "text.h"

/* A row for each column, and one for a table without. */
enum { NUMBER, KIND, COLUMN, TYPE, KEY, ENCODING };

static const char columns_sql[] =
    "SELECT w.n, coalesce(c.relkind::text, ''), a.attname, a.atttypid,"
    "       coalesce(a.attnum = ANY (k.indkey::int2[]), false),"
    "       (SELECT pg_catalog.pg_encoding_to_char(encoding) FROM pg_catalog.pg_database"
    "         WHERE datname = pg_catalog.current_database())"
    "  FROM (SELECT u.n, pg_catalog.to_regclass(pg_catalog.format('%I.%I', u.s, u.t))::oid AS oid"
    "          FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS u (s, t, n) OFFSET 0) w"
    "  LEFT JOIN pg_catalog.pg_class c ON c.oid = w.oid"
    "  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
    "  LEFT JOIN LATERAL (SELECT i.indkey FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid"
    "        AND (i.indisprimary OR i.indisreplident) ORDER BY i.indisprimary DESC LIMIT 1) k ON true"
    " ORDER BY 1, a.attnum";

void described_free(Described *described, int count)
{
    for (int i = 0; described != NULL && i < count; i++) {
        CompareSubject *subject = &described[i].subject;
        for (size_t column = 0; column < subject->column_count; column++) {
            free((char *)subject->columns[column].name);
        }
        free((void *)subject->columns);
        free((char *)subject->schema);
        free((char *)subject->name);
        free(described[i].problem);
    }
    free(described);
}

/* The rows of one table: [first, *next) of result. */
static int find_rows(const PGresult *result, int first, int number)
{
    int row = first;
    while (row < PQntuples(result) && number_int(PQgetvalue(result, row, NUMBER)) == number) {
        row++;
    }
    return row;
}

/* Its row, or end. */
static int find_column(const PGresult *result, int first, int end, const char *name)
{
    int row = first;
    while (row < end && strcmp(PQgetvalue(result, row, COLUMN), name) != 0) {
        row++;
    }
    return row;
}

/*
 * Send functions give text in client_encoding, which is UTF8, or that of an SQL_ASCII database (session_settings.h): then
 * nothing is translated.
 */
static bool is_sent_as_stored(const char *encoding)
{
    return strcmp(encoding, "UTF8") == 0 || strcmp(encoding, "SQL_ASCII") == 0;
}

static void problem(Described *table, const char *format, const char *what)
{
    if (table->problem == NULL && asprintf(&table->problem, format, what) < 0) {
        abort();
    }
}

static bool is_there(Described *table, const PGresult *source, int s, const PGresult *target, int t)
{
    bool here = PQgetvalue(source, s, KIND)[0] != '\0', there = PQgetvalue(target, t, KIND)[0] != '\0';
    table->gone = !here;
    if (!here) {
        problem(table, "%s", "missing at the source: it was dropped or renamed there since the copy");
    } else if (!there) {
        problem(table, "%s", "missing on the target");
    }
    return here && there;
}

static int take_columns(ComparePair *pair, Forms *forms, Described *table, const PGresult *source, int s,
                        int s_end, const PGresult *target, int t, int t_end, Error *error)
{
    CompareColumn *columns = calloc((size_t)(s_end - s) + 1, sizeof *columns);
    if (columns == NULL) {
        abort();
    }
    table->subject.columns = columns;
    for (int row = s; row < s_end && !PQgetisnull(source, row, COLUMN); row++) {
        CompareColumn *column = &columns[table->subject.column_count++];
        Form form;
        *column = (CompareColumn){.name = text_copy(PQgetvalue(source, row, COLUMN)),
                                  .key = PQgetvalue(source, row, KEY)[0] == 't'};
        uint32_t type = (uint32_t)strtoul(PQgetvalue(source, row, TYPE), NULL, 10);
        if (forms_get(forms, pair->source, type, &form, error) != 0) {
            return -1;
        }
        column->form = form.sql;
        column->bytes = form.bytes;
        int there = find_column(target, t, t_end, column->name);
        column->sent =
            there < t_end && strcmp(PQgetvalue(target, there, TYPE), PQgetvalue(source, row, TYPE)) == 0
                ? form.sent
                : NULL;
        if (there == t_end) {
            problem(table, "column \"%s\" is missing on the target", column->name);
        }
    }
    return 0;
}

static int describe_one(ComparePair *pair, Forms *forms, Described *table, const PGresult *source, int s,
                        int s_end, const PGresult *target, int t, int t_end, Error *error)
{
    if (!is_there(table, source, s, target, t)) {
        return 0;
    }
    const char *here = PQgetvalue(source, s, ENCODING), *there = PQgetvalue(target, t, ENCODING);
    table->subject.to_utf8 = strcmp(here, there) != 0 && strcmp(here, "SQL_ASCII") != 0;
    table->subject.sent = strcmp(here, there) == 0 && is_sent_as_stored(here);
    table->subject.partitioned =
        PQgetvalue(source, s, KIND)[0] == 'p' || PQgetvalue(target, t, KIND)[0] == 'p';
    return take_columns(pair, forms, table, source, s, s_end, target, t, t_end, error);
}

static void make_arrays(const char *const *schemas, const char *const *names, int count, Text arrays[2])
{
    for (int i = 0; i < count; i++) {
        text_array_add(&arrays[0], schemas[i]);
        text_array_add(&arrays[1], names[i]);
    }
    text_array_end(&arrays[0]);
    text_array_end(&arrays[1]);
}

int describe_tables(ComparePair *pair, Forms *forms, const char *const *schemas, const char *const *names,
                    int count, Described **out, Error *error)
{
    PGresult *source, *target;
    Text arrays[2] = {{0}, {0}};
    make_arrays(schemas, names, count, arrays);
    const char *values[2] = {arrays[0].data, arrays[1].data};
    *out = calloc((size_t)count + 1, sizeof **out);
    if (*out == NULL) {
        abort();
    }
    int status = pair_query(pair, columns_sql, 2, values, &source, &target, error);
    text_free(&arrays[0]);
    text_free(&arrays[1]);
    if (status != 0) {
        return error_context(error, "looking up the columns of %d tables", count);
    }
    for (int i = 0, s = 0, t = 0; status == 0 && i < count; i++) {
        int s_end = find_rows(source, s, i + 1), t_end = find_rows(target, t, i + 1);
        (*out)[i].subject.schema = text_copy(schemas[i]);
        (*out)[i].subject.name = text_copy(names[i]);
        status = describe_one(pair, forms, &(*out)[i], source, s, s_end, target, t, t_end, error);
        s = s_end;
        t = t_end;
    }
    PQclear(source);
    PQclear(target);
    return status;
}
