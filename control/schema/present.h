/*
 * What stands on the target under an object's name already.
 */
#pragma once

#include "objects.h"

typedef enum Presence {
    PRESENT_NOT,
    PRESENT_BROKEN, /* an index whose building was broken off */
    PRESENT_WHOLE,  /* an index */
} Presence;

/* Of the index of that name in the object's schema. */
int present_index(Database *session, const SchemaObject *object, const char *index, Presence *out,
                  Error *error) MUST_CHECK;

/*
 * After the target has refused to make the object because its name is taken: *same when what has the name says, in the server's own
 * words, what the statements say: somebody has made it by hand.
 */
int present_same(Database *session, const SchemaObject *object, bool *same, Error *error) MUST_CHECK;
