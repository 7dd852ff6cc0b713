/*
 * A session that makes objects on the target, and what the server says when it refuses one.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "schema.h"
#include "script.h"
#include "text.h"

typedef struct Refusal {
    char sqlstate[6]; /* "" when nothing was refused */
    Text
        words; /* of the server: message, DETAIL, HINT, CONTEXT, and the line of the statement, each in a line of its own */
} Refusal;

void refusal_free(Refusal *refusal);

typedef struct Builder {
    Database *session;
    const atomic_bool *stop; /* somebody else has failed, or NULL */
    bool saved;              /* the savepoint stands, and nothing was done behind it */
    size_t known;            /* by the session: of objects that it has made (SESSION_FULL of session.h) */
    bool hurried; /* in a transaction no lock is waited for longer than a moment: others queue up behind us */
} Builder;

/*
 * Opens a session that reads scripts in encoding as pg_restore's would. What the objects' own expressions look at
 * (TimeZone, DateStyle, …) is the database's. The caller closes builder->session.
 */
int builder_open(const SchemaRoad *road, const char *uri, const char *encoding, Builder *out,
                 Error *error) MUST_CHECK;

/*
 * Outside of a transaction: another session of builder_open's in the place of one that has made very many objects. Where none is to
 * be had, that one serves on.
 */
void builder_renew(const SchemaRoad *road, const char *uri, const char *encoding, Builder *builder);

/*
 * Runs one statement by itself, outside of a transaction, with settings before it (NULL: none), which are taken back; under
 * the database's own search_path where a name is not found without. Runs to its end, however long that takes, and waits for locks
 * for as long. A statement that the server refuses for what it says fills *refusal, whose former content is freed, and is no
 * error. An error is what stops all work: no connection, no room, a signal, a stop.
 */
int builder_run_alone(Builder *builder, const char *settings, const char *sql, Refusal *refusal,
                      Error *error) MUST_CHECK;

/* Begins a transaction, in the place of one that is open when commit is set. */
int builder_begin(Builder *builder, bool commit, Error *error) MUST_CHECK;

/*
 * Runs statements of an object, with its settings, within the transaction that builder_begin began, and which is as before when
 * it is refused. Whoever does more in the transaction clears builder->saved before the next object.
 * Where a name is not found it is tried once more under the database's own search_path: the script's is empty, and it names all
 * with its schema, but functions without a search_path of their own work for applications, whose sessions have one.
 */
int builder_make(Builder *builder, const SchemaObject *object, Refusal *refusal, Error *error) MUST_CHECK;

/*
 * The same for several objects in one way there and back: made, from the first on, up to one that is refused. *made counts
 * them; the transaction holds these and is else as before. What is left is for builder_make, which says why.
 */
int builder_make_several(Builder *builder, const SchemaObject *const *objects, size_t count, size_t *made,
                         Error *error) MUST_CHECK;
