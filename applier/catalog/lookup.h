/*
 * The question to the target's catalog about one table, and the answer as values.
 */
#pragma once

#include "database.h"
#include "relation.h"

/* A column of the target's table. */
typedef struct FoundColumn {
    char *name;
    char *quoted;
    char *cast;
    uint32_t type;
    uint32_t base_type; /* the type beneath a domain */
    char type_kind;     /* typtype of base_type */
    char identity;      /* 'a' always, 'd' by default, or 0 */
    bool takes_text;    /* its type's binary format is the text itself */
    bool generated;
    bool not_null;
    bool has_default;
    bool nondeterministic; /* its collation takes different bytes for equal */
    char *equality;        /* OPERATOR("schema".=), or NULL */
} FoundColumn;

typedef struct FoundTable {
    bool exists;
    char kind;          /* relkind */
    bool listed;        /* in penstock.relation */
    bool of_extension;  /* the extension's own matter, unless it is listed */
    bool recopy;        /* its rows are wrong until it has been copied again */
    char *copy_lsn;     /* NULL: not copied yet */
    int64_t number;     /* penstock.relation.id */
    char *lane_class;   /* what an earlier run decided, or NULL */
    char *other_unique; /* a unique or exclusion constraint that is not implied by the key, or NULL */
    bool ruled;         /* a rule acts on INSERT, in replica role too: COPY passes by rules */
    bool key_indexed;   /* a unique index has exactly the key's columns */
    uint32_t column_count;
    FoundColumn *columns;
} FoundTable;

/* The caller frees *out with lookup_free. */
int lookup_table(Database *target, const char *migration, const SourceRelation *source, FoundTable **out,
                 Error *error) MUST_CHECK;
void lookup_free(FoundTable *table);
