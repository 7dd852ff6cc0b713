/*
 * Making the objects of a list: with one session in order, or with several at once.
 */
#pragma once

#include "objects.h"

/*
 * The object as the operator's choice wants it made: OBJECT_LEFT_OUT, or OBJECT_WAITING with a constraint's sql in
 * *statements changed to NOT VALID where that was asked for.
 */
ObjectState object_choice(const SchemaRoad *road, const SchemaObject *object, Text *statements);

/* Whether nothing is to be decided about it: it is made as its statements say. */
bool object_is_plain(const SchemaRoad *road, const SchemaObject *object);

/*
 * Makes the objects of the list with road->jobs sessions, each in a transaction of its own that also writes how it ended;
 * some that are made in a moment in one together.
 * encoding: that of the script.
 */
int make_in_parallel(const SchemaRoad *road, const char *encoding, const ObjectList *list,
                     Error *error) MUST_CHECK;

/* Makes one object with a session of the caller's (builder_open), whose number is job. */
int make_single(const SchemaRoad *road, Database *session, int job, const atomic_bool *stop,
                const PlannedObject *planned, Error *error) MUST_CHECK;
