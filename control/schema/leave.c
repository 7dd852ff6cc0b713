/*
 * Needs come before those who need them, in pre-data and then in post-data, so one walk in order marks all. Reasons are texts
 * of the scripts'.
 */
#include "leave.h"

#include <stdlib.h>
#include <string.h>

#include "objects.h"
#include "text.h"

#define CLASS_RELATION 1259
#define CLASS_CONSTRAINT 2606

/* Foreign keys to tables of which rows stay behind, in whole or in a partition: OID, why, whether they can be NOT VALID. */
static const char keys_sql[] = "WITH RECURSIVE lacking AS (SELECT c.oid FROM pg_class c WHERE NOT " IS_MOVED(
    "c.oid") " UNION SELECT i.inhparent FROM pg_inherits i JOIN lacking l ON l.oid = i.inhrelid)"
             " SELECT k.oid, format('points to %s.%s, of which rows stay behind', n.nspname, f.relname), "
             "c.relkind <> 'p'"
             "  FROM pg_constraint k JOIN lacking l ON l.oid = k.confrelid JOIN pg_class c ON c.oid = "
             "k.conrelid"
             "  JOIN pg_class f ON f.oid = k.confrelid JOIN pg_namespace n ON n.oid = f.relnamespace"
             " WHERE k.contype = 'f' AND " IS_MOVED("k.conrelid") " ORDER BY k.oid";

typedef struct Marking {
    const LeftBehind *left;
    const PGresult *keys;
    const SchemaObject **by_id;  /* of those that are left out */
    const SchemaObject **owners; /* by a sequence that is made: the table that owns it, and is not */
    int limit;
} Marking;

static int most_id(const SchemaScript *script, int most)
{
    for (size_t i = 0; i < script->count; i++) {
        most = script->objects[i].dump_id > most ? script->objects[i].dump_id : most;
    }
    return most;
}

static bool is(const SchemaObject *object, const char *kind)
{
    return strcmp(object->kind, kind) == 0;
}

/* The relation that the object is, or whose contents it is (in an entry for those only the OID is the relation's). */
static const LeftRelation *relation_of(const Marking *marking, const SchemaObject *object)
{
    bool contents = is(object, "MATERIALIZED VIEW DATA");
    if (object->class_id != CLASS_RELATION && !contents) {
        return NULL;
    }
    const LeftRelation *relation = left_behind_at(marking->left, object->object_id);
    bool fits = relation != NULL && (relation->extent == LEFT_ALL || contents) &&
                (contents || strchr("rpvmfS", relation->kind) != NULL);
    return fits ? relation : NULL;
}

static const SchemaObject *missing_need(const Marking *marking, const SchemaObject *const *by_id,
                                        const SchemaObject *object)
{
    for (size_t i = 0; i < object->need_count; i++) {
        int need = object->needs[i];
        if (need >= 0 && need <= marking->limit && by_id[need] != NULL) {
            return by_id[need];
        }
    }
    return NULL;
}

static char *need_text(const SchemaObject *need)
{
    Text text = {0};
    text_append(&text, "needs ");
    object_describe(need, &text);
    text_append(&text, ", which is left out");
    return text.data;
}

/* Of a foreign key: what is to be done with it for what it points to. */
static void mark_key(const Marking *marking, SchemaObject *object)
{
    int low = 0, high = PQntuples(marking->keys);
    if (object->class_id != CLASS_CONSTRAINT || object->left != NULL) {
        return;
    }
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (strtoul(PQgetvalue(marking->keys, middle, 0), NULL, 10) < object->object_id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low < PQntuples(marking->keys) &&
        strtoul(PQgetvalue(marking->keys, low, 0), NULL, 10) == object->object_id) {
        bool possible = PQgetvalue(marking->keys, low, 2)[0] == 't';
        *(possible ? &object->not_valid : &object->left) = text_copy(PQgetvalue(marking->keys, low, 1));
    }
}

/* A table without which rows that are moved have no place. */
static int refuse_needed(const SchemaObject *object, const SchemaObject *need, Error *error)
{
    error_set(error, ERROR_SOURCE, "table %s.%s is to be moved, and cannot be made without %s %s.%s",
              object->schema, object->name, need->kind, need->schema, need->name);
    return error_hint(error,
                      "That one stays behind, or needs what does (%s): move it, too, or leave the "
                      "table behind.",
                      need->left);
}

static int mark(Marking *marking, SchemaObject *object, Error *error)
{
    const LeftRelation *relation = relation_of(marking, object);
    const SchemaObject *need = missing_need(marking, marking->by_id, object);
    /* A sequence is said to need the table that owns it, but is told so later. */
    if (is(object, "SEQUENCE")) {
        marking->owners[object->dump_id] = need;
        need = NULL;
    } else if (is(object, "SEQUENCE OWNED BY") && need == NULL) {
        need = missing_need(marking, marking->owners, object);
    }
    if (relation != NULL) {
        object->left = text_copy(relation->reason);
    } else if (need != NULL && is(object, "TABLE")) {
        return refuse_needed(object, need, error);
    } else if (need != NULL) {
        object->left = need_text(need);
    }
    mark_key(marking, object);
    if (object->left != NULL && object->dump_id >= 0) {
        marking->by_id[object->dump_id] = object;
    }
    return 0;
}

static int mark_all(Marking *marking, SchemaScript *script, Error *error)
{
    for (size_t i = 0; i < script->count; i++) {
        if (mark(marking, &script->objects[i], error) != 0) {
            return -1;
        }
    }
    return 0;
}

int leave_mark(Database *source, const LeftBehind *left, SchemaScript *pre, SchemaScript *post, Error *error)
{
    PGresult *keys = NULL;
    if (left == NULL || left->count == 0) {
        return 0;
    }
    if (database_query(source, &keys, error, keys_sql, 0) != 0) {
        return error_context(error, "looking for foreign keys to what stays behind");
    }
    Marking marking = {.left = left, .keys = keys, .limit = most_id(post, most_id(pre, 0))};
    marking.by_id = calloc((size_t)marking.limit + 1, sizeof *marking.by_id);
    marking.owners = calloc((size_t)marking.limit + 1, sizeof *marking.owners);
    if (marking.by_id == NULL || marking.owners == NULL) {
        abort();
    }
    int status = mark_all(&marking, pre, error) == 0 ? mark_all(&marking, post, error) : -1;
    free(marking.by_id);
    free(marking.owners);
    PQclear(keys);
    return status;
}
