/*
 *     before the switch   right: as at the source, or as the copy has set it. What moved on the target was moved by somebody else.
 *                         After a rollback the target's stand where the applications left them: then not beyond the source's.
 *                         Nor one that was restarted (TRUNCATE … RESTART IDENTITY, RESTART): that has not been called since, as
 *                         whoever takes a number leaves none
 *     after it            right: as at the source, or further in the direction in which it goes
 */
#include "verify_sequences.h"

#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "sequences.h"
#include "text.h"

#define BATCH 400
#define SEQUENCE_COLUMNS 3

typedef struct Position {
    long long value;
    bool called;
} Position;

static Position position_at(const PGresult *rows, int row, int column)
{
    return (Position){strtoll(PQgetvalue(rows, row, column), NULL, 10),
                      PQgetvalue(rows, row, column + 1)[0] == 't'};
}

static bool same(Position one, Position other)
{
    return one.value == other.value && one.called == other.called;
}

static void write_position(Position position, char out[48])
{
    snprintf(out, 48, "%lld%s", position.value, position.called ? "" : " (not called)");
}

/* Names of sequences [first, last) as two arrays. */
static void make_arrays(const PGresult *names, int first, int last, Text arrays[2])
{
    for (int i = first; i < last; i++) {
        text_array_add(&arrays[0], PQgetvalue(names, i, 0));
        text_array_add(&arrays[1], PQgetvalue(names, i, 1));
    }
    text_array_end(&arrays[0]);
    text_array_end(&arrays[1]);
}

/* A row for each that the target has: number, what the copy has set it to (or nulls), its increment. */
static int read_known(Verify *verify, const PGresult *names, int first, int last, PGresult **out,
                      Error *error)
{
    Text arrays[2] = {{0}, {0}};
    make_arrays(names, first, last, arrays);
    int status = database_query(
        verify->target, out, error,
        "SELECT u.n, p.last_value, p.is_called, s.seqincrement"
        "  FROM (SELECT n, s, t, pg_catalog.to_regclass(pg_catalog.format('%I.%I', s, t))::oid AS oid"
        "          FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS w (s, t, n) OFFSET 0) u"
        "  JOIN pg_catalog.pg_sequence s ON s.seqrelid = u.oid"
        "  LEFT JOIN penstock.sequence p ON p.migration = $1 AND p.schema_name = u.s AND p.sequence_name = "
        "u.t"
        "       AND NOT EXISTS (SELECT FROM penstock.journal j WHERE j.migration = $1"
        "             AND j.operation IN ('cutover', 'rollback') AND j.at > p.set_at)"
        " ORDER BY 1",
        3, verify->settings->migration, arrays[0].data, arrays[1].data);
    text_free(&arrays[0]);
    text_free(&arrays[1]);
    return status;
}

/* The positions of those of names that known lists, by their numbers. */
static int read_positions(Database *database, const PGresult *names, int first, const PGresult *known,
                          PGresult **out, Error *error)
{
    Text sql = {0};
    for (int i = 0; i < PQntuples(known); i++) {
        int n = first + number_int(PQgetvalue(known, i, 0)) - 1;
        char *schema = database_quote(PQgetvalue(names, n, 0)),
             *name = database_quote(PQgetvalue(names, n, 1));
        text_printf(&sql, "%sSELECT %d AS n, last_value, is_called FROM %s.%s", i > 0 ? " UNION ALL " : "", i,
                    schema, name);
        free(schema);
        free(name);
    }
    text_append(&sql, " ORDER BY n");
    int status = database_query(database, out, error, sql.data, 0);
    text_free(&sql);
    return status;
}

static bool is_right(const Verify *verify, Position source, Position target, const PGresult *known, int row)
{
    if (same(source, target)) {
        return true;
    }
    bool rises = PQgetvalue(known, row, 3)[0] != '-';
    if (verify->migration.phase == PHASE_SWITCHED) {
        return rises ? target.value >= source.value : target.value <= source.value;
    }
    bool behind = rises ? target.value <= source.value : target.value >= source.value;
    return (behind && (PQgetisnull(known, row, 1) || !target.called)) ||
           (!PQgetisnull(known, row, 1) && same(target, position_at(known, row, 1)));
}

static int judge(Verify *verify, const PGresult *names, int first, const PGresult *known,
                 const PGresult *source, const PGresult *target, Error *error)
{
    int status = 0;
    for (int i = 0; status == 0 && i < PQntuples(known); i++) {
        Position here = position_at(source, i, 1), there = position_at(target, i, 1);
        if (is_right(verify, here, there, known, i)) {
            continue;
        }
        int n = first + number_int(PQgetvalue(known, i, 0)) - 1;
        if (!verify_chooses(verify, PQgetvalue(names, n, 0), PQgetvalue(names, n, 1))) {
            continue;
        }
        char left[48], right[48];
        Text object = {0};
        write_position(here, left);
        write_position(there, right);
        text_printf(&object, "%s.%s", PQgetvalue(names, n, 0), PQgetvalue(names, n, 1));
        status = pass_note(verify->target, &verify->pass, "sequence", object.data, NULL, left, right, error);
        text_free(&object);
        atomic_fetch_add(&verify->different, 1);
    }
    return status;
}

static int verify_batch(Verify *verify, ComparePair *pair, const PGresult *names, int first, int last,
                        Error *error)
{
    PGresult *known = NULL, *source = NULL, *target = NULL;
    int status = read_known(verify, names, first, last, &known, error);
    if (status == 0 && PQntuples(known) > 0) {
        /* The target first: what moved at the source meanwhile makes no difference then. */
        status = read_positions(pair->target, names, first, known, &target, error) == 0 &&
                         read_positions(pair->source, names, first, known, &source, error) == 0
                     ? judge(verify, names, first, known, source, target, error)
                     : -1;
    }
    for (int i = 0; status == 0 && i < PQntuples(known); i++) {
        pair_add_table(pair, false, SEQUENCE_COLUMNS);
    }
    PQclear(known);
    PQclear(source);
    PQclear(target);
    return status;
}

int sequences_verify(Verify *verify, Error *error)
{
    PGresult *names = NULL;
    if (sequences_list(verify->source, &names, error) != 0) {
        return -1;
    }
    ComparePair pair = {0};
    int total = PQntuples(names), status = total > 0 ? verify_open_pair(verify, &pair, error) : 0;
    for (int first = 0; status == 0 && first < total; first += BATCH) {
        verify_renew_pair(verify, &pair);
        status =
            verify_batch(verify, &pair, names, first, first + BATCH < total ? first + BATCH : total, error);
    }
    pair_close(&pair);
    PQclear(names);
    return status == 0 ? 0 : error_context(error, "comparing sequences");
}
