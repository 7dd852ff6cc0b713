/*
 * Four ways to the target and back, however many objects: their statements, BEGIN, the statements together, how they ended with
 * COMMIT behind it.
 */
#include "handful.h"

#include <stdlib.h>

#include "make.h"

bool handful_fits(const SchemaRoad *road, const PlannedObject *planned)
{
    return planned->small && planned->state == OBJECT_WAITING && planned->post_data &&
           planned->object.sql == NULL && !road->options.beside && road->enter == NULL &&
           object_is_plain(road, &planned->object);
}

static int make_and_note(const SchemaRoad *road, Builder *builder, const Handful *handful, size_t count,
                         const SchemaObject *const *objects, size_t *made, Error *error)
{
    if (builder_begin(builder, false, error) != 0 ||
        builder_make_several(builder, objects, count, made, error) != 0 ||
        (*made > 0 &&
         objects_write_made(builder->session, road->migration, handful->objects, *made, error) != 0)) {
        return -1;
    }
    return database_execute(builder->session, error, "COMMIT", 0);
}

static int make(const SchemaRoad *road, Builder *builder, const Handful *handful, size_t count, size_t *made,
                Error *error)
{
    SchemaObject objects[HANDFUL];
    const SchemaObject *list[HANDFUL];
    char *sql[HANDFUL] = {0};
    int status = objects_statements(builder->session, road->migration, handful->objects, count, sql, error);
    for (size_t i = 0; i < count; i++) {
        objects[i] = handful->objects[i]->object;
        objects[i].sql = sql[i];
        list[i] = &objects[i];
    }
    if (status == 0) {
        status = make_and_note(road, builder, handful, count, list, made, error);
    }
    for (size_t i = 0; i < count; i++) {
        free(sql[i]);
    }
    return status;
}

/* No room, say: that is waited for with one object at a time. Nothing of the transaction stays. */
static int let_go(Builder *builder, size_t *made, Error *error)
{
    PGconn *connection = database_connection(builder->session);
    *made = 0;
    if (PQstatus(connection) != CONNECTION_OK || error->code == ERROR_INTERRUPTED) {
        return -1;
    }
    *error = (Error){0};
    return PQtransactionStatus(connection) == PQTRANS_IDLE
               ? 0
               : database_execute(builder->session, error, "ROLLBACK", 0);
}

int handful_make(const SchemaRoad *road, Builder *builder, const Handful *handful, size_t *made, Error *error)
{
    size_t count = 0;
    *made = 0;
    while (count < handful->count && handful_fits(road, handful->objects[count])) {
        count++;
    }
    return count > 1 && make(road, builder, handful, count, made, error) != 0 ? let_go(builder, made, error)
                                                                              : 0;
}
