/*
 * The migration's own row and its lanes.
 */
#include "state.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const phase_names[] = {
    [PHASE_CREATED] = "created",   [PHASE_COPYING] = "copying",         [PHASE_COPIED] = "copied",
    [PHASE_SWITCHED] = "switched", [PHASE_ROLLED_BACK] = "rolled back", [PHASE_FINISHED] = "finished",
};

#define PHASES (sizeof phase_names / sizeof phase_names[0])

const char *state_phase_name(Phase phase)
{
    return phase_names[phase];
}

static int parse_phase(const char *text, Phase *out, Error *error)
{
    for (size_t i = 0; i < PHASES; i++) {
        if (strcmp(text, phase_names[i]) == 0) {
            *out = (Phase)i;
            return 0;
        }
    }
    return error_set(error, ERROR_STATE, "the migration is in phase \"%s\", which this version does not know",
                     text);
}

int state_slot_name(const char *migration, char out[64], Error *error)
{
    size_t size = strlen(migration);
    if (size == 0 || size > 63 - strlen("penstock_") ||
        strspn(migration, "abcdefghijklmnopqrstuvwxyz0123456789_") != size) {
        error_set(error, ERROR_USAGE, "the migration's name \"%s\" cannot name a replication slot",
                  migration);
        return error_hint(error, "use lower-case letters, digits and _, 54 at most");
    }
    snprintf(out, 64, "penstock_%s", migration);
    return 0;
}

/* Names those that are there, for whoever mistyped it. */
static int no_such_migration(Database *target, const char *name, Error *error)
{
    char *others = NULL;
    if (target != NULL &&
        database_value(target, &others, error,
                       "SELECT string_agg(name, ', ' ORDER BY name) FROM penstock.migration", 0) != 0) {
        return -1;
    }
    error_set(error, ERROR_STATE, "there is no migration \"%s\" on the target%s%s", name,
              others != NULL ? ", but there is: " : "", others != NULL ? others : "");
    free(others);
    return error_hint(error, "Begin it with `penstock copy`, or name another one with --migration.");
}

static void copy_text(char *out, size_t size, const PGresult *result, int column)
{
    snprintf(out, size, "%s", PQgetvalue(result, 0, column));
}

/* NULL and anything unreadable become LSN_INVALID: the server wrote it, so it is well-formed. */
static Lsn lsn_value(const PGresult *result, int row, int column)
{
    Lsn lsn = LSN_INVALID;
    return lsn_parse(PQgetvalue(result, row, column), &lsn) ? lsn : LSN_INVALID;
}

static int fill_migration(const PGresult *result, Migration *out, Error *error)
{
    memset(out, 0, sizeof *out);
    copy_text(out->name, sizeof out->name, result, 0);
    copy_text(out->slot_name, sizeof out->slot_name, result, 2);
    copy_text(out->source_system, sizeof out->source_system, result, 3);
    copy_text(out->source_database, sizeof out->source_database, result, 4);
    out->source_version = (int)strtol(PQgetvalue(result, 0, 5), NULL, 10);
    copy_text(out->source_encoding, sizeof out->source_encoding, result, 6);
    out->target_version = (int)strtol(PQgetvalue(result, 0, 7), NULL, 10);
    out->lanes = (int)strtol(PQgetvalue(result, 0, 8), NULL, 10);
    out->slot_lsn = lsn_value(result, 0, 9);
    out->final_lsn = lsn_value(result, 0, 10);
    out->source_timeline = (int)strtol(PQgetvalue(result, 0, 11), NULL, 10);
    copy_text(out->ddl, sizeof out->ddl, result, 12);
    out->created_at = strtoll(PQgetvalue(result, 0, 13), NULL, 10);
    return parse_phase(PQgetvalue(result, 0, 1), &out->phase, error);
}

int state_load(Database *target, const char *name, Migration *out, Error *error)
{
    bool exists = false;
    PGresult *result = NULL;
    if (state_exists(target, &exists, error) != 0) {
        return -1;
    }
    if (!exists) {
        return no_such_migration(NULL, name, error);
    }
    if (database_query(target, &result, error,
                       "SELECT name, phase, slot_name, source_system, source_database, source_version, "
                       "source_encoding, target_version, lanes, slot_lsn, final_lsn, source_timeline, ddl, "
                       "(extract(epoch FROM created_at) * 1000000)::int8 "
                       "FROM penstock.migration WHERE name = $1",
                       1, name) != 0) {
        return error_context(error, "reading migration \"%s\"", name);
    }
    int status =
        PQntuples(result) == 1 ? fill_migration(result, out, error) : no_such_migration(target, name, error);
    PQclear(result);
    return status;
}

int state_insert(Database *target, const Migration *migration, Error *error)
{
    char source_version[16], target_version[16], lanes[16], timeline[16];
    char slot_lsn[LSN_TEXT_SIZE], final_lsn[LSN_TEXT_SIZE];
    snprintf(source_version, sizeof source_version, "%d", migration->source_version);
    snprintf(target_version, sizeof target_version, "%d", migration->target_version);
    snprintf(lanes, sizeof lanes, "%d", migration->lanes);
    snprintf(timeline, sizeof timeline, "%d", migration->source_timeline);
    if (database_execute(
            target, error,
            "WITH created AS (INSERT INTO penstock.migration (name, phase, slot_name, source_system, "
            "source_database, source_version, source_encoding, target_version, lanes, slot_lsn, final_lsn, "
            "source_timeline, ddl) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, nullif($12::int, 0), $13) RETURNING name, "
            "lanes, slot_lsn) "
            "INSERT INTO penstock.lane (migration, lane, commit_lsn, sequence) "
            "SELECT c.name, n, coalesce(c.slot_lsn, '0/0'), 0 FROM created c, generate_series(0, c.lanes - "
            "1) n",
            13, migration->name, state_phase_name(migration->phase), migration->slot_name,
            migration->source_system, migration->source_database, source_version, migration->source_encoding,
            target_version, lanes,
            migration->slot_lsn != LSN_INVALID ? lsn_format(migration->slot_lsn, slot_lsn) : NULL,
            migration->final_lsn != LSN_INVALID ? lsn_format(migration->final_lsn, final_lsn) : NULL,
            timeline, migration->ddl[0] != '\0' ? migration->ddl : "off") != 0) {
        return error_context(error, "recording migration \"%s\"", migration->name);
    }
    return 0;
}

/* Runs an UPDATE of the migration's row whose $1 is name and $2 value; it must find the row. */
static int update_migration(Database *target, const char *sql, const char *name, const char *value,
                            Error *error)
{
    PGresult *result = NULL;
    if (database_query(target, &result, error, sql, 2, name, value) != 0) {
        return error_context(error, "updating migration \"%s\"", name);
    }
    bool found = strcmp(PQcmdTuples(result), "1") == 0;
    PQclear(result);
    return found ? 0 : no_such_migration(target, name, error);
}

int state_set_phase(Database *target, const char *name, Phase phase, Error *error)
{
    return update_migration(target, "UPDATE penstock.migration SET phase = $2 WHERE name = $1", name,
                            state_phase_name(phase), error);
}

int state_set_final_lsn(Database *target, const char *name, Lsn final_lsn, Error *error)
{
    char text[LSN_TEXT_SIZE];
    return update_migration(target, "UPDATE penstock.migration SET final_lsn = $2 WHERE name = $1", name,
                            final_lsn != LSN_INVALID ? lsn_format(final_lsn, text) : NULL, error);
}

int state_take_switch(Database *target, const char *name, const char *run, Error *error)
{
    return update_migration(target, "UPDATE penstock.migration SET switch_run = $2 WHERE name = $1", name,
                            run, error);
}

int state_has_switch(Database *target, const char *name, const char *run, bool *ours, Error *error)
{
    return database_found(target, ours, error,
                          "SELECT 1 FROM penstock.migration WHERE name = $1 AND switch_run = $2", 2, name,
                          run);
}

int state_begin_again(Database *target, const char *name, Lsn slot_lsn, Error *error)
{
    char text[LSN_TEXT_SIZE];
    return update_migration(
        target,
        "WITH begun AS (UPDATE penstock.migration SET phase = 'copied', slot_lsn = $2::pg_lsn, final_lsn = "
        "NULL"
        "  WHERE name = $1 AND phase <> 'copied' RETURNING name),"
        " moved AS (UPDATE penstock.lane SET commit_lsn = greatest(commit_lsn, $2::pg_lsn), epoch = epoch + "
        "1,"
        "  commit_time = CASE WHEN commit_lsn < $2::pg_lsn THEN NULL ELSE commit_time END,"
        "  sequence = CASE WHEN commit_lsn < $2::pg_lsn THEN 0 ELSE sequence END"
        "  WHERE migration IN (SELECT name FROM begun)),"
        " silent AS (DELETE FROM penstock.applier WHERE migration IN (SELECT name FROM begun))"
        " SELECT name FROM penstock.migration WHERE name = $1",
        name, lsn_format(slot_lsn, text), error);
}

int state_set_timeline(Database *target, const char *name, int timeline, Error *error)
{
    char text[16];
    snprintf(text, sizeof text, "%d", timeline);
    return update_migration(target, "UPDATE penstock.migration SET source_timeline = $2 WHERE name = $1",
                            name, text, error);
}

int state_copied_lsn(Database *target, const char *name, Lsn *out, Error *error)
{
    char *text = NULL;
    if (database_value(
            target, &text, error,
            "SELECT coalesce(greatest((SELECT max(copy_lsn) FROM penstock.relation WHERE migration = $1),"
            "                         (SELECT max(end_lsn) FROM penstock.snapshot WHERE migration = $1)),"
            "                '0/0')",
            1, name) != 0) {
        return error_context(error, "looking for the newest copy of a table");
    }
    bool good = text != NULL && lsn_parse(text, out);
    free(text);
    return good ? 0 : error_set(error, ERROR_STATE, "penstock.relation.copy_lsn is not an LSN");
}

int state_set_classes(Database *target, const TableClass *classes, size_t count, Error *error)
{
    Text ids = {0}, lanes = {0}, reasons = {0}, matches = {0};
    for (size_t i = 0; i < count; i++) {
        text_printf(&ids, "%c%lld", i == 0 ? '{' : ',', (long long)classes[i].table);
        text_array_add(&lanes, classes[i].lane_class);
        text_array_add(&reasons, classes[i].lane_reason);
        text_array_add(&matches, classes[i].match_class);
    }
    text_append(&ids, count == 0 ? "{}" : "}");
    text_array_end(&lanes);
    text_array_end(&reasons);
    text_array_end(&matches);
    int status = database_often(target, NULL, error,
                                "UPDATE penstock.relation AS r SET lane_class = n.lane_class, lane_reason "
                                "= n.lane_reason, match_class = "
                                "n.match_class FROM unnest($1::int8[], $2::text[], $3::text[], $4::text[]) "
                                "AS n (id, lane_class, lane_reason, "
                                "match_class) WHERE r.id = n.id",
                                4, ids.data, lanes.data, reasons.data, matches.data);
    text_free(&ids);
    text_free(&lanes);
    text_free(&reasons);
    text_free(&matches);
    return status == 0 ? 0 : error_context(error, "remembering the lane classes of %zu tables", count);
}

int state_mark_recopy(Database *target, const char *migration, const char *schema, const char *table, Lsn lsn,
                      const char *reason, bool *noted, Error *error)
{
    char *one = NULL;
    char lsn_text[LSN_TEXT_SIZE];
    if (database_value(target, &one, error,
                       "UPDATE penstock.relation SET copy_state = 'pending', copy_lsn = NULL, "
                       "       snapshot = NULL, part_column = NULL, "
                       "       recopy_lsn = $4::pg_lsn, recopy_reason = $5 "
                       "WHERE migration = $1 AND schema_name = $2 AND table_name = $3 "
                       "  AND recopy_lsn IS NULL "
                       "RETURNING 1",
                       5, migration, schema, table, lsn_format(lsn, lsn_text), reason) != 0) {
        return error_context(error, "noting that %s.%s has to be copied again", schema, table);
    }
    *noted = one != NULL;
    free(one);
    return 0;
}

int state_note_unknown(Database *target, const char *migration, const char *schema, const char *table,
                       uint32_t source_oid, Lsn commit_lsn, Error *error)
{
    char oid[16], lsn[LSN_TEXT_SIZE];
    snprintf(oid, sizeof oid, "%u", source_oid);
    if (database_execute(target, error,
                         "INSERT INTO penstock.relation (migration, schema_name, table_name, source_oid, "
                         "source_bytes, recopy_lsn, recopy_reason) "
                         "VALUES ($1, $2, $3, $4, 0, $5, 'made at the source after the copy had listed the "
                         "tables') "
                         "ON CONFLICT DO NOTHING",
                         5, migration, schema, table, oid, lsn_format(commit_lsn, lsn)) != 0) {
        return error_context(error, "noting that %s.%s has to be copied", schema, table);
    }
    return 0;
}
