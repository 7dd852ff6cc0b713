/*
 * What the operator has chosen for an object, by its name.
 */
#include "make.h"
#include "statement.h"

ObjectState object_choice(const SchemaRoad *road, const SchemaObject *object, Text *statements)
{
    if (object->left != NULL || object_fits(object, &road->options.leave_out)) {
        return OBJECT_LEFT_OUT;
    }
    if (object->sql != NULL && (object->not_valid != NULL || object_fits(object, &road->options.not_valid))) {
        (void)!statement_not_valid(object->sql, statements);
    }
    return OBJECT_WAITING;
}

bool object_is_plain(const SchemaRoad *road, const SchemaObject *object)
{
    return object->left == NULL && object->not_valid == NULL &&
           !object_fits(object, &road->options.leave_out) && !object_fits(object, &road->options.not_valid);
}
