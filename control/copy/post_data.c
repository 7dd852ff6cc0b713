/*
 * With one snapshot all tables agree with each other, and everything is made at once. With more, the stream goes on beside, and
 * nothing may lock it out of a table for longer than a moment:
 *
 *     passes what was copied │ indexes, unique ones too: concurrently; statistics, comments
 *     stands, for a moment   │ triggers and rules, which are switched off at once; foreign keys and checks, NOT VALID
 *     goes on, and stands    │ constraints are validated, materialized views filled: the statement takes its snapshot while
 *     for moments (window.h) │ the stream stands, and works while it goes on
 *
 * Only what cannot be had so makes it wait: an exclusion constraint, a foreign key of a partitioned table.
 */
#include "post_data.h"

#include <stdio.h>

#include "beside.h"
#include "silence.h"
#include "window.h"

static void tick(void *context)
{
    progress_tick(context);
}

static void doing(void *context, int job, const char *object)
{
    progress_job(context, job, object, 0);
}

static void refused(void *context, const char *object, const char *words)
{
    progress_warn(context, "%s: the target refuses it: %s", object, words);
}

static void no_room(void *context, int job, const char *object, const char *words)
{
    char why[300];
    snprintf(why, sizeof why, "%.140s waits until the target has room: %.100s", object, words);
    if (progress_held(context, job, why)) {
        progress_warn(context, "%s waits until the target has room, and is then made: %s", object, words);
    }
}

static void counted(void *context, size_t done, size_t of)
{
    progress_objects(context, (int64_t)done, (int64_t)of);
}

SchemaRoad post_data_road(const Copy *copy)
{
    return (SchemaRoad){
        .source_uri = copy->settings->source,
        .target_uri = copy->settings->target,
        .migration = copy->settings->migration,
        .source = copy->source,
        .target = copy->target,
        .left = &copy->left,
        .tools = &copy->tools,
        .jobs = copy->options->jobs,
        .options = copy->options->schema,
        .idle = tick,
        .doing = doing,
        .refused = refused,
        .no_room = no_room,
        .counted = counted,
        .context = copy->progress,
    };
}

int post_data_silence(Copy *copy, Error *error)
{
    size_t count = 0;
    if (state_silence(copy->target, copy->settings->migration, &count, error) != 0) {
        return -1;
    }
    if (count > 0) {
        progress_warn(
            copy->progress,
            "triggers and rules that are ENABLE ALWAYS or REPLICA are disabled on the target until the "
            "cutover, %zu in all: what they do is in the stream (penstock.silenced)",
            count);
    }
    return 0;
}

/* What a program or a crew of the schema's is waited for with, while the stream goes on beside. */
typedef struct BesideSchema {
    Beside beside;
    Window *window; /* NULL: not yet */
    Error error;    /* the first */
} BesideSchema;

static void tend(void *context)
{
    BesideSchema *schema = context;
    if (schema->error.code != ERROR_NONE) {
        progress_tick(schema->beside.copy->progress);
        return;
    }
    int status = schema->window != NULL ? window_tick(schema->window, &schema->error)
                                        : beside_tend(&schema->beside, true, &schema->error);
    if (status != 0) {
        progress_warn(schema->beside.copy->progress, "%s", schema->error.message);
    }
}

static void doing_beside(void *context, int job, const char *object)
{
    doing(((BesideSchema *)context)->beside.copy->progress, job, object);
}

static void refused_beside(void *context, const char *object, const char *words)
{
    refused(((BesideSchema *)context)->beside.copy->progress, object, words);
}

static void no_room_beside(void *context, int job, const char *object, const char *words)
{
    no_room(((BesideSchema *)context)->beside.copy->progress, job, object, words);
}

static int enter(void *context, int job, int pid, bool whole, Error *error)
{
    return window_enter(((BesideSchema *)context)->window, job, pid, whole, error);
}

static void leave(void *context, int job)
{
    window_leave(((BesideSchema *)context)->window, job);
}

static int first_error(const BesideSchema *schema, int status, Error *error)
{
    if (schema->error.code != ERROR_NONE) {
        *error = schema->error;
        return -1;
    }
    return status;
}

/* While the stream goes on and stands by turns. */
static int make_in_windows(BesideSchema *schema, SchemaRoad *road, Error *error)
{
    schema->window = window_new(&schema->beside, road->jobs);
    road->enter = enter;
    road->leave = leave;
    road->options.rows_differ = false;
    int status = beside_go_on(&schema->beside, error);
    if (status == 0) {
        status = schema_validate(road, error);
    }
    if (status == 0) {
        status = schema_restore_post_data(road, error);
    }
    window_free(schema->window);
    schema->window = NULL;
    return first_error(schema, status, error);
}

/* What DDL has changed meanwhile is no longer what the dump says: once more, as the source has it now, while the stream stands. */
static int renew_refused(BesideSchema *schema, Error *error)
{
    Copy *copy = schema->beside.copy;
    PGresult *rows = NULL;
    SchemaRoad road = post_data_road(copy);
    if (!copy_captures(copy)) {
        return 0;
    }
    if (schema_refused(copy->target, copy->settings->migration, &rows, error) != 0) {
        return -1;
    }
    int refused = PQntuples(rows);
    PQclear(rows);
    return refused == 0 || (beside_hold(&schema->beside, error) == 0 &&
                            schema_restore_refused(&road, error) == 0 && post_data_silence(copy, error) == 0)
               ? 0
               : -1;
}

static int make_beside(BesideSchema *schema, Error *error)
{
    Copy *copy = schema->beside.copy;
    bool passed = false;
    SchemaRoad road = post_data_road(copy);
    road.idle = tend;
    road.doing = doing_beside;
    road.refused = refused_beside;
    road.no_room = no_room_beside;
    road.context = schema;
    road.options.rows_differ = road.options.beside = true;
    int status = schema_restore_post_data(&road, error);
    if (first_error(schema, status, error) != 0 || beside_pass(&schema->beside, &passed, error) != 0 ||
        beside_hold(&schema->beside, error) != 0) {
        return -1;
    }
    SchemaRoad still = post_data_road(copy);
    still.options.beside = true;
    return schema_restore_quick(&still, error) == 0 && post_data_silence(copy, error) == 0
               ? make_in_windows(schema, &road, error)
               : -1;
}

int copy_step_post_data(Copy *copy, bool repeated, Error *error)
{
    SchemaRoad road = post_data_road(copy);
    BesideSchema schema = {0};
    bool needed = false;
    (void)repeated;
    if (beside_needed(copy, &needed, error) != 0) {
        return -1;
    }
    if (!needed) {
        return schema_restore_post_data(&road, error) == 0 && schema_validate(&road, error) == 0
                   ? post_data_silence(copy, error)
                   : -1;
    }
    int status = beside_open(copy, NULL, &schema.beside, error);
    if (status == 0) {
        status = make_beside(&schema, error);
    }
    if (status == 0) {
        status = renew_refused(&schema, error);
    }
    beside_close(&schema.beside);
    return status;
}

/* An applier may be at work by then. */
int copy_step_objects(Copy *copy, bool repeated, Error *error)
{
    SchemaRoad road = post_data_road(copy);
    (void)repeated;
    road.options.beside = true;
    return schema_restore_refused(&road, error) == 0 ? post_data_silence(copy, error) : -1;
}
