/*
 * The sessions share an order (order.h) under a mutex. An object's transaction holds what it makes and its row in the state:
 * killed at any moment, it is either both or neither.
 */
#include "make.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "crew.h"
#include "handful.h"
#include "order.h"
#include "present.h"
#include "room.h"
#include "statement.h"

/* After a deadlock with the applier, say; and for a lock of somebody's who looks at the target, a moment each. */
#define TRIES 5
#define LOCK_TRIES 100
#define LOCK_PAUSE_MS 500

typedef struct Site {
    const SchemaRoad *road;
    const char *encoding;
    const ObjectList *list;
    Order *order;
    size_t together; /* most objects of one transaction: so few that there is work for all sessions */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    atomic_bool stop;
} Site;

typedef struct Mason {
    Site *site;
    const CrewMember *member;
    Builder builder;
} Mason;

static void doing(const Mason *mason, const SchemaObject *object)
{
    const SchemaRoad *road = mason->site->road;
    Text name = {0};
    if (road->doing == NULL) {
        return;
    }
    if (object != NULL) {
        object_describe(object, &name);
    }
    road->doing(road->context, mason->member->number, name.data);
    text_free(&name);
}

static void tell_refused(const SchemaRoad *road, const SchemaObject *object, const Refusal *refusal)
{
    Text name = {0};
    if (road->refused != NULL) {
        object_describe(object, &name);
        road->refused(road->context, name.data, refusal->words.data != NULL ? refusal->words.data : "");
        text_free(&name);
    }
}

/* Whether it is to be tried once more; waits where that takes patience. */
static bool try_again(const Mason *mason, const Refusal *refusal, int tries)
{
    if (strcmp(refusal->sqlstate, "55P03") == 0 && tries < LOCK_TRIES && !atomic_load(mason->member->stop)) {
        clock_pause_ms(LOCK_PAUSE_MS);
        return true;
    }
    return strcmp(refusal->sqlstate, "40P01") == 0 && tries < TRIES;
}

static bool taken_name(const Refusal *refusal)
{
    return strcmp(refusal->sqlstate, "42P07") == 0 || strcmp(refusal->sqlstate, "42710") == 0;
}

/* Writes how it ended, and ends the transaction. What somebody has made by hand, just as it is at the source, counts as made. */
static int end_turn(Mason *mason, const PlannedObject *planned, const SchemaObject *object, ObjectState state,
                    Refusal *refusal, Error *error)
{
    const char *migration = mason->site->road->migration;
    Database *session = mason->builder.session;
    if (taken_name(refusal)) {
        bool same = false;
        if (present_same(session, object, &same, error) != 0) {
            return -1;
        }
        if (same) {
            refusal_free(refusal);
        }
    }
    if (objects_write(session, migration, planned, refusal->sqlstate[0] == '\0' ? state : OBJECT_REFUSED,
                      refusal, error) != 0) {
        return -1;
    }
    return PQtransactionStatus(database_connection(session)) == PQTRANS_IDLE
               ? 0
               : database_execute(session, error, "COMMIT", 0);
}

/*
 * Once, within a transaction of its own. patient: what the statement locks is in nobody's way, neither when it has it nor while it
 * waits for it.
 */
static int make_once(Mason *mason, const SchemaObject *object, bool patient, Refusal *refusal, Error *error)
{
    mason->builder.hurried = mason->site->road->options.beside && !patient;
    return builder_begin(&mason->builder, false, error) == 0
               ? builder_make(&mason->builder, object, refusal, error)
               : -1;
}

/* The same, and once more where that helps. */
static int make_within(Mason *mason, const SchemaObject *object, bool patient, Refusal *refusal, Error *error)
{
    int status = make_once(mason, object, patient, refusal, error);
    for (int tries = 1; status == 0 && try_again(mason, refusal, tries); tries++) {
        status = database_execute(mason->builder.session, error, "ROLLBACK", 0);
        status = status == 0 ? make_once(mason, object, patient, refusal, error) : -1;
    }
    return status;
}

static int enter(const Mason *mason, bool whole, Error *error)
{
    const SchemaRoad *road = mason->site->road;
    return road->enter == NULL
               ? 0
               : road->enter(road->context, mason->member->number,
                             PQbackendPID(database_connection(mason->builder.session)), whole, error);
}

static void leave(const Mason *mason)
{
    const SchemaRoad *road = mason->site->road;
    if (road->leave != NULL) {
        road->leave(road->context, mason->member->number);
    }
}

/* --- beside the stream --- */

static int drop_broken(Mason *mason, const SchemaObject *object, const char *index, Presence *presence,
                       Error *error)
{
    Database *session = mason->builder.session;
    Text sql = {0};
    if (present_index(session, object, index, presence, error) != 0) {
        return -1;
    }
    if (*presence != PRESENT_BROKEN) {
        return 0;
    }
    char *schema = database_quote(object->schema), *name = database_quote(index);
    text_printf(&sql, "DROP INDEX CONCURRENTLY %s.%s", schema, name);
    int status = database_execute(session, error, sql.data, 0);
    free(schema);
    free(name);
    text_free(&sql);
    *presence = PRESENT_NOT;
    return status;
}

/* What a run that died has left of it is finished, or begun again. */
static int build(Mason *mason, const PlannedObject *planned, const SchemaObject *object,
                 const StatementPair *pair, Refusal *refusal, Error *error)
{
    Presence presence = PRESENT_NOT;
    if (planned->state == OBJECT_BUILDING &&
        drop_broken(mason, object, pair->index.data, &presence, error) != 0) {
        return -1;
    }
    for (int tries = 1; presence != PRESENT_WHOLE; tries++) {
        if (builder_run_alone(&mason->builder, pair->settings.data, pair->build.data, refusal, error) != 0) {
            return -1;
        }
        if (refusal->sqlstate[0] == '\0') {
            return 0;
        }
        /* The name was free, or else taken by something that is not broken off: what is broken is ours. */
        if (!taken_name(refusal) && drop_broken(mason, object, pair->index.data, &presence, error) != 0) {
            return -1;
        }
        if (!try_again(mason, refusal, tries)) {
            return 0;
        }
    }
    return 0;
}

/* The index by itself, then in a transaction what makes it what it is to be. */
static int build_and_attach(Mason *mason, const PlannedObject *planned, const SchemaObject *object,
                            const StatementPair *pair, Refusal *refusal, Error *error)
{
    if (objects_write(mason->builder.session, mason->site->road->migration, planned, OBJECT_BUILDING, NULL,
                      error) != 0 ||
        build(mason, planned, object, pair, refusal, error) != 0) {
        return -1;
    }
    if (refusal->sqlstate[0] == '\0' && pair->rest.size > 0) {
        SchemaObject rest = *object;
        rest.sql = pair->rest.data;
        rest.tablespace = rest.access_method = NULL;
        return make_within(mason, &rest, false, refusal, error);
    }
    return 0;
}

/* An index of a table that the stream writes to, where the server can build it meanwhile. */
static int fits_beside(Mason *mason, const SchemaObject *object, const StatementPair *pair, bool *fits,
                       Error *error)
{
    return database_found(
        mason->builder.session, fits, error,
        "SELECT 1 FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass($1) AND relkind = 'r'"
        "   AND pg_catalog.strpos($2, '?') = 0",
        2, pair->relation.data, object->name);
}

static int make_beside(Mason *mason, const PlannedObject *planned, const SchemaObject *object, bool *done,
                       Refusal *refusal, Error *error)
{
    StatementPair pair = {0};
    bool index = strcmp(object->kind, "INDEX") == 0 || strcmp(object->kind, "CONSTRAINT") == 0;
    int status = 0;
    *done = index && statement_pair(object->sql, &pair);
    if (*done) {
        status = fits_beside(mason, object, &pair, done, error);
    }
    if (status == 0 && *done) {
        status = build_and_attach(mason, planned, object, &pair, refusal, error);
    }
    statement_pair_free(&pair);
    return status;
}

/* --- */

static bool looks_at_several(const SchemaObject *object)
{
    return (strcmp(object->kind, "FK CONSTRAINT") == 0 && strstr(object->sql, " NOT VALID;") == NULL) ||
           strcmp(object->kind, "MATERIALIZED VIEW DATA") == 0;
}

/* As the object is at the source. A foreign key that could not be made NOT VALID has the stream stand still until it is made. */
static int make_plain(Mason *mason, const SchemaObject *object, Refusal *refusal, Error *error)
{
    bool point = looks_at_several(object);
    if (point && enter(mason, strcmp(object->kind, "FK CONSTRAINT") == 0, error) != 0) {
        return -1;
    }
    int status =
        make_within(mason, object, strcmp(object->kind, "MATERIALIZED VIEW DATA") == 0, refusal, error);
    if (point) {
        leave(mason);
    }
    return status;
}

static int make_somehow(Mason *mason, const PlannedObject *planned, SchemaObject *object, ObjectState *state,
                        Refusal *refusal, Error *error)
{
    const SchemaOptions *options = &mason->site->road->options;
    Text statements = {0};
    bool done = false;
    int status = 0;
    if ((options->beside || planned->state == OBJECT_BUILDING) && object->sql != NULL) {
        status = make_beside(mason, planned, object, &done, refusal, error);
    }
    if (status == 0 && !done) {
        SchemaObject made = *object;
        if (options->beside && statement_not_valid(object->sql, &statements)) {
            made.sql = statements.data;
            *state = OBJECT_NOT_VALID;
            status = make_within(mason, &made, false, refusal, error);
        } else {
            status = make_plain(mason, &made, refusal, error);
        }
    }
    text_free(&statements);
    return status;
}

static int make_chosen(Mason *mason, const PlannedObject *planned, SchemaObject *object, Error *error)
{
    const SchemaRoad *road = mason->site->road;
    Text statements = {0};
    Refusal refusal = {0};
    ObjectState state = OBJECT_MADE;
    int status;
    if (object_choice(road, object, &statements) == OBJECT_LEFT_OUT) {
        status =
            objects_write(mason->builder.session, road->migration, planned, OBJECT_LEFT_OUT, NULL, error);
    } else {
        object->sql = statements.data != NULL ? statements.data : object->sql;
        status = make_somehow(mason, planned, object, &state, &refusal, error);
        if (status == 0 && statements.data != NULL && refusal.sqlstate[0] == '\0') {
            text_append(&refusal.words, "NOT VALID"); /* as it was chosen */
        }
        if (status == 0) {
            status = end_turn(mason, planned, object, state, &refusal, error);
        }
    }
    if (status == 0 && refusal.sqlstate[0] != '\0') {
        tell_refused(road, object, &refusal);
    }
    text_free(&statements);
    refusal_free(&refusal);
    return status;
}

/*
 * A check looks at its own table, as a rule: nothing has to be held for it. A foreign key has the stream at one point when it takes
 * its snapshot. And should that not do, once more: where the stream can be held, at one point for as long as it takes. Where it
 * cannot, some more times: a row may have come before the one that it points to.
 */
static int try_to_validate(Mason *mason, const SchemaObject *object, Refusal *refusal, Error *error)
{
    bool holds = mason->site->road->enter != NULL, foreign = strcmp(object->kind, "FK CONSTRAINT") == 0;
    int most = holds ? 2 : TRIES, status = 0;
    for (int tries = 0, locks = 1;
         status == 0 && (tries == 0 || refusal->sqlstate[0] != '\0') && tries < most;) {
        bool point = foreign || tries > 0;
        if (PQtransactionStatus(database_connection(mason->builder.session)) != PQTRANS_IDLE) {
            status = database_execute(mason->builder.session, error, "ROLLBACK", 0);
        }
        if (tries > 0 && !holds) {
            clock_pause_ms(LOCK_PAUSE_MS);
        }
        if (status == 0 && point) {
            status = enter(mason, tries > 0, error);
        }
        if (status == 0) {
            status = make_once(mason, object, !point, refusal, error);
        }
        if (point) {
            leave(mason);
        }
        /* Whoever has the table locked is waited for outside, where the stream goes on. */
        bool locked =
            status == 0 && strcmp(refusal->sqlstate, "55P03") == 0 && try_again(mason, refusal, locks);
        *(locked ? &locks : &tries) += 1;
    }
    return status;
}

static int validate(Mason *mason, const PlannedObject *planned, SchemaObject *object, Error *error)
{
    const SchemaRoad *road = mason->site->road;
    Text statement = {0};
    Refusal refusal = {0};
    int status = 0;
    if (!statement_validate(object->sql, &statement)) {
        return error_set(error, ERROR_STATE,
                         "it was added NOT VALID, and its statement is none that adds a constraint");
    }
    SchemaObject made = *object;
    made.sql = statement.data;
    status = try_to_validate(mason, &made, &refusal, error);
    if (status == 0) {
        bool valid = refusal.sqlstate[0] == '\0';
        status = objects_write(mason->builder.session, road->migration, planned,
                               valid ? OBJECT_MADE : OBJECT_NOT_VALID, &refusal, error);
    }
    if (status == 0) {
        status = database_execute(mason->builder.session, error, "COMMIT", 0);
    }
    if (status == 0 && refusal.sqlstate[0] != '\0') {
        tell_refused(road, object, &refusal);
    }
    text_free(&statement);
    refusal_free(&refusal);
    return status;
}

static int make_now(Mason *mason, const PlannedObject *planned, Error *error)
{
    SchemaObject object = planned->object;
    char *sql = NULL;
    doing(mason, &object);
    if (object.sql == NULL) {
        if (objects_statements(mason->builder.session, mason->site->road->migration, &planned, 1, &sql,
                               error) != 0) {
            return -1;
        }
        object.sql = sql;
    }
    int status = planned->state == OBJECT_NOT_VALID ? validate(mason, planned, &object, error)
                                                    : make_chosen(mason, planned, &object, error);
    free(sql);
    if (status != 0) {
        Text name = {0};
        object_describe(&planned->object, &name);
        error_context(error, "making %s", name.data);
        text_free(&name);
    }
    return status;
}

static void tell_no_room(const Mason *mason, const PlannedObject *planned, const Error *error)
{
    const SchemaRoad *road = mason->site->road;
    Text name = {0};
    object_describe(&planned->object, &name);
    road->no_room(road->context, mason->member->number, name.data, error->message);
    text_free(&name);
}

/* A disk that is full at the last of all indexes ends the copy as little as one that is full at the first row. */
static int make_one(Mason *mason, const PlannedObject *planned, Error *error)
{
    const SchemaRoad *road = mason->site->road;
    PlannedObject again = *planned;
    int status = make_now(mason, planned, error);
    for (int tries = 0; status != 0 && road->no_room != NULL && room_lacks(mason->builder.session, error);
         tries++) {
        tell_no_room(mason, planned, error);
        const RoomWait how = {.stop = mason->member->stop};
        if (room_wait(mason->builder.session, &how, tries, error) != 0) {
            return -1;
        }
        /* What is built concurrently leaves a broken index behind. */
        if (road->options.beside && planned->state == OBJECT_WAITING) {
            again.state = OBJECT_BUILDING;
        }
        status = make_now(mason, &again, error);
    }
    return status;
}

int make_single(const SchemaRoad *road, Database *session, int job, const atomic_bool *stop,
                const PlannedObject *planned, Error *error)
{
    Site site = {.road = road};
    const CrewMember member = {.number = job, .stop = stop};
    Mason mason = {.site = &site, .member = &member, .builder = {.session = session, .stop = stop}};
    int status = make_one(&mason, planned, error);
    doing(&mason, NULL);
    return status;
}

/* Adds the item, and says whether another may come. */
static bool take(const Site *site, Handful *handful, long item)
{
    const PlannedObject *planned = &site->list->objects[item];
    handful->items[handful->count] = item;
    handful->objects[handful->count++] = planned;
    return handful->count < site->together && handful_fits(site->road, planned);
}

/* Empty at the end; waits while there is none. A stop wakes nobody up, so waits are short. */
static void next(Site *site, const atomic_bool *stop, Handful *out)
{
    long item;
    out->count = 0;
    pthread_mutex_lock(&site->mutex);
    while ((item = order_next(site->order)) == ORDER_WAIT && !atomic_load(stop)) {
        struct timespec until = clock_after_ms(250);
        pthread_cond_timedwait(&site->changed, &site->mutex, &until);
    }
    while (item >= 0 && take(site, out, item)) {
        item = order_next_beside(site->order, out->items, out->count);
    }
    pthread_mutex_unlock(&site->mutex);
}

static int make_handful(Mason *mason, const Handful *handful, Error *error)
{
    size_t made = 0;
    doing(mason, &handful->objects[0]->object);
    if (handful_make(mason->site->road, &mason->builder, handful, &made, error) != 0) {
        return -1;
    }
    for (size_t i = made; i < handful->count; i++) {
        if (make_one(mason, handful->objects[i], error) != 0) {
            return -1;
        }
    }
    return 0;
}

static void done(Site *site, const Handful *handful)
{
    pthread_mutex_lock(&site->mutex);
    for (size_t i = 0; i < handful->count; i++) {
        order_done(site->order, handful->items[i]);
    }
    pthread_cond_broadcast(&site->changed);
    pthread_mutex_unlock(&site->mutex);
}

static int work(Mason *mason, Error *error)
{
    Site *site = mason->site;
    while (!atomic_load(mason->member->stop)) {
        Handful handful;
        next(site, mason->member->stop, &handful);
        if (handful.count == 0) {
            return 0;
        }
        builder_renew(site->road, site->road->target_uri, site->encoding, &mason->builder);
        int status = make_handful(mason, &handful, error);
        done(site, &handful);
        if (status != 0) {
            return -1;
        }
    }
    return 0;
}

static int run_mason(const CrewMember *member, Error *error)
{
    Mason mason = {.site = member->context, .member = member, .builder = {.stop = member->stop}};
    const Site *site = mason.site;
    int status = builder_open(site->road, site->road->target_uri, site->encoding, &mason.builder, error);
    if (status == 0) {
        status = work(&mason, error);
    }
    doing(&mason, NULL);
    database_close(mason.builder.session);
    return status;
}

/* Two that are built concurrently on one table would wait for each other. */
static const char *kind_of_turn(const SchemaRoad *road, const PlannedObject *planned)
{
    return road->options.beside && strcmp(planned->object.kind, "INDEX") == 0 ? "INDEX CONCURRENTLY"
                                                                              : planned->object.kind;
}

static Order *order_of(const SchemaRoad *road, const ObjectList *list, OrderItem **items)
{
    *items = calloc(list->count + 1, sizeof **items);
    if (*items == NULL) {
        abort();
    }
    for (size_t i = 0; i < list->count; i++) {
        const PlannedObject *planned = &list->objects[i];
        (*items)[i] = (OrderItem){.dump_id = planned->object.dump_id,
                                  .kind = kind_of_turn(road, planned),
                                  .needs = planned->object.needs,
                                  .need_count = planned->object.need_count,
                                  .tables = planned->tables,
                                  .table_count = planned->table_count};
    }
    return order_new(*items, list->count);
}

static int idle(void *context, Error *error)
{
    const SchemaRoad *road = ((Site *)context)->road;
    (void)error;
    if (road->idle != NULL) {
        road->idle(road->context);
    }
    return 0;
}

int make_in_parallel(const SchemaRoad *road, const char *encoding, const ObjectList *list, Error *error)
{
    Site site = {.road = road, .encoding = encoding, .list = list};
    OrderItem *items;
    if (list->count == 0) {
        return 0;
    }
    site.order = order_of(road, list, &items);
    pthread_mutex_init(&site.mutex, NULL);
    clock_condition(&site.changed);
    int jobs = list->count < (size_t)road->jobs ? (int)list->count : road->jobs;
    site.together = list->count / (size_t)(2 * jobs);
    site.together = site.together > HANDFUL ? HANDFUL : site.together;
    int status = crew_run(jobs, run_mason, idle, &site, &site.stop, error);
    pthread_cond_destroy(&site.changed);
    pthread_mutex_destroy(&site.mutex);
    order_free(site.order);
    free(items);
    return status;
}
