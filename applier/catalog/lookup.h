/*
 * The question to the target's catalog about a set of tables, and the answer as values.
 */
#pragma once

#include "database.h"
#include "definition.h"
#include "relation.h"
#include "types.h"

/* A column of the target's table. */
typedef struct FoundColumn {
    char *name;
    char *quoted;
    const char *cast; /* shared: of Types; so are the next two */
    const char *text_cast;
    const char *output;
    uint32_t type;
    uint32_t base_type; /* the type beneath a domain */
    int32_t typmod;     /* the column's, or the domain's; -1: none */
    char type_kind;     /* typtype of base_type */
    char identity;      /* 'a' always, 'd' by default, or 0 */
    bool takes_text;    /* its type's binary format is the text itself */
    bool generated;
    bool not_null;
    bool has_default;
    bool nondeterministic;    /* its collation takes different bytes for equal */
    const char *equality;     /* OPERATOR("schema".=), or NULL; shared: of Types */
    const char *key_equality; /* the same for a column of the key (types.h) */
} FoundColumn;

typedef struct FoundTable {
    bool exists;
    uint32_t oid;
    char kind;         /* relkind */
    bool listed;       /* in penstock.relation */
    bool of_extension; /* the extension's own matter, unless it is listed */
    bool recopy;       /* its rows are wrong until it has been copied again */
    char *copy_lsn;    /* NULL: not copied yet */
    bool copying;      /* the copy is at work: what is not copied yet will be */
    bool has_origin; /* it was copied under a snapshot that is known by what it sees, or is copied in parts */
    char *part_column; /* by which it is in parts, or NULL */
    char *
        snapshot; /* of one that was copied whole: the end and the text of what it was copied under; or NULL */
    DefinitionFound identity; /* how it stands to the one that was copied */
    char *
        route_schema; /* the table that rows go through, which all of this is about; NULL: the one asked for */
    char *route_table;
    int64_t number;   /* penstock.relation.id */
    bool among_many;  /* the migration has very many tables (LOOKUP_MANY) */
    int64_t bytes;    /* its size at the source when it was listed */
    char *lane_class; /* what an earlier run decided, or NULL; with its reason, and how rows are found */
    char *lane_reason;
    char *match_class;
    char *other_unique; /* a unique or exclusion constraint that is not implied by the key, or NULL */
    bool ruled;         /* a rule acts on INSERT, in replica role too: COPY passes by rules */
    bool
        indexed; /* a B-tree has a column of the table in front: a row need not be looked for in the whole table */
    bool key_indexed; /* a unique index has exactly the key's columns */
    uint32_t locks;   /* that a transaction takes which writes to it: partitions and indexes too */
    uint32_t column_count;
    FoundColumn *columns;
} FoundTable;

/* So many relations, and so many columns of theirs, are asked for at a time at most: it bounds what the answer takes. */
#define LOOKUP_RELATIONS 500
#define LOOKUP_COLUMNS 10000

/* From so many tables on, workers have enough to do without sharing the small ones. */
#define LOOKUP_MANY 1000

/*
 * Asks for count relations, LOOKUP_RELATIONS at most: one query, and one for their types unless these are known. Fills
 * tables, one for each; the caller clears each with lookup_clear, also after an error.
 */
int lookup_tables(Database *target, Types *types, const char *migration, const SourceRelation *const *sources,
                  size_t count, FoundTable *tables, Error *error) MUST_CHECK;
void lookup_clear(FoundTable *table);
