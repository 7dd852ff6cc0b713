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
#include "order.h"

/* deadlock_detected and lock_not_available: with the applier, or with somebody who looks at the target. */
#define TRIES 5

ObjectState object_choice(const SchemaRoad *road, const SchemaObject *object, Text *statements)
{
    if (object->left != NULL || object_fits(object, &road->options.leave_out)) {
        return OBJECT_LEFT_OUT;
    }
    bool constraint =
        strcmp(object->kind, "FK CONSTRAINT") == 0 || strcmp(object->kind, "CHECK CONSTRAINT") == 0;
    const char *end = object->sql != NULL ? strrchr(object->sql, ';') : NULL;
    if (constraint && end != NULL &&
        (object->not_valid != NULL || object_fits(object, &road->options.not_valid))) {
        static const char already[] = " NOT VALID";
        size_t size = (size_t)(end - object->sql);
        text_append_bytes(statements, object->sql, size);
        if (size < sizeof already - 1 ||
            strncmp(end - (sizeof already - 1), already, sizeof already - 1) != 0) {
            text_append(statements, already);
        }
        text_append(statements, ";");
    }
    return OBJECT_WAITING;
}

typedef struct Site {
    const SchemaRoad *road;
    const char *encoding;
    const ObjectList *list;
    Order *order;
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

static bool worth_another_try(const Refusal *refusal)
{
    return strcmp(refusal->sqlstate, "40P01") == 0 || strcmp(refusal->sqlstate, "55P03") == 0;
}

static int make_within(Mason *mason, const PlannedObject *planned, const SchemaObject *object, bool not_valid,
                       Refusal *refusal, Error *error)
{
    const char *migration = mason->site->road->migration;
    Database *session = mason->builder.session;
    for (int tries = 1;; tries++) {
        if (builder_begin(&mason->builder, false, error) != 0 ||
            builder_make(&mason->builder, object, refusal, error) != 0) {
            return -1;
        }
        if (tries == TRIES || !worth_another_try(refusal)) {
            break;
        }
        if (database_execute(session, error, "ROLLBACK", 0) != 0) {
            return -1;
        }
    }
    bool made = refusal->sqlstate[0] == '\0';
    if (made && not_valid) {
        text_append(&refusal->words, "NOT VALID");
    }
    if (objects_write(session, migration, planned, made ? OBJECT_MADE : OBJECT_REFUSED, refusal, error) !=
        0) {
        return -1;
    }
    return database_execute(session, error, "COMMIT", 0);
}

static int make_chosen(Mason *mason, const PlannedObject *planned, SchemaObject *object, Error *error)
{
    const SchemaRoad *road = mason->site->road;
    Text statements = {0};
    Refusal refusal = {0};
    int status;
    if (object_choice(road, object, &statements) == OBJECT_LEFT_OUT) {
        status =
            objects_write(mason->builder.session, road->migration, planned, OBJECT_LEFT_OUT, NULL, error);
    } else {
        object->sql = statements.data != NULL ? statements.data : object->sql;
        status = make_within(mason, planned, object, statements.data != NULL, &refusal, error);
    }
    if (status == 0 && refusal.sqlstate[0] != '\0') {
        tell_refused(road, object, &refusal);
    }
    text_free(&statements);
    refusal_free(&refusal);
    return status;
}

static int make_one(Mason *mason, const PlannedObject *planned, Error *error)
{
    SchemaObject object = planned->object;
    char *sql = NULL;
    doing(mason, &object);
    if (object.sql == NULL) {
        if (objects_statements(mason->builder.session, mason->site->road->migration, planned, &sql, error) !=
            0) {
            return -1;
        }
        object.sql = sql;
    }
    int status = make_chosen(mason, planned, &object, error);
    free(sql);
    if (status != 0) {
        Text name = {0};
        object_describe(&planned->object, &name);
        error_context(error, "making %s", name.data);
        text_free(&name);
    }
    return status;
}

/* The next item, or ORDER_END; waits while there is none. A stop wakes nobody up, so waits are short. */
static long next(Site *site, const atomic_bool *stop)
{
    long item;
    pthread_mutex_lock(&site->mutex);
    while ((item = order_next(site->order)) == ORDER_WAIT && !atomic_load(stop)) {
        struct timespec until = clock_after_ms(250);
        pthread_cond_timedwait(&site->changed, &site->mutex, &until);
    }
    pthread_mutex_unlock(&site->mutex);
    return item;
}

static int work(Mason *mason, Error *error)
{
    Site *site = mason->site;
    while (!atomic_load(mason->member->stop)) {
        long item = next(site, mason->member->stop);
        if (item < 0) {
            return 0;
        }
        int status = make_one(mason, &site->list->objects[item], error);
        pthread_mutex_lock(&site->mutex);
        order_done(site->order, item);
        pthread_cond_broadcast(&site->changed);
        pthread_mutex_unlock(&site->mutex);
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
    mason.builder.stop = member->stop;
    if (status == 0) {
        status = work(&mason, error);
    }
    doing(&mason, NULL);
    database_close(mason.builder.session);
    return status;
}

static Order *order_of(const ObjectList *list, OrderItem **items)
{
    *items = calloc(list->count + 1, sizeof **items);
    if (*items == NULL) {
        abort();
    }
    for (size_t i = 0; i < list->count; i++) {
        const PlannedObject *planned = &list->objects[i];
        (*items)[i] = (OrderItem){.dump_id = planned->object.dump_id,
                                  .kind = planned->object.kind,
                                  .needs = planned->object.needs,
                                  .need_count = planned->object.need_count,
                                  .tables = planned->tables,
                                  .table_count = planned->table_count};
    }
    return order_new(*items, list->count);
}

static void idle(void *context)
{
    const SchemaRoad *road = ((Site *)context)->road;
    if (road->idle != NULL) {
        road->idle(road->context);
    }
}

int make_in_parallel(const SchemaRoad *road, const char *encoding, const ObjectList *list, Error *error)
{
    Site site = {.road = road, .encoding = encoding, .list = list};
    OrderItem *items;
    if (list->count == 0) {
        return 0;
    }
    site.order = order_of(list, &items);
    pthread_mutex_init(&site.mutex, NULL);
    clock_condition(&site.changed);
    int jobs = list->count < (size_t)road->jobs ? (int)list->count : road->jobs;
    int status = crew_run(jobs, run_mason, idle, &site, &site.stop, error);
    pthread_cond_destroy(&site.changed);
    pthread_mutex_destroy(&site.mutex);
    order_free(site.order);
    free(items);
    return status;
}
