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

/* Sequences that are read at a time, by all sessions together: a server has locks for so many at least. */
#define PART 1000

/* From so many on others help: sequences, or objects of any kind, which the definitions are looked through for. */
#define MANY 2000
#define MANY_OBJECTS 20000

/*
 * Of those that are read one by one: so many at a time, and so many of these planned together. What a UNION ALL costs to plan
 * grows with its square (11 and 14: 137 µs for each of 400 sequences, 25 µs for each of 25); a subquery with OFFSET is not
 * pulled up into the one around it (is_simple_subquery), so it is planned by itself.
 */
#define ONE_BY_ONE 400
#define PLANNED_TOGETHER 25

typedef struct Position {
    char *oid, *schema, *name;
    char *value; /* NULL until it is known */
    bool called;
    bool
        idle; /* the look before found that it was never called: its value is read as that of one that was not, at once */
} Position;

struct Positions {
    PGresult *all;  /* every sequence that there was, as list_sql gives them */
    Position *list; /* those that are moved */
    size_t count;
    Readers *readers; /* who helped, and can help again; NULL: nobody */
};

#define ALL_SEQUENCES                                                                                        \
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"                                         \
    " WHERE c.relkind = 'S' AND c.relpersistence <> 't' ORDER BY c.oid"

/* Whose a sequence is takes several catalogs, which are large where there are many objects: it is asked once, before the hold. */
static const char list_sql[] =
    "SELECT c.oid, n.nspname, c.relname,"
    "   n.nspname NOT IN ('penstock', 'information_schema') AND n.nspname !~ '^pg_' AND " IS_KEPT(
        "c.oid") "   AND NOT EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid"
                 "     WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'"
                 "       AND c.oid <> ALL (coalesce(e.extconfig, '{}')))" ALL_SEQUENCES;
static const char names_sql[] = "SELECT c.oid, n.nspname, c.relname" ALL_SEQUENCES;

/*
 * Gives what it could not set: there is no such sequence, or it did not take the value. Each is looked up by itself (to_regclass:
 * the server's cache of names), since a join would be planned by statistics of pg_class that a server with many new objects lacks:
 * 10,000 of them took 12 s in nested loops.
 */
static const char set_sql[] =
    "SELECT w.nspname, w.relname"
    "  FROM unnest($1::text[], $2::text[], $3::int8[], $4::bool[]) AS w (nspname, relname, value, called)"
    " WHERE setval(to_regclass(format('%I.%I', w.nspname, w.relname)), w.value, w.called) IS DISTINCT FROM "
    "w.value";

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
    readers_free(positions->readers);
    PQclear(positions->all);
    free(positions->list);
    free(positions);
}

const char *positions_sessions(const Positions *positions)
{
    return positions != NULL && positions->readers != NULL ? readers_pids(positions->readers) : "{}";
}

Readers *positions_help(const Positions *positions)
{
    return positions != NULL ? positions->readers : NULL;
}

void positions_end_help(Positions *positions)
{
    readers_free(positions->readers);
    positions->readers = NULL;
}

size_t positions_count(const Positions *positions)
{
    return positions->count;
}

/* --- reading --- */

/* What is known of the sequences before a look. */
typedef struct Known {
    const Positions *before; /* an earlier look, or NULL */
    bool same;               /* no sequence has come, gone or got another name since then */
} Known;

static void take_list(Positions *out)
{
    out->list = calloc((size_t)PQntuples(out->all) + 1, sizeof *out->list);
    for (int i = 0; i < PQntuples(out->all); i++) {
        if (PQgetvalue(out->all, i, 3)[0] == 't') {
            out->list[out->count++] = (Position){.oid = strdup(PQgetvalue(out->all, i, 0)),
                                                 .schema = strdup(PQgetvalue(out->all, i, 1)),
                                                 .name = strdup(PQgetvalue(out->all, i, 2))};
        }
    }
}

static bool same_names(const PGresult *one, const PGresult *other)
{
    bool same = PQntuples(one) == PQntuples(other);
    for (int i = 0; same && i < PQntuples(one); i++) {
        for (int column = 0; same && column < 3; column++) {
            same = strcmp(PQgetvalue(one, i, column), PQgetvalue(other, i, column)) == 0;
        }
    }
    return same;
}

/* What there was before is what there is; with nothing known, their names are compared. */
static int is_same(Database *database, const Known *known, bool *same, Error *error)
{
    PGresult *names;
    *same = known->before != NULL && known->same;
    if (known->before == NULL || known->same) {
        return 0;
    }
    if (database_query(database, &names, error, names_sql, 0) != 0) {
        return -1;
    }
    *same = same_names(names, known->before->all);
    PQclear(names);
    return 0;
}

static int list(Database *database, const Known *known, Positions *out, Error *error)
{
    bool same;
    if (is_same(database, known, &same, error) != 0) {
        return -1;
    }
    out->all = same ? PQcopyResult(known->before->all, PG_COPYRES_ATTRS | PG_COPYRES_TUPLES) : NULL;
    if (out->all == NULL && database_query(database, &out->all, error, list_sql, 0) != 0) {
        return -1;
    }
    take_list(out);
    for (size_t i = 0; same && i < out->count; i++) {
        out->list[i].idle = !known->before->list[i].called;
    }
    return 0;
}

/* A look under way. */
typedef struct Look {
    Positions *positions;
    size_t width; /* sessions that read at a time */
    size_t next;  /* to be read one by one */
} Look;

static size_t part_size(const Look *look)
{
    return PART / look->width;
}

/* Those of one place in the list always with the same number, and so by the same session, which knows them from the look before. */
static bool ask_values(void *context, size_t number, Text *sql)
{
    const Look *look = context;
    size_t first = number * part_size(look), last = first + part_size(look);
    Text oids = {0}, numbers = {0};
    if (first >= look->positions->count) {
        return false;
    }
    text_append(&oids, "");
    text_append(&numbers, "");
    for (size_t i = first; i < look->positions->count && i < last; i++) {
        if (!look->positions->list[i].idle) {
            text_printf(&oids, "%s%s", *oids.data == '\0' ? "" : ",", look->positions->list[i].oid);
            text_printf(&numbers, "%s%zu", *numbers.data == '\0' ? "" : ",", i);
        }
    }
    text_printf(sql,
                "SELECT s.number, pg_sequence_last_value(s.oid::regclass)"
                " FROM unnest('{%s}'::oid[], '{%s}'::int8[]) AS s (oid, number)",
                oids.data, numbers.data);
    text_free(&oids);
    text_free(&numbers);
    return true;
}

/* Those that have been called; the others stay unknown. */
static void take_values(void *context, size_t number, const PGresult *rows)
{
    const Look *look = context;
    (void)number;
    for (int i = 0; i < PQntuples(rows); i++) {
        if (!PQgetisnull(rows, i, 1)) {
            Position *at = &look->positions->list[strtoull(PQgetvalue(rows, i, 0), NULL, 10)];
            at->value = strdup(PQgetvalue(rows, i, 1));
            at->called = true;
        }
    }
}

/* SELECT … UNION ALL …, in groups, over the next ones that are not known yet. */
static bool ask_uncalled(void *context, size_t number, Text *sql)
{
    Look *look = context;
    size_t taken = 0;
    (void)number;
    for (; look->next < look->positions->count && taken < ONE_BY_ONE / look->width; look->next++) {
        const Position *at = &look->positions->list[look->next];
        if (at->value != NULL) {
            continue;
        }
        bool begins = taken % PLANNED_TOGETHER == 0;
        char *schema = database_quote(at->schema), *name = database_quote(at->name);
        text_append(sql, !begins ? " UNION ALL " : taken == 0 ? "" : " OFFSET 0) AS s UNION ALL ");
        text_printf(sql, "%sSELECT %zu AS number, last_value, is_called FROM %s.%s",
                    begins ? "SELECT * FROM (" : "", look->next, schema, name);
        free(schema);
        free(name);
        taken++;
    }
    text_append(sql, taken > 0 ? " OFFSET 0) AS s" : "");
    return taken > 0;
}

static void take_uncalled(void *context, size_t number, const PGresult *rows)
{
    const Look *look = context;
    (void)number;
    for (int i = 0; i < PQntuples(rows); i++) {
        Position *at = &look->positions->list[strtoull(PQgetvalue(rows, i, 0), NULL, 10)];
        at->value = strdup(PQgetvalue(rows, i, 1));
        at->called = PQgetvalue(rows, i, 2)[0] == 't';
    }
}

static void forget_values(Positions *positions)
{
    for (size_t i = 0; i < positions->count; i++) {
        free(positions->list[i].value);
        positions->list[i].value = NULL;
    }
}

static int read_values(Database *database, Readers *readers, Positions *positions, Error *error)
{
    Look look = {.positions = positions, .width = readers_width(readers)};
    Reading values = {&look, ask_values, take_values}, uncalled = {&look, ask_uncalled, take_uncalled};
    forget_values(positions);
    return readers_run(readers, database, &values, error) == 0
               ? readers_run(readers, database, &uncalled, error)
               : -1;
}

/* *readers help, where there are any; when one of them fails, they go, and database reads alone. */
static int look(Database *database, Readers **readers, const Known *known, Positions **out, Error *error)
{
    Positions *positions = calloc(1, sizeof *positions);
    int status = list(database, known, positions, error);
    if (status == 0) {
        status = read_values(database, *readers, positions, error);
    }
    if (status != 0 && readers_width(*readers) > 1 && error->code != ERROR_LIMIT &&
        error->code != ERROR_INTERRUPTED) {
        readers_free(*readers);
        *readers = NULL;
        status = read_values(database, NULL, positions, error);
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

int positions_find_help(Database *from, const PositionsHelp *help, Readers **out, Error *error)
{
    char *many = NULL;
    char sequences[16], objects[16];
    snprintf(sequences, sizeof sequences, "%d", MANY);
    snprintf(objects, sizeof objects, "%d", MANY_OBJECTS);
    *out = NULL;
    if (database_value(from, &many, error,
                       "SELECT count(*) FILTER (WHERE relkind = 'S') > $1::int8"
                       " OR count(*) > $2::int8 FROM pg_class",
                       2, sequences, objects) != 0) {
        return error_context(error, "counting the sequences");
    }
    if (many != NULL && *many == 't') {
        *out = readers_open(from, help->end, help->uri, help->purpose, help->count);
    }
    free(many);
    return 0;
}

int positions_set_ahead(Database *from, const PositionsHelp *help, Database *to, Positions **out,
                        Error *error)
{
    size_t moved;
    Readers *readers = NULL;
    *out = NULL;
    if (positions_find_help(from, help, &readers, error) != 0 ||
        look(from, &readers, &(Known){.before = NULL}, out, error) != 0 ||
        set_moved(to, *out, NULL, &moved, error) != 0) {
        readers_free(readers);
        positions_free(*out);
        *out = NULL;
        return -1;
    }
    (*out)->readers = readers;
    return 0;
}

int positions_set_rest(Database *from, Database *to, Positions *before, bool same, size_t *count,
                       size_t *moved, Error *error)
{
    Positions *now = NULL;
    Readers *readers = before != NULL ? before->readers : NULL;
    *count = *moved = 0;
    int status = look(from, &readers, &(Known){before, same}, &now, error);
    readers_free(readers);
    if (before != NULL) {
        before->readers = NULL;
    }
    if (status != 0) {
        return -1;
    }
    *count = now->count;
    status = set_moved(to, now, before, moved, error);
    positions_free(now);
    return status;
}

int positions_measure(Database *from, Readers **readers, size_t *count, double *seconds, Error *error)
{
    Positions *first = NULL, *now = NULL;
    int status = look(from, readers, &(Known){.before = NULL}, &first, error);
    double began = clock_seconds();
    if (status == 0) {
        status = look(from, readers, &(Known){first, true}, &now, error);
    }
    if (status == 0) {
        *seconds = clock_seconds() - began;
        *count = now->count;
    }
    positions_free(now);
    positions_free(first);
    return status;
}
