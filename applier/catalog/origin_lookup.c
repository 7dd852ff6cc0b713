/*
 * One row per part, by table and in the order of keys; one row for a table that is copied whole.
 */
#include "origin_lookup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

enum { NUMBER, FIRST_KEY, JOB, COPIED, SEEN, END, PART_TYPE };

/* Keys in the binary format of their type: of text its bytes, which are the source's (control/plan/source.c). */
#define KEY_BYTES                                                                                            \
    "CASE r.part_type WHEN 'int8' THEN int8send(j.first_key::int8) WHEN 'oid' THEN "                         \
    "oidsend(j.first_key::oid)"                                                                              \
    " WHEN 'date' THEN date_send(j.first_key::date) WHEN 'time' THEN time_send(j.first_key::time)"           \
    " WHEN 'timestamp' THEN timestamp_send(j.first_key::timestamp)"                                          \
    " WHEN 'timestamptz' THEN timestamptz_send(j.first_key::timestamptz)"                                    \
    " WHEN 'uuid' THEN uuid_send(j.first_key::uuid) WHEN 'bytea' THEN j.first_key::bytea"                    \
    " WHEN 'text' THEN convert_to(j.first_key, getdatabaseencoding()) END"

static const char origin_sql[] =
    "SELECT a.n, encode(" KEY_BYTES ", 'hex'), coalesce(j.id, 0), "
    "  p.snapshot IS NOT NULL, s.seen, s.end_lsn, r.part_type "
    "FROM unnest($1::int8[]) WITH ORDINALITY AS a (id, n) JOIN penstock.relation r ON r.id = a.id "
    "LEFT JOIN (penstock.job_relation jr JOIN penstock.job j ON j.id = jr.job AND j.kind = 'part') "
    "  ON jr.relation = r.id AND r.part_column IS NOT NULL "
    "CROSS JOIN LATERAL (SELECT CASE WHEN j.id IS NULL THEN r.snapshot ELSE j.snapshot END AS snapshot) p "
    "LEFT JOIN penstock.snapshot s ON s.migration = r.migration AND s.number = p.snapshot "
    "ORDER BY a.n, j.part";

/* How the binary format of each type of penstock.relation.part_type is ordered, and how many bytes it has. */
static const struct {
    const char *type;
    bool by_bytes;
    size_t least, most;
} orders[] = {{"int8", false, 2, 8},      {"date", false, 4, 4},        {"time", false, 8, 8},
              {"timestamp", false, 8, 8}, {"timestamptz", false, 8, 8}, {"oid", true, 4, 4},
              {"uuid", true, 16, 16},     {"bytea", true, 0, SIZE_MAX}, {"text", true, 0, SIZE_MAX}};

static int read_order(const PGresult *rows, int row, Origin *origin, Error *error)
{
    if (PQgetisnull(rows, row, PART_TYPE)) {
        return 0;
    }
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        if (strcmp(PQgetvalue(rows, row, PART_TYPE), orders[i].type) == 0) {
            origin->by_bytes = orders[i].by_bytes;
            origin->least = orders[i].least;
            origin->most = orders[i].most;
            return 0;
        }
    }
    return error_set(error, ERROR_STATE, "keys of type %s, by which a table is copied, are not known",
                     PQgetvalue(rows, row, PART_TYPE));
}

static uint8_t digit(char hex)
{
    return (uint8_t)(hex <= '9' ? hex - '0' : hex - 'a' + 10);
}

/* An integer is sent with its most significant byte first. */
static void read_key(const char *hex, bool by_bytes, OriginPart *part)
{
    size_t size = strlen(hex) / 2;
    uint8_t *bytes = malloc(size + 1);
    uint64_t bits = 0;
    if (bytes == NULL) {
        abort();
    }
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
        bits = bits << 8 | bytes[i];
    }
    if (by_bytes) {
        part->first_bytes = bytes_of(bytes, size);
        return;
    }
    int shift = 64 - 8 * (int)size;
    part->first_key = (int64_t)(bits << shift) >> shift;
    free(bytes);
}

/* seen: NULL for one that is known by its end. */
static int read_snapshot(const char *end_text, const char *seen, Snapshot *out, Error *error)
{
    Lsn end;
    if (!lsn_parse(end_text, &end)) {
        return error_set(error, ERROR_STATE, "a snapshot that was copied from is not in penstock.snapshot");
    }
    if (seen == NULL) {
        *out = snapshot_by_lsn(end);
        return 0;
    }
    return snapshot_parse(seen, end, out, error);
}

static int read_part(const PGresult *rows, int row, bool by_bytes, OriginPart *part, Error *error)
{
    *part = (OriginPart){.first_key = INT64_MIN,
                         .job = strtoll(PQgetvalue(rows, row, JOB), NULL, 10),
                         .copied = PQgetvalue(rows, row, COPIED)[0] == 't'};
    if (!PQgetisnull(rows, row, FIRST_KEY)) {
        read_key(PQgetvalue(rows, row, FIRST_KEY), by_bytes, part);
    }
    if (!part->copied) {
        return 0;
    }
    return read_snapshot(PQgetvalue(rows, row, END),
                         PQgetisnull(rows, row, SEEN) ? NULL : PQgetvalue(rows, row, SEEN), &part->snapshot,
                         error);
}

/* Of the rows [first, last). */
static Origin *read_origin(const PGresult *rows, int first, int last, Error *error)
{
    Origin *origin = calloc(1, sizeof *origin);
    if (origin == NULL || (origin->parts = calloc((size_t)(last - first), sizeof *origin->parts)) == NULL) {
        abort();
    }
    int status = read_order(rows, first, origin, error);
    for (int row = first; status == 0 && row < last; row++) {
        status = read_part(rows, row, origin->by_bytes, &origin->parts[origin->count++], error);
    }
    if (status != 0) {
        origin_free(origin);
        return NULL;
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
        size_t number = strtoul(PQgetvalue(rows, first, NUMBER), NULL, 10) - 1;
        for (last = first + 1; last < PQntuples(rows) &&
                               strcmp(PQgetvalue(rows, first, NUMBER), PQgetvalue(rows, last, NUMBER)) == 0;
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

int origin_of_whole(ApplyRelation *relation, const char *snapshot, Error *error)
{
    Origin *origin = calloc(1, sizeof *origin);
    if (origin == NULL || (origin->parts = calloc(1, sizeof *origin->parts)) == NULL) {
        abort();
    }
    origin->count = 1;
    origin->parts[0] = (OriginPart){.first_key = INT64_MIN, .copied = true};
    relation->origin = origin;
    size_t end_size = strcspn(snapshot, " ");
    char *end = strndup(snapshot, end_size);
    if (end == NULL) {
        abort();
    }
    const char *seen = snapshot[end_size] != '\0' ? snapshot + end_size + 1 : "";
    int status = read_snapshot(end, seen[0] != '\0' ? seen : NULL, &origin->parts[0].snapshot, error);
    free(end);
    relation->copy_lsn = origin->parts[0].snapshot.end;
    return status == 0 ? 0 : error_context(error, "from what %s was copied", relation->qualified);
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
    int status = database_often(target, &rows, error, origin_sql, 1, numbers.data);
    if (status == 0) {
        status = take_origins(rows, relations, columns, count, error);
    }
    PQclear(rows);
    text_free(&numbers);
    return status;
}
