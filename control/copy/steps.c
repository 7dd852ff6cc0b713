/*
 * A step's entries in the journal: begin, then done or failed; only begin, when the process died. The last of
 * them decides. The phase of the migration is set to copying after the slot is there and to copied at the
 * end. What is copied again afterwards is a step of its own, which may be done any number of times.
 *
 * A full disk of the target goes away when somebody makes room. Rows, and objects that are made behind them, wait for that where
 * they are, and keep what is done (worker.c, make.c of schema/); whatever else meets it, an entry of the journal too, ends up here: the
 * step is begun again, as after a crash.
 */
#include "steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ddl_step.h"
#include "post_data.h"
#include "queue.h"
#include "room.h"
#include "sequences.h"
#include "text.h"
#include "statements.h"
#include "yard.h"

#define OBJECTS_NAMED 10

typedef struct Step {
    const char *name;
    int (*run)(Copy *copy, bool repeated, Error *error);
} Step;

static const Step steps[] = {
    {"slot", copy_step_slot},           {"schema", copy_step_schema},
    {"plan", copy_step_plan},           {"data", copy_step_data},
    {"large objects", copy_step_large}, {"post-data", copy_step_post_data},
    {"sequences", copy_step_sequences}, {"analyze", copy_step_analyze},
};

static const Step again = {"again", copy_step_again}, objects = {"objects", copy_step_objects};

#define STEPS (sizeof(steps) / sizeof(*steps))

/* What of the schema goes with what stays behind, and was not named for that by anybody. */
static int tell_left_out(Copy *copy, Error *error)
{
    PGresult *rows = NULL;
    if (copy->left.count == 0) {
        return 0;
    }
    progress_warn(copy->progress, "%zu relation%s of the source stay behind, in whole or their rows",
                  copy->left.count, copy->left.count == 1 ? "" : "s");
    if (schema_left(copy->target, copy->settings->migration, &rows, error) != 0) {
        return -1;
    }
    for (int i = 0; i < PQntuples(rows) && i < OBJECTS_NAMED; i++) {
        progress_warn(copy->progress, "%s: %s", PQgetvalue(rows, i, 0), PQgetvalue(rows, i, 1));
    }
    if (PQntuples(rows) > OBJECTS_NAMED) {
        progress_warn(copy->progress, "... and %d more objects: penstock.schema_object has them",
                      PQntuples(rows) - OBJECTS_NAMED);
    }
    PQclear(rows);
    return 0;
}

int copy_step_schema(Copy *copy, bool repeated, Error *error)
{
    SchemaRoad road = post_data_road(copy);
    char snapshot[EXPORTED_SIZE];
    (void)repeated;
    if (copy_captures(copy)) {
        if (ddl_take_snapshot(copy, snapshot, error) != 0 ||
            copy_list_dumped(copy, copy->holder, error) != 0) {
            return -1;
        }
        road.snapshot = snapshot;
    }
    return schema_restore_pre_data(&road, error) == 0 ? tell_left_out(copy, error) : -1;
}

/* "a, b, c, ..." of those that the check knew of, or did not; their number. */
static int name_refused(const PGresult *rows, bool known, Text *names)
{
    int count = 0;
    for (int i = 0; i < PQntuples(rows); i++) {
        if ((strcmp(PQgetvalue(rows, i, 2), "0") != 0) == known && count++ < OBJECTS_NAMED) {
            text_printf(names, "%s%s", names->size > 0 ? ", " : "", PQgetvalue(rows, i, 0));
        }
    }
    if (count > OBJECTS_NAMED) {
        text_append(names, ", ...");
    }
    return count;
}

/* Of those that the check's trial found, the operator has said to go on without them. */
static int judge_refused(Copy *copy, const PGresult *rows, Error *error)
{
    Text known = {0}, names = {0};
    int accepted = name_refused(rows, true, &known), count = name_refused(rows, false, &names), status = 0;
    if (accepted > 0) {
        progress_warn(
            copy->progress,
            "as the check has found, and was accepted, the target refuses %d object%s of the schema: "
            "%s. Another penstock copy tries just what is missing",
            accepted, accepted == 1 ? "" : "s", known.data);
    }
    if (count > 0) {
        error_set(error, ERROR_TARGET,
                  "all rows are copied, but the target refuses %d object%s of the schema: %s", count,
                  count == 1 ? "" : "s", names.data);
        status = error_hint(
            error,
            "penstock.schema_object has the server's words. Make each possible, on the target or at the "
            "source, and run penstock copy again, which tries just these; or give --not-valid or "
            "--leave-out with its name. penstock follow may run meanwhile.");
    }
    text_free(&known);
    text_free(&names);
    return status;
}

int copy_check_objects(Copy *copy, Error *error)
{
    PGresult *rows = NULL;
    if (schema_refused(copy->target, copy->settings->migration, &rows, error) != 0) {
        return -1;
    }
    int status = judge_refused(copy, rows, error);
    PQclear(rows);
    return status;
}

int copy_step_sequences(Copy *copy, bool repeated, Error *error)
{
    size_t count = 0;
    (void)repeated;
    return sequences_copy(copy->source, copy->target, copy->settings->migration, &count, error);
}

/*
 * A root takes its partitions with it. But where one of them is a foreign table, whose server may not be reached from here,
 * the root's own statistics would fail before the partitions' turn comes (acquire_inherited_sample_rows): they go by themselves. Of
 * what size a root is is not asked: it counts as large. Of a table it is what it was at the source: to look, the server would open each, and
 * this session keeps what it has opened to the end of the copy.
 */
static const char analyze_sql[] =
    "WITH RECURSIVE above AS ("
    "     SELECT i.inhparent AS relation FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class f ON f.oid = "
    "i.inhrelid"
    "      WHERE f.relkind = 'f'"
    "     UNION SELECT i.inhparent FROM pg_catalog.pg_inherits i JOIN above a ON a.relation = i.inhrelid),"
    " below AS (SELECT relation FROM above UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN below b"
    "              ON b.relation = i.inhparent)"
    "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname),"
    "       CASE c.relkind WHEN 'p' THEN " TEXT_OF(
        LARGE_BYTES) " WHEN 'm' THEN coalesce(pg_catalog.pg_table_size(c.oid), 0)"
                     "            ELSE coalesce(r.source_bytes, 0) END"
                     "  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                     "  LEFT JOIN penstock.relation r ON r.migration = $1 AND r.schema_name = n.nspname::text"
                     "       AND r.table_name = c.relname::text"
                     " WHERE (c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition"
                     "        OR c.relkind = 'r' AND c.oid IN (SELECT relation FROM below)) AND "
                     "c.relpersistence <> 't'"
                     "   AND n.nspname NOT IN ('penstock', 'information_schema') AND n.nspname !~ '^pg_'"
                     " ORDER BY 2 DESC";

int copy_step_analyze(Copy *copy, bool repeated, Error *error)
{
    PGresult *rows = NULL;
    (void)repeated;
    if (database_query(copy->target, &rows, error, analyze_sql, 1, copy->settings->migration) != 0) {
        return -1;
    }
    int status = statements_analyze(copy, rows, error);
    PQclear(rows);
    return status;
}

/* The tables that are not copied, those made since among them, and then their statistics. */
int copy_step_again(Copy *copy, bool repeated, Error *error)
{
    PGresult *rows = NULL;
    if (copy_step_plan(copy, repeated, error) != 0 ||
        queue_analyze(copy->target, copy->settings->migration, &rows, error) != 0) {
        return -1;
    }
    /* Those that were made on the target since may have triggers that fire for rows that are copied. */
    int status = post_data_silence(copy, error);
    if (status == 0) {
        status = copy_step_data(copy, false, error);
    }
    if (status == 0) {
        status = statements_analyze(copy, rows, error);
    } else if (strcmp(error->sqlstate, "42P01") == 0) {
        error_hint(error,
                   "Make the table on the target, as it is on the source, and run the same command again.");
    }
    PQclear(rows);
    return status;
}

static int journal(Copy *copy, const Step *step, const char *event, Error *error)
{
    return state_journal(copy->target, copy->settings->migration, "copy", step->name, event, NULL, error);
}

/* Writes that the step failed, as well as that can be done, and keeps the error that says why. */
static void journal_failure(Copy *copy, const Step *step, const Error *why)
{
    Error ignored = {0};
    if (why->code != ERROR_INTERRUPTED && journal(copy, step, "failed", &ignored) != 0) {
        /* The step has no end in the journal, which says the same. */
        return;
    }
}

static int try_step(Copy *copy, const Step *step, bool repeated, Error *error)
{
    return journal(copy, step, "begin", error) == 0 && step->run(copy, repeated, error) == 0
               ? journal(copy, step, "done", error)
               : -1;
}

static void tick(void *context)
{
    progress_tick(context);
}

/* What the step has locked, seen and written by then is let go. */
static int wait_for_room(Copy *copy, const Step *step, int tries, Error *error)
{
    const RoomWait how = {.idle = tick, .context = copy->progress};
    char why[300];
    snprintf(why, sizeof why, "the step %s waits until the target has room: %.200s", step->name,
             error->message);
    if (progress_held(copy->progress, PROGRESS_STEP, why)) {
        progress_warn(copy->progress,
                      "the step %s waits until the target has room, and is then begun again by itself: %s",
                      step->name, error->message);
    }
    progress_note(copy->progress, "waits until the target has room: %s", error->message);
    ddl_let_go(copy);
    return room_wait(copy->target, &how, tries, error);
}

static int do_step(Copy *copy, const Step *step, bool repeated, Error *error)
{
    if (interrupted()) {
        return error_set(error, ERROR_INTERRUPTED, "interrupted before the step %s", step->name);
    }
    progress_phase(copy->progress, step->name);
    int status = try_step(copy, step, repeated, error);
    for (int tries = 0; status != 0 && room_lacks(copy->target, error); tries++) {
        if (wait_for_room(copy, step, tries, error) != 0) {
            return -1;
        }
        progress_note(copy->progress, "%s", "");
        status = try_step(copy, step, true, error);
    }
    progress_held(copy->progress, PROGRESS_STEP, NULL);
    if (status != 0) {
        journal_failure(copy, step, error);
    }
    return status;
}

static int run_step(Copy *copy, const Step *step, Error *error)
{
    char event[16];
    if (queue_step_event(copy->target, copy->settings->migration, step->name, event, error) != 0) {
        return -1;
    }
    return strcmp(event, "done") == 0 ? 0 : do_step(copy, step, event[0] != '\0', error);
}

int steps_run(Copy *copy, Error *error)
{
    if (copy_check_slot(copy, error) != 0) {
        return -1;
    }
    if (copy->again && do_step(copy, &again, false, error) != 0) {
        return -1;
    }
    if (copy->mend && do_step(copy, &objects, false, error) != 0) {
        return -1;
    }
    if (copy->again || copy->mend) {
        return 0;
    }
    for (size_t i = 0; i < STEPS; i++) {
        if (run_step(copy, &steps[i], error) != 0 || copy_check_slot(copy, error) != 0) {
            return -1;
        }
        if (i == 0 && copy->migration.phase == PHASE_CREATED) {
            if (state_set_phase(copy->target, copy->settings->migration, PHASE_COPYING, error) != 0) {
                return -1;
            }
            copy->migration.phase = PHASE_COPYING;
        }
    }
    return state_set_phase(copy->target, copy->settings->migration, PHASE_COPIED, error);
}
