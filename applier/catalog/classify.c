/*
 * Changes may run in parallel when those that could meet in the target are sure to be in one lane. Two rows
 * can meet through the key or through another unique or exclusion constraint; so the key must be the only
 * one, and its lane is a hash of the key's bytes, so equal keys must have equal bytes. The types below are
 * those of which that is known, whatever the source's format. An enum's value is its label, an enum of the
 * target's own.
 */
#include "classify.h"

#include <stdio.h>
#include <stdlib.h>

/*
 * Each session that writes to a table keeps some 40 kB about it in its server process until it ends (relcache, plans). Where
 * there are very many tables, small ones are left to one worker each.
 */
#define SMALL_TABLE ((int64_t)64 << 20)

/* OIDs of built-in types, which are the same in every server. */
static const uint32_t bytewise_types[] = {
    16,   /* bool */
    17,   /* bytea */
    18,   /* "char" */
    19,   /* name */
    20,   /* int8 */
    21,   /* int2 */
    23,   /* int4 */
    25,   /* text */
    26,   /* oid */
    650,  /* cidr */
    774,  /* macaddr8 */
    790,  /* money */
    829,  /* macaddr */
    869,  /* inet */
    1043, /* varchar */
    1082, /* date */
    1083, /* time */
    1114, /* timestamp */
    1184, /* timestamptz */
    1560, /* bit */
    1562, /* varbit */
    2950, /* uuid */
    3220, /* pg_lsn */
};

static bool is_bytewise(uint32_t type)
{
    for (size_t i = 0; i < sizeof bytewise_types / sizeof *bytewise_types; i++) {
        if (bytewise_types[i] == type) {
            return true;
        }
    }
    return false;
}

/* Equal values of the column have equal bytes, as the source sends them and as the target compares them. */
static bool equal_means_same(const SourceColumn *source, const FoundColumn *target)
{
    if (target->nondeterministic) {
        return false;
    }
    if (target->type_kind == 'e') {
        return source->base_type >= 10000;
    }
    return is_bytewise(source->base_type) && is_bytewise(target->base_type);
}

MatchClass classify_match(const SourceRelation *source)
{
    switch (source->identity) {
    case IDENTITY_FULL:
        return MATCH_ROW;
    case IDENTITY_DEFAULT:
    case IDENTITY_INDEX:
        return source->key_count != 0 ? MATCH_KEY : MATCH_NONE;
    case IDENTITY_NOTHING:
        break;
    }
    return MATCH_NONE;
}

static char *say(const char *format, const char *name)
{
    char *text = NULL;
    return asprintf(&text, format, name) < 0 ? NULL : text;
}

char *classify_whole(const SourceRelation *source, const FoundTable *table, const FoundColumn *const *columns)
{
    switch (classify_match(source)) {
    case MATCH_ROW:
        return say("%s", "its replica identity is full");
    case MATCH_NONE:
        return say("%s", "it has no replica identity");
    case MATCH_KEY:
        break;
    }
    if (table->route_table != NULL) {
        return say("its rows go through %s, and may belong into other partitions there", table->route_table);
    }
    if (table->other_unique != NULL) {
        return say("%s is unique besides the key", table->other_unique);
    }
    if (!table->key_indexed) {
        return say("%s", "the target has no unique index on its key");
    }
    for (uint32_t i = 0; i < source->key_count; i++) {
        uint32_t key = source->keys[i];
        if (!equal_means_same(&source->columns[key], columns[key])) {
            return say("values of key column %s can be equal and differ in bytes", source->columns[key].name);
        }
    }
    if (table->among_many && table->bytes < SMALL_TABLE) {
        return say("%s",
                   "it is small, and one of very many: its worker alone keeps what the server needs for it");
    }
    return NULL;
}
