/*
 * A statement's name is known to us when it is queued, but to the server only once its Parse went through: behind an error
 * the server skips everything up to the next Sync. So a statement is confirmed by the result of its Parse, and after a
 * failure those not confirmed are forgotten. (PREPARE is not undone by a ROLLBACK: commands/prepare.c, all majors.)
 *
 * The table is in the order of use, because an entry that is used moves to its end (uthash keeps the order in which entries
 * were added); the oldest are found at its head.
 */
#include "statement_cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define MAX_COLUMNS 1664
#define MAX_KEY (2 + 2 * (MAX_COLUMNS / 64 + 1))
#define REMEMBERED 2 /* times the number of names */

typedef struct Entry {
    UT_hash_handle hh;
    char name[24]; /* "" while it has none */
    bool confirmed;
    uint64_t used; /* the last of the uses that was its own */
    size_t key_size;
    uint64_t key[]; /* relation, kind, columns */
} Entry;

struct StatementCache {
    Entry *entries; /* the least recently used first */
    Entry *
        last; /* what was used last, if nothing else came since: without a name it is the unnamed statement */
    size_t limit;
    size_t named;
    uint64_t names; /* given so far */
    uint64_t uses;  /* changes from one statement to another */
};

StatementCache *cache_new(size_t named)
{
    StatementCache *cache = calloc(1, sizeof *cache);
    if (cache == NULL) {
        abort();
    }
    cache->limit = named;
    return cache;
}

static void forget(StatementCache *cache, Entry *entry)
{
    HASH_DEL(cache->entries, entry);
    cache->last = cache->last == entry ? NULL : cache->last;
    cache->named -= entry->name[0] != '\0';
    free(entry);
}

void cache_free(StatementCache *cache)
{
    if (cache == NULL) {
        return;
    }
    while (cache->entries != NULL) {
        forget(cache, cache->entries);
    }
    free(cache);
}

static size_t make_key(const ApplyRelation *relation, const Shape *shape, uint64_t *key)
{
    size_t words = column_words(relation->source->column_count);
    key[0] = relation->serial;
    key[1] = (uint64_t)shape->kind << 2 | (uint64_t)shape->by_key << 1 | shape->single;
    memcpy(key + 2, shape->set, words * sizeof *key);
    memcpy(key + 2 + words, shape->find, words * sizeof *key);
    return (2 + 2 * words) * sizeof *key;
}

static Entry *remember(StatementCache *cache, const uint64_t *key, size_t key_size)
{
    Entry *entry = calloc(1, sizeof *entry + key_size);
    if (entry == NULL) {
        abort();
    }
    memcpy(entry->key, key, key_size);
    entry->key_size = key_size;
    HASH_ADD_KEYPTR(hh, cache->entries, entry->key, key_size, entry);
    return entry;
}

static void move_to_end(StatementCache *cache, Entry *entry)
{
    if (entry->hh.next != NULL) {
        HASH_DEL(cache->entries, entry);
        HASH_ADD_KEYPTR(hh, cache->entries, entry->key, entry->key_size, entry);
    }
}

/*
 * A name pays where the statement comes again before the limit would have closed it. In a longer round each would be prepared
 * at its second use and closed before its third, which costs more than to go without.
 */
static bool came_soon(const StatementCache *cache, uint64_t before)
{
    return cache->uses - before < cache->limit;
}

CachedStatement cache_use(StatementCache *cache, const ApplyRelation *relation, const Shape *shape)
{
    uint64_t key[MAX_KEY];
    size_t key_size = make_key(relation, shape, key);
    Entry *entry;
    HASH_FIND(hh, cache->entries, key, key_size, entry);
    if (entry != NULL && entry == cache->last) {
        return (CachedStatement){.name = entry->name, .again = true};
    }
    bool known = entry != NULL;
    entry = known ? entry : remember(cache, key, key_size);
    bool soon = known && came_soon(cache, entry->used);
    bool fresh = entry->name[0] == '\0';
    entry->used = ++cache->uses;
    cache->last = entry;
    move_to_end(cache, entry);
    if (fresh && !soon) {
        return (CachedStatement){.name = "", .fresh = true};
    }
    if (fresh) {
        snprintf(entry->name, sizeof entry->name, "p%llu", (unsigned long long)++cache->names);
        cache->named++;
    }
    return (CachedStatement){.name = entry->name, .fresh = fresh, .confirmed = &entry->confirmed};
}

void cache_interrupt(StatementCache *cache)
{
    cache->last = NULL;
}

void cache_end_round(StatementCache *cache, void (*close)(void *context, const char *name), void *context)
{
    size_t keep = cache->named > cache->limit ? cache->limit - cache->limit / 4 : cache->limit;
    Entry *entry, *next;
    HASH_ITER(hh, cache->entries, entry, next)
    {
        bool many = HASH_COUNT(cache->entries) > cache->limit * REMEMBERED;
        if (cache->named <= keep && !many) {
            return;
        }
        bool named = entry->name[0] != '\0';
        if (named) {
            close(context, entry->name);
        }
        if (named || many) {
            forget(cache, entry);
        }
    }
}

void cache_forget_unconfirmed(StatementCache *cache)
{
    Entry *entry, *next;
    cache->last = NULL;
    HASH_ITER(hh, cache->entries, entry, next)
    {
        if (entry->name[0] != '\0' && !entry->confirmed) {
            forget(cache, entry);
        }
    }
}

size_t cache_named(const StatementCache *cache)
{
    return cache->named;
}
