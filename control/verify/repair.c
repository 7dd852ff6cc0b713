/*
 * For each piece that differs: find some wrong rows ──► repair them at a point ──► look again, until none is found.
 *
 * What was repaired is remembered by the hash of its key, or of the row where there is none: when it turns up again, somebody
 * or something on the target makes it wrong, and to go on would only hide that.
 *
 * Where very many rows of a piece are wrong, single rows are the wrong means: all of it is copied anew, at a point as well.
 * A row whose unique value a wrong row of another piece has is refused: then all wrong rows of the table, of whatever piece, are
 * repaired together, each deleted before any is copied.
 *
 * Only of a table that is too large for that, and cannot be cut or has no key, more is marked to be copied again than can be
 * done here.
 */
#include "repair.h"

#include <stdlib.h>
#include <string.h>

#include "chunk.h"
#include "repair_batch.h"
#include "sequences.h"
#include "text.h"

#define BATCH_ROWS 2000
#define MOST_ROUNDS 1000
#define WHOLE_BYTES (1LL << 30) /* of a table that was not cut: the applier stands for a minute at most */

/* One table of a piece: the columns of pieces_sql. */
enum {
    RELATION,
    SCHEMA,
    TABLE,
    COLUMNS,
    BINARY,
    CONDITION,
    PART_COLUMN,
    PART_TYPE,
    PART_SCAN,
    FIRST_KEY,
    LAST_KEY,
    BYTES,
    ROUTED
};

static const char pieces_sql[] =
    "SELECT r.id, coalesce(r.route_schema, r.schema_name), coalesce(r.route_table, r.table_name), r.columns, "
    "r.in_binary AND r.column_types IS NULL, "
    "r.condition, r.part_column, r.part_type, coalesce(r.part_scan, false),"
    "       j.first_key, j.last_key, r.source_bytes, r.route_table IS NOT NULL"
    "  FROM penstock.verify_job j, unnest(j.different) AS d JOIN penstock.relation r ON r.id = d"
    " WHERE j.pass = $1::int8 AND r.copy_state = 'copied' ORDER BY j.number, r.id";

typedef struct Repair {
    Verify *verify;
    Forms *forms;
    ComparePair pair;          /* sessions that look */
    Database *source, *target; /* and that repair */
    long long *done;           /* hashes of what was repaired of the piece, ascending */
    size_t done_count;
    bool whole_done; /* all of the piece was copied anew */
    bool wide;       /* not the piece, but all of its table is looked at */
} Repair;

static int open_all(Repair *repair, Error *error)
{
    const Settings *settings = repair->verify->settings;
    if (verify_open_pair(repair->verify, &repair->pair, error) != 0 ||
        verify_connect(settings, DATABASE_SOURCE, "verify repair", &repair->source, error) != 0 ||
        database_connect_as(SESSION_COPIES, settings->target, DATABASE_TARGET, "verify repair",
                            &repair->target, error) != 0) {
        return -1;
    }
    database_limit(repair->target, (QueryLimits){.stop = interrupted});
    return database_execute(repair->target, error,
                            "SET session_replication_role = replica; SET synchronous_commit = on", 0);
}

static void close_sessions(Repair *repair)
{
    pair_close(&repair->pair);
    database_close(repair->source);
    database_close(repair->target);
    repair->source = repair->target = NULL;
}

static void close_all(Repair *repair)
{
    close_sessions(repair);
    forms_free(repair->forms);
    free(repair->done);
}

static const char *text_at(const PGresult *pieces, int row, int column)
{
    return PQgetisnull(pieces, row, column) ? NULL : PQgetvalue(pieces, row, column);
}

static QueryRange range_of(const Repair *repair, const PGresult *pieces, int row)
{
    if (repair->wide) {
        return (QueryRange){.column = NULL};
    }
    return (QueryRange){.column = text_at(pieces, row, PART_COLUMN),
                        .type = text_at(pieces, row, PART_TYPE),
                        .first_key = text_at(pieces, row, FIRST_KEY),
                        .last_key = text_at(pieces, row, LAST_KEY)};
}

/* Up to BATCH_ROWS wrong rows of the piece, under the present pair or a new one. */
static int look(Repair *repair, const PGresult *pieces, int row, CompareTable *found, Error *error)
{
    int number;
    const ChunkShape shape = {.condition = text_at(pieces, row, CONDITION),
                              .range = range_of(repair, pieces, row),
                              .key_parts = true};
    *found = (CompareTable){.schema = text_copy(PQgetvalue(pieces, row, SCHEMA)),
                            .name = text_copy(PQgetvalue(pieces, row, TABLE))};
    return pairs_adopt(repair->verify->pairs, repair->pair.source, repair->pair.target, &number, error) ==
                       0 &&
                   chunk_compare(&repair->pair, repair->forms, BATCH_ROWS, &shape, found, 1, error) == 0
               ? pair_execute(&repair->pair, "COMMIT", error)
               : -1;
}

static int compare_hashes(const void *left, const void *right)
{
    long long a = *(const long long *)left, b = *(const long long *)right;
    return (a > b) - (a < b);
}

static bool was_done(const Repair *repair, const char *hash)
{
    long long wanted = strtoll(hash, NULL, 10);
    return repair->done != NULL &&
           bsearch(&wanted, repair->done, repair->done_count, sizeof(wanted), compare_hashes) != NULL;
}

static void remember(Repair *repair, const CompareTable *found)
{
    repair->done = realloc(repair->done, (repair->done_count + found->key_count) * sizeof(*repair->done));
    if (repair->done == NULL) {
        abort();
    }
    for (size_t i = 0; i < found->key_count; i++) {
        repair->done[repair->done_count++] = strtoll(found->keys[i].hash, NULL, 10);
    }
    qsort(repair->done, repair->done_count, sizeof(*repair->done), compare_hashes);
}

static int check_not_again(const Repair *repair, const CompareTable *found, Error *error)
{
    for (size_t i = 0; i < found->key_count; i++) {
        if (repair->whole_done || was_done(repair, found->keys[i].hash)) {
            error_set(error, ERROR_CONFLICT,
                      "row %s of %s.%s was repaired, and is wrong again: somebody or something on the target "
                      "changes it",
                      found->keys[i].key, found->schema, found->name);
            return error_hint(error,
                              "look for who writes there (applications, triggers ENABLE ALWAYS, jobs) before "
                              "anything is repaired again");
        }
    }
    return 0;
}

static int mark_to_copy(Repair *repair, const CompareTable *found, const char *why, Error *error)
{
    bool noted;
    PairsSummary summary;
    Lsn point = LSN_INVALID;
    pairs_summary(repair->verify->pairs, &summary);
    if (!lsn_parse(summary.last_point, &point)) {
        return error_set(error, ERROR_STATE, "the point of the comparison is not known");
    }
    if (state_mark_recopy(repair->verify->target, repair->verify->settings->migration, found->schema,
                          found->name, point, why, &noted, error) != 0) {
        return -1;
    }
    if (!noted) {
        log_line(&repair->verify->settings->log, LOG_WARNING, "%s.%s was not repaired: %s", found->schema,
                 found->name, why);
        return 0;
    }
    log_line(&repair->verify->settings->log, LOG_WARNING,
             "%s.%s is marked to be copied again: %s. Stop the applier, then penstock copy", found->schema,
             found->name, why);
    return 0;
}

/* Rows that are not among those to be repaired have what must be unique. */
static bool is_in_the_way(const Error *error)
{
    return strcmp(error->sqlstate, "23505") == 0 || strcmp(error->sqlstate, "23P01") == 0;
}

/* *refused: nothing was done, since other rows are in the way. */
static int repair_found(Repair *repair, const PGresult *pieces, int row, const CompareTable *found,
                        bool whole, bool *refused, Error *error)
{
    const RepairTable table = {.schema = found->schema,
                               .name = found->name,
                               .columns = PQgetvalue(pieces, row, COLUMNS),
                               .binary = PQgetvalue(pieces, row, BINARY)[0] == 't',
                               .range = range_of(repair, pieces, row),
                               .routed = PQgetvalue(pieces, row, ROUTED)[0] == 't'};
    RepairBatch batch = {.verify = repair->verify,
                         .source = repair->source,
                         .target = repair->target,
                         .table = &table,
                         .found = found,
                         .whole = whole};
    if (check_not_again(repair, found, error) != 0) {
        return -1;
    }
    if (pairs_at_point(repair->verify->pairs, repair_batch, &batch, error) != 0) {
        *refused = is_in_the_way(error);
        if (!*refused) {
            return -1;
        }
        *error = (Error){0};
        return 0;
    }
    if (batch.repaired > 0) {
        remember(repair, found);
        repair->whole_done |= whole;
        log_line(&repair->verify->settings->log, LOG_INFO, "%s.%s: %lld rows repaired", found->schema,
                 found->name, (long long)batch.repaired);
    }
    return 0;
}

/* The piece is right now: whether the whole table is, the other pieces say. */
static int note_right(Repair *repair, const PGresult *pieces, int row, Error *error)
{
    const char *pass = repair->verify->pass.id;
    return database_execute(repair->verify->target, error,
                            "UPDATE penstock.verify_job SET different = array_remove(different, $2::int8)"
                            " WHERE pass = $1::int8 AND first_key IS NOT DISTINCT FROM $3"
                            "   AND last_key IS NOT DISTINCT FROM $4 AND $2::int8 = ANY (different)",
                            4, pass, PQgetvalue(pieces, row, RELATION), text_at(pieces, row, FIRST_KEY),
                            text_at(pieces, row, LAST_KEY)) == 0 &&
                   database_execute(
                       repair->verify->target, error,
                       "UPDATE penstock.verify_table t SET equal = true, target_rows = source_rows"
                       " WHERE pass = $1::int8 AND relation = $2::int8 AND NOT EXISTS ("
                       "   SELECT FROM penstock.verify_job j WHERE j.pass = $1::int8"
                       "      AND $2::int8 = ANY (j.different))",
                       2, pass, PQgetvalue(pieces, row, RELATION)) == 0
               ? 0
               : -1;
}

/* A part that is found by reading the whole table is no better than that. */
static bool may_be_whole(const Repair *repair, const PGresult *pieces, int row)
{
    bool cut =
        !repair->wide && (text_at(pieces, row, FIRST_KEY) != NULL || text_at(pieces, row, LAST_KEY) != NULL);
    bool by_index = cut && PQgetvalue(pieces, row, PART_SCAN)[0] != 't';
    return text_at(pieces, row, CONDITION) == NULL && PQgetvalue(pieces, row, ROUTED)[0] != 't' &&
           (by_index || strtoll(PQgetvalue(pieces, row, BYTES), NULL, 10) <= WHOLE_BYTES);
}

/* Without a key all of the table is read for each batch. */
static bool may_be_searched(const Repair *repair, const PGresult *pieces, int row)
{
    return may_be_whole(repair, pieces, row) ||
           (PQgetvalue(pieces, row, ROUTED)[0] == 't' &&
            strtoll(PQgetvalue(pieces, row, BYTES), NULL, 10) <= WHOLE_BYTES);
}

static int repair_or_widen(Repair *repair, const PGresult *pieces, int row, const CompareTable *found,
                           bool whole, bool *again, Error *error)
{
    bool refused = false;
    if (repair_found(repair, pieces, row, found, whole, &refused, error) != 0) {
        return -1;
    }
    *again = !refused || !repair->wide;
    repair->wide |= refused;
    return *again
               ? 0
               : mark_to_copy(
                     repair, found,
                     "very many of its rows were found wrong by verify, some with what is unique in others",
                     error);
}

/* One look, and what follows from it. *again: there may be more to repair. */
static int go_on(Repair *repair, const PGresult *pieces, int row, int round, bool *again, Error *error)
{
    CompareTable found;
    int status = look(repair, pieces, row, &found, error);
    *again = false;
    if (status == 0 && found.equal) {
        status = note_right(repair, pieces, row, error);
    } else if (status == 0 && found.problem == NULL && found.key_count > 0) {
        bool keyless = found.keys[0].part_count == 0;
        bool whole = found.more_keys && may_be_whole(repair, pieces, row);
        if (round == MOST_ROUNDS) {
            status = mark_to_copy(repair, &found, "very many of its rows were found wrong by verify", error);
        } else if (keyless && !may_be_searched(repair, pieces, row)) {
            status = mark_to_copy(repair, &found, "rows of it, which has no key, were found wrong by verify",
                                  error);
        } else {
            status = repair_or_widen(repair, pieces, row, &found, whole, again, error);
        }
    }
    compare_table_clear(&found);
    return status;
}

static int repair_piece(Repair *repair, const PGresult *pieces, int row, Error *error)
{
    bool again = true;
    if (pair_is_full(&repair->pair)) { /* as are those that repair */
        close_sessions(repair);
        if (open_all(repair, error) != 0) {
            return -1;
        }
    }
    repair->done_count = 0;
    repair->whole_done = repair->wide = false;
    for (int round = 0; again; round++) {
        if (interrupted()) {
            return error_set(error, ERROR_INTERRUPTED, "interrupted");
        }
        if (go_on(repair, pieces, row, round, &again, error) != 0) {
            return -1;
        }
    }
    return 0;
}

static int repair_rows(Verify *verify, Error *error)
{
    PGresult *pieces = NULL;
    if (database_query(verify->target, &pieces, error, pieces_sql, 1, verify->pass.id) != 0) {
        return -1;
    }
    Repair repair = {.verify = verify, .forms = forms_new()};
    int status = PQntuples(pieces) == 0 ? 0 : open_all(&repair, error);
    for (int row = 0; status == 0 && row < PQntuples(pieces); row++) {
        status = repair_piece(&repair, pieces, row, error);
    }
    close_all(&repair);
    PQclear(pieces);
    return status;
}

/* Those that are wrong, to where they are at the source now: the copy would have done the same. */
static int repair_sequences(Verify *verify, Error *error)
{
    size_t count;
    bool wrong = false;
    if (database_found(verify->target, &wrong, error,
                       "SELECT 1 FROM penstock.verify_difference WHERE pass = $1::int8 AND kind = 'sequence'",
                       1, verify->pass.id) != 0) {
        return -1;
    }
    return !wrong ? 0
           : sequences_copy(verify->source, verify->target, verify->settings->migration, &count, error) == 0
               ? database_execute(verify->target, error,
                                  "UPDATE penstock.verify_difference SET repaired = 'set'"
                                  " WHERE pass = $1::int8 AND kind = 'sequence'",
                                  1, verify->pass.id)
               : -1;
}

int verify_repair(Verify *verify, Error *error)
{
    if (verify->migration.phase != PHASE_COPIED) {
        error_set(error, ERROR_STATE, "after the switch nothing is repaired: the target is what counts");
        return -1;
    }
    return repair_rows(verify, error) == 0 ? repair_sequences(verify, error) : -1;
}
