/*
 * The objects of a script, sorted by what they are known by across dumps.
 */
#include <stdlib.h>

#include "objects.h"

/* Names are kept with a ? for bytes that the server could not read: so they are compared. */
static int compare_text(const char *a, const char *b)
{
    for (;; a++, b++) {
        unsigned char left = (unsigned char)*a, right = (unsigned char)*b;
        left = left >= 0x80 ? '?' : left;
        right = right >= 0x80 ? '?' : right;
        if (left != right || left == '\0') {
            return (left > right) - (left < right);
        }
    }
}

static int compare_objects(const SchemaObject *a, const SchemaObject *b)
{
    if (a->class_id != b->class_id) {
        return a->class_id > b->class_id ? 1 : -1;
    }
    if (a->object_id != b->object_id) {
        return a->object_id > b->object_id ? 1 : -1;
    }
    int kind = compare_text(a->kind, b->kind);
    int schema = kind == 0 ? compare_text(a->schema, b->schema) : kind;
    return schema == 0 ? compare_text(a->name, b->name) : schema;
}

static int compare_entries(const void *a, const void *b)
{
    return compare_objects(*(const SchemaObject *const *)a, *(const SchemaObject *const *)b);
}

void object_index_new(const SchemaScript *script, ObjectIndex *out)
{
    out->count = script->count;
    out->sorted = calloc(script->count + 1, sizeof *out->sorted);
    if (out->sorted == NULL) {
        abort();
    }
    for (size_t i = 0; i < script->count; i++) {
        out->sorted[i] = &script->objects[i];
    }
    qsort(out->sorted, out->count, sizeof *out->sorted, compare_entries);
}

void object_index_free(ObjectIndex *index)
{
    free(index->sorted);
    *index = (ObjectIndex){0};
}

const SchemaObject *object_index_find(const ObjectIndex *index, const SchemaObject *object)
{
    const SchemaObject *const *found =
        bsearch(&object, index->sorted, index->count, sizeof *index->sorted, compare_entries);
    return found != NULL ? *found : NULL;
}
