/*
 * penstock.schema_object on the target: what of the schema is to be made, was made, or was refused.
 *
 * A dump numbers objects anew each time; across dumps an object is known by its OIDs at the source, its kind and its name.
 * Statements that may hold a password (user mappings, foreign servers) are not kept.
 *
 * Functions that write take a session in whose transaction they do so, and which has the encoding of the script.
 */
#pragma once

#include "build.h"

/* How an object's turn ended, or how far it is. */
typedef enum ObjectState {
    OBJECT_WAITING,
    OBJECT_BUILDING,  /* an index is built beside the stream; or was, by a run that died */
    OBJECT_NOT_VALID, /* a constraint is there, and is to be validated */
    OBJECT_MADE,
    OBJECT_REFUSED,
    OBJECT_LEFT_OUT,
} ObjectState;

typedef struct PlannedObject {
    SchemaObject object; /* sql may be NULL: then it is in the state */
    ObjectState state;   /* when it was loaded */
    bool post_data;
    int number;  /* in the state, within its section: the order of the script */
    int *tables; /* dump_ids of the tables that making it locks */
    size_t table_count;
    bool
        small; /* these are all small ones, or there are none: it is made in a moment; told by objects_load alone */
} PlannedObject;

typedef struct ObjectList {
    PGresult *rows; /* what the strings lie in */
    PlannedObject *objects;
    size_t count;
} ObjectList;

void object_list_free(ObjectList *list);

/* What one object of a list owns. */
void planned_free(PlannedObject *planned);

/* "FK CONSTRAINT public.child child_p_fkey", behind what is in out. */
void object_describe(const SchemaObject *object, Text *out);

/* Whether one of the patterns fits the object. */
bool object_fits(const SchemaObject *object, const SchemaPatterns *patterns);

/* All of post as waiting in place of what is there. pre: where the tables are that its objects need. */
int objects_plan(Database *session, const char *migration, const SchemaScript *pre, const SchemaScript *post,
                 Error *error) MUST_CHECK;

/* Those of pre-data that have a reason to be left out (SchemaObject.left), as left out. */
int objects_left(Database *session, const char *migration, const SchemaScript *pre, Error *error) MUST_CHECK;

/*
 * count objects of pre-data from the one with this number on were made, but for those that have a row already, and those
 * for which only, by number, is false; NULL for all.
 */
int objects_made(Database *session, const char *migration, const SchemaScript *pre, const bool *only,
                 size_t number, size_t count, Error *error) MUST_CHECK;

/* Writes how it ended; refusal may be NULL. The row is made if it is not there. */
int objects_write(Database *session, const char *migration, const PlannedObject *planned, ObjectState state,
                  const Refusal *refusal, Error *error) MUST_CHECK;

/* Forgets one object. */
int objects_drop(Database *session, const char *migration, const PlannedObject *planned,
                 Error *error) MUST_CHECK;

/* Forgets what was written of a section. */
int objects_forget(Database *session, const char *migration, bool post_data, Error *error) MUST_CHECK;

/*
 * Objects of a section in one of these states, those of an index in between among those that wait, in order, without statements.
 * The caller frees *out.
 */
int objects_load(Database *session, const char *migration, bool post_data, ObjectState state, ObjectList *out,
                 Error *error) MUST_CHECK;

/*
 * Takes an index that is not unique, of a table that is copied (alone: and of which no other is being built), and needs
 * nothing that is still to be made: *out has it, or is empty. It counts as being built from then on, which the caller's
 * transaction decides. The caller frees *out.
 */
int objects_take_index(Database *session, const char *migration, bool alone, ObjectList *out,
                       Error *error) MUST_CHECK;

/* The statements of some of one section, read back into sql, which has a place for each; the caller frees these. */
int objects_statements(Database *session, const char *migration, const PlannedObject *const *planned,
                       size_t count, char **sql, Error *error) MUST_CHECK;

/* Some of one section, which have rows, are made. */
int objects_write_made(Database *session, const char *migration, const PlannedObject *const *planned,
                       size_t count, Error *error) MUST_CHECK;

/* Finds the objects of a script across dumps. Borrows the script; the caller frees it with object_index_free. */
typedef struct ObjectIndex {
    const SchemaObject **sorted;
    size_t count;
} ObjectIndex;

void object_index_new(const SchemaScript *script, ObjectIndex *out);
void object_index_free(ObjectIndex *index);

/* The same object in the script, or NULL. */
const SchemaObject *object_index_find(const ObjectIndex *index, const SchemaObject *object);
