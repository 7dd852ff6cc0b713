/*
 * Two tables: one by the source relation's address, which stands for one version of its definition, for every run of rows;
 * one by schema and name, to notice that a definition replaces another.
 */
#include "catalog.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "match.h"

typedef struct NameEntry {
    UT_hash_handle hh;
    size_t size;
    char name[]; /* schema and name, each with the NUL that ends it */
} NameEntry;

typedef struct Entry {
    UT_hash_handle hh;
    const SourceRelation *source;
    CatalogState state;
    ApplyRelation *target; /* of a known one, or NULL */
    Refusal *refusal;
} Entry;

typedef struct Retired {
    struct Retired *next;
    ApplyRelation *relation;
} Retired;

struct Catalog {
    Types *types;
    Entry *entries;
    NameEntry *names;
    Retired *retired; /* replaced, or left out */
    size_t unsettled;
    uint64_t serial;
};

static void *zeroed(size_t size)
{
    void *memory = calloc(1, size);
    if (memory == NULL) {
        abort();
    }
    return memory;
}

Catalog *catalog_new(void)
{
    Catalog *catalog = zeroed(sizeof *catalog);
    catalog->types = types_new();
    return catalog;
}

static void retire(Catalog *catalog, Entry *entry)
{
    if (entry->target != NULL) {
        Retired *retired = zeroed(sizeof *retired);
        *retired = (Retired){.next = catalog->retired, .relation = entry->target};
        catalog->retired = retired;
        catalog->unsettled -= entry->target->unsettled;
        entry->target = NULL;
    }
    free(entry->refusal);
    entry->refusal = NULL;
}

static void remove_entry(Catalog *catalog, Entry *entry)
{
    retire(catalog, entry);
    HASH_DEL(catalog->entries, entry);
    free(entry);
}

static void forget_names(Catalog *catalog)
{
    while (catalog->names != NULL) {
        NameEntry *name = catalog->names;
        HASH_DEL(catalog->names, name);
        free(name);
    }
}

static void free_retired(Catalog *catalog)
{
    while (catalog->retired != NULL) {
        Retired *next = catalog->retired->next;
        match_free(catalog->retired->relation);
        free(catalog->retired);
        catalog->retired = next;
    }
}

static void forget_relations(Catalog *catalog)
{
    while (catalog->entries != NULL) {
        remove_entry(catalog, catalog->entries);
    }
    forget_names(catalog);
    free_retired(catalog);
}

void catalog_free(Catalog *catalog)
{
    if (catalog == NULL) {
        return;
    }
    forget_relations(catalog);
    types_free(catalog->types);
    free(catalog);
}

Types *catalog_types(Catalog *catalog)
{
    return catalog->types;
}

static Entry *find(const Catalog *catalog, const SourceRelation *source)
{
    Entry *entry;
    HASH_FIND_PTR(catalog->entries, &source, entry);
    return entry;
}

static size_t name_size(const SourceRelation *source)
{
    return strlen(source->schema) + 1 + strlen(source->name) + 1;
}

static void write_name(const SourceRelation *source, char *out)
{
    size_t schema = strlen(source->schema) + 1;
    memcpy(out, source->schema, schema);
    memcpy(out + schema, source->name, strlen(source->name) + 1);
}

static bool name_known(const Catalog *catalog, const SourceRelation *source)
{
    size_t size = name_size(source);
    char *name = zeroed(size);
    NameEntry *entry;
    write_name(source, name);
    HASH_FIND(hh, catalog->names, name, size, entry);
    free(name);
    return entry != NULL;
}

static void remember_name(Catalog *catalog, const SourceRelation *source)
{
    if (!name_known(catalog, source)) {
        size_t size = name_size(source);
        NameEntry *entry = zeroed(sizeof *entry + size);
        entry->size = size;
        write_name(source, entry->name);
        HASH_ADD(hh, catalog->names, name[0], size, entry);
    }
}

void catalog_begin_run(Catalog *catalog)
{
    Entry *entry, *next;
    forget_names(catalog);
    HASH_ITER(hh, catalog->entries, entry, next)
    {
        if (entry->state != CATALOG_KNOWN) {
            remove_entry(catalog, entry);
        } else {
            remember_name(catalog, entry->source);
        }
    }
}

void catalog_forget(Catalog *catalog)
{
    forget_relations(catalog);
    types_forget(catalog->types);
}

void catalog_forget_one(Catalog *catalog, const SourceRelation *source)
{
    Entry *entry = find(catalog, source);
    if (entry != NULL) {
        remove_entry(catalog, entry);
    }
}

CatalogState catalog_state(const Catalog *catalog, const SourceRelation *source)
{
    const Entry *entry = find(catalog, source);
    if (entry != NULL) {
        return entry->state;
    }
    return name_known(catalog, source) ? CATALOG_CHANGED : CATALOG_NEW;
}

bool catalog_find(const Catalog *catalog, const SourceRelation *source, const ApplyRelation **out)
{
    const Entry *entry = find(catalog, source);
    *out = entry != NULL ? entry->target : NULL;
    return entry != NULL && entry->state == CATALOG_KNOWN;
}

const Refusal *catalog_refusal(const Catalog *catalog, const SourceRelation *source)
{
    const Entry *entry = find(catalog, source);
    return entry != NULL ? entry->refusal : NULL;
}

/* The entry of source, with nothing in it. */
static Entry *renew(Catalog *catalog, const SourceRelation *source)
{
    Entry *entry = find(catalog, source);
    if (entry == NULL) {
        entry = zeroed(sizeof *entry);
        entry->source = source;
        HASH_ADD_PTR(catalog->entries, source, entry);
    }
    retire(catalog, entry);
    return entry;
}

void catalog_asked(Catalog *catalog, const SourceRelation *source)
{
    renew(catalog, source)->state = CATALOG_ASKED;
    remember_name(catalog, source);
}

void catalog_take(Catalog *catalog, Answer *answer)
{
    Entry *entry = renew(catalog, answer->source);
    remember_name(catalog, answer->source);
    entry->target = answer->relation;
    if (answer->error != NULL) {
        entry->refusal = zeroed(sizeof *entry->refusal);
        *entry->refusal =
            (Refusal){.error = *answer->error, .until = answer->copy_lsn, .replaced = answer->replaced};
    }
    entry->state = answer->unknown         ? CATALOG_UNKNOWN
                   : answer->error != NULL ? CATALOG_REFUSED
                                           : CATALOG_KNOWN;
    if (entry->target != NULL) {
        entry->target->serial = ++catalog->serial;
        catalog->unsettled += entry->target->unsettled;
    }
    answer->relation = NULL;
    free(answer->error);
    answer->error = NULL;
}

void catalog_leave_out(Catalog *catalog, const SourceRelation *source)
{
    renew(catalog, source)->state = CATALOG_KNOWN;
}

bool catalog_unsettled(const Catalog *catalog)
{
    return catalog->unsettled != 0;
}

const SourceRelation **catalog_list_unsettled(const Catalog *catalog, size_t *count)
{
    const SourceRelation **list = zeroed((catalog->unsettled + 1) * sizeof *list);
    *count = 0;
    for (const Entry *entry = catalog->entries; entry != NULL; entry = entry->hh.next) {
        if (entry->target != NULL && entry->target->unsettled) {
            list[(*count)++] = entry->source;
        }
    }
    return list;
}
