/*
 * Two tables: one by the source relation's address, for every run of rows; one by schema and name, to notice that a
 * definition replaces another. Names are joined with a dot between, quoted, so that no two tables share one.
 */
#include "targets.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "arena.h"

typedef struct TargetEntry {
    const SourceRelation *source;
    const ApplyRelation *target;
    UT_hash_handle hh;
} TargetEntry;

typedef struct NameEntry {
    char *name;
    UT_hash_handle hh;
} NameEntry;

struct Targets {
    Catalog *catalog;
    Arena *arena;
    TargetEntry *by_source;
    NameEntry *by_name;
    size_t unsettled;
};

Targets *targets_new(Catalog *catalog)
{
    Targets *targets = calloc(1, sizeof *targets);
    if (targets == NULL) {
        abort();
    }
    targets->catalog = catalog;
    targets->arena = arena_new(16 * 1024);
    return targets;
}

void targets_free(Targets *targets)
{
    if (targets == NULL) {
        return;
    }
    HASH_CLEAR(hh, targets->by_source);
    HASH_CLEAR(hh, targets->by_name);
    arena_free(targets->arena);
    free(targets);
}

bool targets_find(const Targets *targets, const SourceRelation *source, const ApplyRelation **out)
{
    TargetEntry *entry;
    HASH_FIND_PTR(targets->by_source, &source, entry);
    *out = entry != NULL ? entry->target : NULL;
    return entry != NULL;
}

/* "schema"."name" with quotes doubled, in a new string that the caller frees. */
static char *full_name(const SourceRelation *source)
{
    char *schema = database_quote(source->schema), *name = database_quote(source->name), *full = NULL;
    if (schema == NULL || name == NULL || asprintf(&full, "%s.%s", schema, name) < 0) {
        abort();
    }
    free(schema);
    free(name);
    return full;
}

static NameEntry *find_name(const Targets *targets, const char *name)
{
    NameEntry *entry;
    HASH_FIND(hh, targets->by_name, name, strlen(name), entry);
    return entry;
}

bool targets_is_changed(const Targets *targets, const SourceRelation *source)
{
    char *name = full_name(source);
    bool known = find_name(targets, name) != NULL;
    free(name);
    const ApplyRelation *ignored;
    return known && !targets_find(targets, source, &ignored);
}

int targets_resolve(Targets *targets, const SourceRelation *source, Error *error)
{
    const ApplyRelation *target;
    if (catalog_resolve(targets->catalog, source, &target, error) != 0) {
        return -1;
    }
    TargetEntry *entry = arena_zalloc(targets->arena, sizeof *entry);
    *entry = (TargetEntry){.source = source, .target = target};
    HASH_ADD_PTR(targets->by_source, source, entry);
    targets->unsettled += target != NULL && target->unsettled;
    char *name = full_name(source);
    if (find_name(targets, name) == NULL) {
        NameEntry *known = arena_zalloc(targets->arena, sizeof *known);
        known->name = arena_strndup(targets->arena, name, strlen(name));
        HASH_ADD_KEYPTR(hh, targets->by_name, known->name, strlen(known->name), known);
    }
    free(name);
    return 0;
}

void targets_leave_out(Targets *targets, const SourceRelation *source)
{
    TargetEntry *entry;
    HASH_FIND_PTR(targets->by_source, &source, entry);
    if (entry != NULL && entry->target != NULL) {
        targets->unsettled -= entry->target->unsettled;
        entry->target = NULL;
    }
}

bool targets_unsettled(const Targets *targets)
{
    return targets->unsettled != 0;
}

int targets_settle(Targets *targets, Error *error)
{
    for (TargetEntry *entry = targets->by_source; entry != NULL; entry = entry->hh.next) {
        if (entry->target != NULL && entry->target->unsettled &&
            catalog_settle(targets->catalog, entry->source, &entry->target, error) != 0) {
            return -1;
        }
    }
    targets->unsettled = 0;
    return 0;
}
