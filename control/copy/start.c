/*
 * A target counts as ours to fill when it holds no relation of a user's, or when it is written down that this migration has
 * made objects on it. That an earlier run was killed may mean that sessions of it still work on the
 * target: holding the lock, we know that they are left-overs, and end them.
 */
#include "start.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "ddl_step.h"
#include "large.h"
#include "lock.h"
#include "money.h"
#include "number.h"
#include "queue.h"
#include "session.h"
#include "tables.h"

#define LEFTOVER_SECONDS 60
/* Lanes where nobody says otherwise. Where there are very many tables a lane has some hundred, so that a transaction of the applier's can
   have all changes of some lanes within the target's table of locks (applier/schedule/split.h). */
#define DEFAULT_LANES 16
#define MOST_LANES 256
#define TABLES_OF_LANE 400

static int end_leftovers(Copy *copy, Error *error)
{
    for (int tries = 0;; tries++) {
        char *left = NULL;
        if (database_value(
                copy->target, &left, error,
                "SELECT count(pg_catalog.pg_terminate_backend(pid)) FROM pg_catalog.pg_stat_activity"
                " WHERE datname = pg_catalog.current_database() AND pid <> pg_catalog.pg_backend_pid()"
                "   AND application_name IN (pg_catalog.left(pg_catalog.concat('penstock copy ', $1::text), "
                "63),"
                "                            pg_catalog.left(pg_catalog.concat('penstock pg_restore ', "
                "$1::text), 63))",
                1, copy->settings->migration) != 0) {
            return -1;
        }
        bool none = left == NULL || strcmp(left, "0") == 0;
        free(left);
        if (none) {
            return 0;
        }
        if (tries >= LEFTOVER_SECONDS * 4) {
            return error_set(error, ERROR_LIMIT,
                             "sessions of an earlier run on the target have not ended in %d s",
                             LEFTOVER_SECONDS);
        }
        clock_pause_ms(250);
    }
}

static int check_target_empty(Copy *copy, Error *error)
{
    PGresult *rows = NULL;
    if (database_query(copy->target, &rows, error,
                       "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), count(*) OVER ()"
                       "  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                       " WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND c.relpersistence <> 't'"
                       "   AND n.nspname NOT IN ('penstock', 'information_schema') AND n.nspname !~ '^pg_'"
                       "   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d"
                       "        WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass"
                       "          AND d.objid = c.oid AND d.deptype = 'e')"
                       " ORDER BY 1 LIMIT 1",
                       0) != 0) {
        return -1;
    }
    int status = 0;
    if (PQntuples(rows) > 0) {
        status = error_set(error, ERROR_STATE,
                           "the target database is not empty: it has %s relation%s, the first %s",
                           PQgetvalue(rows, 0, 1), strcmp(PQgetvalue(rows, 0, 1), "1") == 0 ? "" : "s",
                           PQgetvalue(rows, 0, 0));
        error_hint(error,
                   "copy needs a database of its own: createdb on the target and name that, or drop what is "
                   "in this one");
    }
    PQclear(rows);
    return status;
}

/* Those that are on the target before would be taken for ones that the source has removed. */
static int check_no_large_objects(Copy *copy, Error *error)
{
    bool found = false;
    if (copy->options->skip_large_objects) {
        return 0;
    }
    if (large_any(copy->target, &found, error) != 0) {
        return -1;
    }
    if (!found) {
        return 0;
    }
    error_set(error, ERROR_STATE, "the target database has large objects");
    return error_hint(error,
                      "copy needs a database of its own. Remove them, or leave the source's behind with "
                      "--skip-large-objects.");
}

/* The columns that were found, the first of them by name. */
typedef struct Amounts {
    int count;
    char column[256];
    Error *error;
} Amounts;

static void count_amounts(void *context, const char *column, const char *why, const char *fix)
{
    Amounts *amounts = context;
    if (amounts->count++ == 0) {
        snprintf(amounts->column, sizeof amounts->column, "%s", column);
        error_set(amounts->error, ERROR_TARGET, "%s", why);
        error_hint(amounts->error, "On the target: %s", fix);
    }
}

static int check_money(Copy *copy, Error *error)
{
    Amounts amounts = {.error = error};
    if (money_compare(copy->source, copy->target, count_amounts, &amounts, error) != 0) {
        return -1;
    }
    return amounts.count == 0
               ? 0
               : error_context(error, "%d column%s of money, %s the first, would have other amounts",
                               amounts.count, amounts.count == 1 ? "" : "s", amounts.column);
}

/* Who the source is: by a replication connection, which shows too that we may have one. */
static int identify_source(Copy *copy, Migration *out, Error *error)
{
    Database *replication = NULL;
    PGresult *row = NULL;
    if (session_open_replication(copy->settings->source, "copy", &replication, error) != 0) {
        return -1;
    }
    int status = database_query(replication, &row, error, "IDENTIFY_SYSTEM", 0);
    if (status == 0) {
        snprintf(out->source_system, sizeof(out->source_system), "%s", PQgetvalue(row, 0, 0));
        out->source_timeline = number_int(PQgetvalue(row, 0, 1));
        snprintf(out->source_database, sizeof(out->source_database), "%s",
                 PQdb(database_connection(copy->source)));
    }
    PQclear(row);
    database_close(replication);
    return status;
}

static int choose_lanes(Copy *copy, int *lanes, Error *error)
{
    char *text = NULL;
    *lanes = copy->options->lanes;
    if (*lanes > 0) {
        return 0;
    }
    if (database_value(copy->source, &text, error,
                       "SELECT pg_catalog.count(*) FROM pg_catalog.pg_class WHERE relkind = 'r' AND oid >= "
                       "16384",
                       0) != 0) {
        return error_context(error, "counting the tables of the source");
    }
    long long wanted = strtoll(text, NULL, 10) / TABLES_OF_LANE;
    *lanes = wanted < DEFAULT_LANES ? DEFAULT_LANES : wanted > MOST_LANES ? MOST_LANES : (int)wanted;
    free(text);
    return 0;
}

int start_describe(Copy *copy, Migration *out, Error *error)
{
    char *encoding = NULL;
    *out = (Migration){.phase = PHASE_CREATED,
                       .source_version = database_version(copy->source),
                       .target_version = database_version(copy->target)};
    snprintf(out->name, sizeof(out->name), "%s", copy->settings->migration);
    if (choose_lanes(copy, &out->lanes, error) != 0 ||
        state_slot_name(out->name, out->slot_name, error) != 0 || identify_source(copy, out, error) != 0 ||
        database_value(copy->source, &encoding, error,
                       "SELECT pg_catalog.pg_encoding_to_char(encoding) FROM pg_catalog.pg_database"
                       " WHERE datname = pg_catalog.current_database()",
                       0) != 0) {
        return -1;
    }
    snprintf(out->source_encoding, sizeof(out->source_encoding), "%s", encoding != NULL ? encoding : "");
    free(encoding);
    return 0;
}

/*
 * The applier must stand still: what it left out of a table while that was copied would be missing for ever. It goes on
 * afterwards from where it is, which is before the new snapshot. Its lock is kept for as long as copy runs.
 */
static int keep_applier_away(Copy *copy, const char *tables, Error *error)
{
    if (state_lock(copy->target, copy->migration.name, "applier", error) != 0) {
        error_context(error, "%s must be copied, without an applier at work", tables);
        return error_hint(
            error, "Stop penstock follow, run this again, and start penstock follow afterwards: it goes "
                   "on where it stopped.");
    }
    return state_wait_workers(copy->target, copy->migration.name, LEFTOVER_SECONDS * 1000, error);
}

/* Whether the target has refused objects of the schema. */
static int find_refused(Copy *copy, Error *error)
{
    PGresult *rows = NULL;
    if (copy->migration.phase != PHASE_COPIED) {
        return 0;
    }
    int status = schema_refused(copy->target, copy->migration.name, &rows, error);
    copy->mend = status == 0 && PQntuples(rows) > 0;
    PQclear(rows);
    return status;
}

/* Everything was copied once: is there something to copy again, or a table that was made since? */
static int resume_copied(Copy *copy, Error *error)
{
    char *tables = NULL;
    if (copy->migration.phase == PHASE_COPIED && !copy_captures(copy) &&
        tables_missing(copy->source, copy->target, copy->migration.name, &tables, error) != 0) {
        return -1;
    }
    if (tables == NULL && copy->migration.phase == PHASE_COPIED &&
        queue_waiting(copy->target, copy->migration.name, &tables, error) != 0) {
        return -1;
    }
    copy->again = tables != NULL;
    int status = find_refused(copy, error);
    if (status == 0 && copy->again) {
        status = keep_applier_away(copy, tables, error);
    } else if (status == 0 && !copy->mend && copy->options->follow && copy->migration.phase == PHASE_COPIED) {
        copy->copied = true;
    } else if (status == 0 && !copy->mend) {
        error_set(error, ERROR_STATE, "migration \"%s\" is %s: there is nothing left to copy",
                  copy->migration.name, state_phase_name(copy->migration.phase));
        status =
            error_hint(error, copy->migration.phase == PHASE_COPIED ? "go on with penstock follow"
                                                                    : "penstock status says where it stands");
    }
    free(tables);
    return status;
}

static int resume(Copy *copy, const Migration *found, Error *error)
{
    Migration *ours = &copy->migration;
    if (load_migration(copy->settings, copy->target, ours, error) != 0) {
        return -1;
    }
    if (strcmp(ours->source_system, found->source_system) != 0 ||
        strcmp(ours->source_database, found->source_database) != 0) {
        error_set(error, ERROR_STATE,
                  "migration \"%s\" was begun from database %s of another system (%s, not %s)", ours->name,
                  ours->source_database, ours->source_system, found->source_system);
        return error_hint(error,
                          "name the source that it was begun from, or start over with penstock finish");
    }
    if (copy->options->lanes > 0 && copy->options->lanes != ours->lanes) {
        error_set(error, ERROR_STATE, "migration \"%s\" was begun with %d lanes, not %d", ours->name,
                  ours->lanes, copy->options->lanes);
        return error_hint(error, "leave --lanes out: each lane has its place in the stream, so their number "
                                 "stays; the number of workers may change at every start");
    }
    if (ddl_check_mode(copy, error) != 0) {
        return -1;
    }
    return ours->phase == PHASE_CREATED || ours->phase == PHASE_COPYING ? 0 : resume_copied(copy, error);
}

/* What was said first holds; who says it again has to say the same. */
static int take_selection(Copy *copy, bool recorded, Error *error)
{
    const Selection *given = &copy->options->selection;
    Text kept = {0};
    if (recorded && selection_load(copy->target, copy->settings->migration, &copy->selection, error) != 0) {
        return -1;
    }
    if (recorded && (given->count == 0 || selection_equal(given, &copy->selection))) {
        return 0;
    }
    if (!recorded) {
        return selection_copy(given, &copy->selection, error);
    }
    selection_describe(&copy->selection, &kept);
    error_set(error, ERROR_USAGE, "migration \"%s\" was begun %s%s", copy->settings->migration,
              kept.size > 0 ? "with " : "without a choice of tables", kept.size > 0 ? kept.data : "");
    text_free(&kept);
    return error_hint(error, "What is moved is settled with the first copy: leave --only, --exclude and "
                             "--schema-only out, or start over with penstock finish.");
}

static int find_left_behind(Copy *copy, Error *error)
{
    if (copy->selection.count == 0) {
        return 0;
    }
    if (left_behind_find(copy->source, &copy->selection, NULL, &copy->left, error) != 0) {
        return -1;
    }
    if (copy->left.idle.size > 0) {
        progress_warn(copy->progress, "no table, view or sequence of the source is named so: %s",
                      copy->left.idle.data);
    }
    if (copy->left.kept == 0) {
        error_set(error, ERROR_USAGE, "by these patterns everything stays behind");
        return error_hint(error, "penstock check names, with the same options, what stays behind and why.");
    }
    return left_behind_hide(copy->source, &copy->left, error);
}

/* The schema of that name is ours, and nothing in it is moved: what somebody else has in it would be missing without a word. */
static int check_our_schema(Copy *copy, Error *error)
{
    char *table = NULL;
    if (database_value(copy->source, &table, error,
                       "SELECT pg_catalog.min(c.relname::text) FROM pg_catalog.pg_class c"
                       "  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                       " WHERE n.nspname = 'penstock' AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')"
                       "   AND pg_catalog.obj_description(n.oid, 'pg_namespace') IS NULL",
                       0) != 0) {
        return -1;
    }
    if (table != NULL) {
        error_set(error, ERROR_SOURCE, "the source has a schema penstock of its own, with %s in it", table);
        free(table);
        return error_hint(error, "Penstock keeps its state in a schema of that name: rename the source's, "
                                 "ALTER SCHEMA penstock RENAME TO another_name.");
    }
    return 0;
}

int start_copy(Copy *copy, Error *error)
{
    Migration found;
    bool exists = false, recorded = false, made = false;
    char event[16] = "";
    if (start_describe(copy, &found, error) != 0 || check_our_schema(copy, error) != 0 ||
        check_money(copy, error) != 0 || end_leftovers(copy, error) != 0 ||
        state_exists(copy->target, &exists, error) != 0) {
        return -1;
    }
    if (exists && queue_step_event(copy->target, copy->settings->migration, "schema", event, error) != 0) {
        return -1;
    }
    if (exists && queue_migration_exists(copy->target, copy->settings->migration, &recorded, error) != 0) {
        return -1;
    }
    if (take_selection(copy, recorded, error) != 0 || find_left_behind(copy, error) != 0) {
        return -1;
    }
    if (recorded && resume(copy, &found, error) != 0) {
        return -1;
    }
    if (exists && strcmp(event, "done") != 0 &&
        schema_made(copy->target, copy->settings->migration, &made, error) != 0) {
        return -1;
    }
    if (strcmp(event, "done") != 0 && !made && check_target_empty(copy, error) != 0) {
        return -1;
    }
    if (recorded) {
        return 0;
    }
    if (check_no_large_objects(copy, error) != 0) {
        return -1;
    }
    copy->migration = found;
    return ddl_choose_mode(copy, error) == 0 ? state_create(copy->target, error) : -1;
}
