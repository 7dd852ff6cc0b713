/*
 * A look is a list in the order of OIDs, which is the same in the next look unless sequences came or went: comparing two of them
 * is one pass. What is set is read back from the other side in the very statement that sets it: setval gives what it has set, and
 * a sequence that is not there gives nothing.
 */
#include "positions.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "left_behind.h"
#include "text.h"

#define PART 1000
#define ONE_BY_ONE 400

typedef struct Position {
    char *oid, *schema, *name;
    char *value; /* NULL until it is known */
    bool called;
} Position;

struct Positions {
    Position *list;
    size_t count;
};

static const char list_sql[] =
    "SELECT c.oid, n.nspname, c.relname"
    "  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    "  LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'"
    "  LEFT JOIN pg_extension e ON e.oid = d.refobjid"
    " WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname NOT IN ('penstock', "
    "'information_schema')"
    "   AND n.nspname !~ '^pg_' AND (e.oid IS NULL OR c.oid = ANY (e.extconfig)) AND " IS_KEPT(
        "c.oid") " ORDER BY c.oid";

/* Gives what it could not set: there is no such sequence, or it did not take the value. */
static const char set_sql[] =
    "SELECT w.nspname, w.relname"
    "  FROM unnest($1::text[], $2::text[], $3::int8[], $4::bool[]) AS w (nspname, relname, value, called)"
    "  LEFT JOIN (pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND c.relkind = 'S')"
    "    ON n.nspname = w.nspname AND c.relname = w.relname"
    " WHERE setval(c.oid, w.value, w.called) IS DISTINCT FROM w.value";

void positions_free(Positions *positions)
{
    if (positions == NULL) {
        return;
    }
    for (size_t i = 0; i < positions->count; i++) {
        Position *at = &positions->list[i];
        free(at->oid);
        free(at->schema);
        free(at->name);
        free(at->value);
    }
    free(positions->list);
    free(positions);
}

size_t positions_count(const Positions *positions)
{
    return positions->count;
}

/* --- reading --- */

static int list(Database *database, Positions *out, Error *error)
{
    PGresult *rows;
    if (database_query(database, &rows, error, list_sql, 0) != 0) {
        return -1;
    }
    out->count = (size_t)PQntuples(rows);
    out->list = calloc(out->count + 1, sizeof *out->list);
    for (size_t i = 0; i < out->count; i++) {
        out->list[i] = (Position){.oid = strdup(PQgetvalue(rows, (int)i, 0)),
                                  .schema = strdup(PQgetvalue(rows, (int)i, 1)),
                                  .name = strdup(PQgetvalue(rows, (int)i, 2))};
    }
    PQclear(rows);
    return 0;
}

/* The values of those that have been called; the others stay unknown. */
static int read_part(Database *database, Position *first, size_t count, Error *error)
{
    Text oids = {0};
    PGresult *rows;
    for (size_t i = 0; i < count; i++) {
        text_array_add(&oids, first[i].oid);
    }
    text_array_end(&oids);
    int status =
        database_query(database, &rows, error,
                       "SELECT pg_sequence_last_value(s.oid::regclass)"
                       "  FROM unnest($1::oid[]) WITH ORDINALITY AS s (oid, number) ORDER BY s.number",
                       1, oids.data);
    text_free(&oids);
    for (size_t i = 0; status == 0 && i < count; i++) {
        if (!PQgetisnull(rows, (int)i, 0)) {
            first[i].value = strdup(PQgetvalue(rows, (int)i, 0));
            first[i].called = true;
        }
    }
    if (status == 0) {
        PQclear(rows);
    }
    return status;
}

/* Those from *next on that are not known yet, as many as go into one statement. */
static int read_uncalled(Database *database, Positions *positions, size_t *next, Error *error)
{
    Text sql = {0};
    PGresult *rows;
    for (size_t taken = 0; *next < positions->count && taken < ONE_BY_ONE; (*next)++) {
        const Position *at = &positions->list[*next];
        if (at->value != NULL) {
            continue;
        }
        char *schema = database_quote(at->schema), *name = database_quote(at->name);
        text_printf(&sql, "%sSELECT %zu AS number, last_value, is_called FROM %s.%s",
                    taken++ == 0 ? "" : " UNION ALL ", *next, schema, name);
        free(schema);
        free(name);
    }
    int status = sql.data == NULL ? 0 : database_query(database, &rows, error, sql.data, 0);
    for (int i = 0; status == 0 && sql.data != NULL && i < PQntuples(rows); i++) {
        Position *at = &positions->list[strtoull(PQgetvalue(rows, i, 0), NULL, 10)];
        at->value = strdup(PQgetvalue(rows, i, 1));
        at->called = PQgetvalue(rows, i, 2)[0] == 't';
    }
    if (status == 0 && sql.data != NULL) {
        PQclear(rows);
    }
    text_free(&sql);
    return status;
}

static int look(Database *database, Positions **out, Error *error)
{
    Positions *positions = calloc(1, sizeof *positions);
    int status = list(database, positions, error);
    for (size_t i = 0; status == 0 && i < positions->count; i += PART) {
        size_t left = positions->count - i;
        status = read_part(database, &positions->list[i], left < PART ? left : PART, error);
    }
    for (size_t next = 0; status == 0 && next < positions->count;) {
        status = read_uncalled(database, positions, &next, error);
    }
    if (status != 0) {
        positions_free(positions);
        return error_context(error, "reading the sequences");
    }
    *out = positions;
    return 0;
}

/* --- setting --- */

/* Sequences to be set, as four arrays of SQL. */
typedef struct Wanted {
    Text arrays[4];
    size_t count;
} Wanted;

static void want(Wanted *wanted, const Position *at)
{
    text_array_add(&wanted->arrays[0], at->schema);
    text_array_add(&wanted->arrays[1], at->name);
    text_array_add(&wanted->arrays[2], at->value);
    text_array_add(&wanted->arrays[3], at->called ? "t" : "f");
    wanted->count++;
}

/* Sets those that are wanted, and wants none afterwards. */
static int set(Database *to, Wanted *wanted, Error *error)
{
    PGresult *refused = NULL;
    int status = 0;
    if (wanted->count > 0) {
        for (int i = 0; i < 4; i++) {
            text_array_end(&wanted->arrays[i]);
        }
        status = database_query(to, &refused, error, set_sql, 4, wanted->arrays[0].data,
                                wanted->arrays[1].data, wanted->arrays[2].data, wanted->arrays[3].data);
    }
    if (status == 0 && refused != NULL && PQntuples(refused) > 0) {
        status = error_set(error, ERROR_STATE, "%d sequences could not be set, the first is %s.%s",
                           PQntuples(refused), PQgetvalue(refused, 0, 0), PQgetvalue(refused, 0, 1));
        error_hint(error, "Make those that are missing, as they are on the other side; then try again.");
    }
    PQclear(refused);
    for (int i = 0; i < 4; i++) {
        text_free(&wanted->arrays[i]);
    }
    *wanted = (Wanted){.count = 0};
    return status;
}

static bool same(const Position *one, const Position *other)
{
    return strcmp(one->oid, other->oid) == 0 && strcmp(one->schema, other->schema) == 0 &&
           strcmp(one->name, other->name) == 0 && strcmp(one->value, other->value) == 0 &&
           one->called == other->called;
}

/* Where before, from *at on, has the sequence of that OID; NULL: nowhere. Both lists are in the same order. */
static const Position *find(const Positions *before, size_t *at, const Position *wanted)
{
    unsigned long oid = strtoul(wanted->oid, NULL, 10);
    while (before != NULL && *at < before->count && strtoul(before->list[*at].oid, NULL, 10) < oid) {
        (*at)++;
    }
    return before != NULL && *at < before->count ? &before->list[*at] : NULL;
}

static int set_moved(Database *to, const Positions *now, const Positions *before, size_t *moved, Error *error)
{
    Wanted wanted = {.count = 0};
    size_t at = 0;
    int status = 0;
    *moved = 0;
    for (size_t i = 0; status == 0 && i < now->count; i++) {
        const Position *was = find(before, &at, &now->list[i]);
        if (was != NULL && same(was, &now->list[i])) {
            continue;
        }
        want(&wanted, &now->list[i]);
        (*moved)++;
        if (wanted.count == PART) {
            status = set(to, &wanted, error);
        }
    }
    if (status == 0) {
        status = set(to, &wanted, error);
    }
    for (int i = 0; i < 4; i++) {
        text_free(&wanted.arrays[i]);
    }
    return status == 0 ? 0 : error_context(error, "setting the sequences");
}

int positions_set_ahead(Database *from, Database *to, Positions **out, Error *error)
{
    size_t moved;
    *out = NULL;
    if (look(from, out, error) != 0) {
        return -1;
    }
    if (set_moved(to, *out, NULL, &moved, error) != 0) {
        positions_free(*out);
        *out = NULL;
        return -1;
    }
    return 0;
}

int positions_set_rest(Database *from, Database *to, const Positions *before, size_t *count, size_t *moved,
                       Error *error)
{
    Positions *now = NULL;
    *count = *moved = 0;
    if (look(from, &now, error) != 0) {
        return -1;
    }
    *count = now->count;
    int status = set_moved(to, now, before, moved, error);
    positions_free(now);
    return status;
}

int positions_measure(Database *from, size_t *count, double *seconds, Error *error)
{
    Positions *now = NULL;
    double began = clock_seconds();
    if (look(from, &now, error) != 0) {
        return -1;
    }
    *seconds = clock_seconds() - began;
    *count = now->count;
    positions_free(now);
    return 0;
}
