/*
 * Every object is tried within a savepoint, so that one run names all that is refused. Whether rows can be copied at all
 * decides what becomes of the transaction.
 *
 * Where several transactions are needed (each relation that is made stays locked to the end of its transaction), what an
 * earlier run made is written down and passed over. The number at which a transaction begins is not: objects come in another
 * order when the source has changed.
 */
#include "pre_data.h"

#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "make.h"

#define AT_A_TIME 500
#define TOLD_EVERY 4
#define LOCKS_EACH                                                                                           \
    6 /* of a relation that is made: its own, its row type's, TOAST table's and that one's index's, sequence's */
#define NAMED_IN_ERROR 5

typedef struct Building {
    const SchemaRoad *road;
    const char *encoding; /* of the script */
    Builder builder;
    bool in_parts;
    bool *untried; /* by number: made by an earlier run, or to be left out */
    size_t refused, fatal;
    Text fatal_words; /* of the first few */
    PGresult *earlier;
} Building;

static int fits_one_transaction(const SchemaRoad *road, const SchemaScript *pre, bool *fits, Error *error)
{
    char *locks = NULL;
    size_t relations = 0;
    for (size_t i = 0; i < pre->count; i++) {
        const char *kind = pre->objects[i].kind;
        relations += strcmp(kind, "TABLE") == 0 || strcmp(kind, "SEQUENCE") == 0 ||
                     strcmp(kind, "VIEW") == 0 || strcmp(kind, "MATERIALIZED VIEW") == 0 ||
                     strcmp(kind, "FOREIGN TABLE") == 0 || strcmp(kind, "TYPE") == 0;
    }
    int status = database_value(
        road->target, &locks, error,
        "SELECT pg_catalog.current_setting('max_locks_per_transaction')::int8"
        " OPERATOR(pg_catalog.*) (pg_catalog.current_setting('max_connections')::int8"
        " OPERATOR(pg_catalog.+) pg_catalog.current_setting('max_prepared_transactions')::int8)"
        " OPERATOR(pg_catalog./) 2",
        0);
    *fits = status == 0 && locks != NULL && relations * LOCKS_EACH < strtoull(locks, NULL, 10);
    free(locks);
    return status;
}

/* Without these no row of some table has a place. */
static bool is_needed_by_rows(const char *kind)
{
    return strcmp(kind, "TABLE") == 0 || strcmp(kind, "TABLE ATTACH") == 0 || strcmp(kind, "SEQUENCE") == 0;
}

static int note_refusal(Building *building, const PlannedObject *planned, ObjectState state,
                        const Refusal *refusal, Error *error)
{
    const SchemaRoad *road = building->road;
    const char *words = state == OBJECT_LEFT_OUT ? "left out, as --leave-out says" : refusal->words.data;
    Text name = {0};
    object_describe(&planned->object, &name);
    if (state == OBJECT_REFUSED) {
        building->refused++;
        if (road->refused != NULL) {
            road->refused(road->context, name.data, words);
        }
    }
    if (is_needed_by_rows(planned->object.kind)) {
        if (building->fatal++ < NAMED_IN_ERROR) {
            text_printf(&building->fatal_words, "%s%s: %.*s", building->fatal_words.size > 0 ? "; " : "",
                        name.data, (int)strcspn(words, "\n"), words);
        }
    }
    text_free(&name);
    building->builder.saved = false;
    return objects_write(building->builder.session, road->migration, planned, state, refusal, error);
}

static int make_object(void *context, const SchemaObject *object, size_t number, Error *error)
{
    Building *building = context;
    const PlannedObject planned = {.object = *object, .number = (int)number};
    SchemaObject chosen = *object;
    Text statements = {0};
    Refusal refusal = {0};
    ObjectState state = object_choice(building->road, object, &statements);
    int status = 0;
    if (state != OBJECT_LEFT_OUT) {
        chosen.sql = statements.data != NULL ? statements.data : object->sql;
        status = builder_make(&building->builder, &chosen, &refusal, error);
        state = refusal.sqlstate[0] != '\0' ? OBJECT_REFUSED : OBJECT_MADE;
    }
    if (status == 0 && state != OBJECT_MADE) {
        status = note_refusal(building, &planned, state, &refusal, error);
    }
    text_free(&statements);
    refusal_free(&refusal);
    return status;
}

static int commit_part(Building *building, const SchemaScript *script, size_t begin, size_t count,
                       Error *error)
{
    Database *session = building->builder.session;
    if (objects_made(session, building->road->migration, script, NULL, begin, count, error) != 0 ||
        database_execute(session, error, "COMMIT", 0) != 0) {
        return -1;
    }
    builder_renew(building->road, building->road->target_uri, building->encoding, &building->builder);
    return builder_begin(&building->builder, false, error);
}

static void tell_count(const SchemaRoad *road, size_t done, size_t of)
{
    if (road->counted != NULL) {
        road->counted(road->context, done, of);
    }
    if (road->idle != NULL) {
        road->idle(road->context);
    }
}

static bool is_to_be_made(const Building *building, const SchemaScript *script, size_t number)
{
    return (building->untried == NULL || !building->untried[number]) && script->objects[number].left == NULL;
}

static int make_all(Building *building, const SchemaScript *script, Error *error)
{
    Batch batch = {.builder = &building->builder, .make = make_object, .context = building};
    size_t begin = 0;
    for (size_t i = 0; i < script->count; i++) {
        if (i % TOLD_EVERY == 0) {
            tell_count(building->road, i - batch.count, script->count);
        }
        const SchemaObject *object = &script->objects[i];
        if (is_to_be_made(building, script, i) &&
            batch_add(&batch, object, i, !object_is_plain(building->road, object), error) != 0) {
            return -1;
        }
        if (building->in_parts && (i + 1 - begin == AT_A_TIME || i + 1 == script->count)) {
            if (batch_flush(&batch, error) != 0 ||
                commit_part(building, script, begin, i + 1 - begin, error) != 0) {
                return -1;
            }
            begin = i + 1;
        }
    }
    if (batch_flush(&batch, error) != 0) {
        return -1;
    }
    tell_count(building->road, script->count, script->count);
    return 0;
}

/* Marks in untried what an earlier run has made, and forgets what it was refused or left out. */
static int pass_over(Building *building, const SchemaScript *script, Error *error)
{
    ObjectList made = {0};
    ObjectIndex index = {0};
    const char *migration = building->road->migration;
    Database *session = building->builder.session;
    building->builder.saved = false;
    building->untried = calloc(script->count + 1, sizeof *building->untried);
    if (building->untried == NULL) {
        abort();
    }
    if (objects_load(session, migration, false, OBJECT_MADE, &made, error) != 0 ||
        objects_forget(session, migration, false, error) != 0) {
        object_list_free(&made);
        return -1;
    }
    object_index_new(script, &index);
    for (size_t i = 0; i < made.count; i++) {
        const SchemaObject *found = object_index_find(&index, &made.objects[i].object);
        if (found != NULL) {
            building->untried[found - script->objects] = true;
        }
    }
    object_index_free(&index);
    object_list_free(&made);
    return objects_made(session, migration, script, building->untried, 0, script->count, error);
}

static int refuse_fatal(const Building *building, Error *error)
{
    error_set(error, ERROR_TARGET, "the target refuses %zu object%s that rows need: %.800s", building->fatal,
              building->fatal == 1 ? "" : "s", building->fatal_words.data);
    return error_hint(
        error,
        "make the statement possible on the target, or change the object on the source, and run the command "
        "again. %s",
        building->in_parts ? "What was made stays, and is written down." : "Nothing was made.");
}

/* For whoever compares the two sides later. */
static int keep_options(const Building *building, Error *error)
{
    const SchemaOptions *options = &building->road->options;
    return database_execute(building->builder.session, error,
                            "UPDATE penstock.migration SET owners = $2, grants = $3 WHERE name = $1", 3,
                            building->road->migration, options->no_owner ? "f" : "t",
                            options->no_privileges ? "f" : "t");
}

static int make_in_transaction(Building *building, const SchemaScript *pre, const SchemaScript *post,
                               Error *error)
{
    const char *migration = building->road->migration;
    if (builder_begin(&building->builder, false, error) != 0 || pass_over(building, pre, error) != 0 ||
        objects_left(building->builder.session, migration, pre, error) != 0 ||
        make_all(building, pre, error) != 0) {
        return -1;
    }
    if (building->fatal > 0) {
        return refuse_fatal(building, error);
    }
    Database *session = building->builder.session; /* another one may have come */
    if (objects_plan(session, migration, pre, post, error) != 0 || keep_options(building, error) != 0) {
        return -1;
    }
    return database_execute(session, error, "COMMIT", 0);
}

int pre_data_make(const SchemaRoad *road, const char *encoding, const SchemaScript *pre,
                  const SchemaScript *post, Error *error)
{
    Building building = {.road = road, .encoding = encoding};
    bool fits = false;
    if (fits_one_transaction(road, pre, &fits, error) != 0 ||
        builder_open(road, road->target_uri, encoding, &building.builder, error) != 0) {
        return -1;
    }
    building.in_parts = !fits;
    int status = make_in_transaction(&building, pre, post, error);
    database_close(building.builder.session);
    text_free(&building.fatal_words);
    free(building.untried);
    return status;
}
