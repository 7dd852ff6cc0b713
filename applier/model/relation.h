/*
 * A relation as the source describes it, and the same with what the target's catalog says of it.
 *
 * Both are immutable once made and live until the applier ends, or has lost its lock: longer than any run of the pipeline, so
 * that batches on any thread may point to them. A changed definition makes a new object.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lsn.h"
#include "origin.h"
#include "wire.h"

typedef struct SourceColumn {
    uint32_t number; /* of the attribute at the source: dropped and added anew, a column has another */
    char *name;
    uint32_t type;
    uint32_t base_type;
    char *type_schema;
    char *type_name;
    int32_t typmod;
    bool key;
    ValueFormat format;
} SourceColumn;

typedef struct SourceRelation {
    uint32_t id; /* the table's OID at the source: dropped and made anew, a table has another */
    uint64_t fingerprint;
    char *schema;
    char *name;
    ReplicaIdentity identity;
    uint32_t column_count;
    SourceColumn *columns;
    uint32_t key_count;
    uint32_t *keys; /* column numbers of the replica identity, ascending */
} SourceRelation;

/* How the changes of a relation spread over lanes. */
typedef enum LaneClass {
    LANE_SPREAD, /* by hash of the key */
    LANE_WHOLE,  /* all in one lane, chosen by hash of the name */
} LaneClass;

/* How rows of a relation are found and reduced. */
typedef enum MatchClass {
    MATCH_KEY, /* by the replica identity's columns, all not null and with equality that means the same row */
    MATCH_ROW, /* by every column (replica identity full): row by row, one row per change */
    MATCH_NONE, /* inserts only: an update or a delete is an error */
} MatchClass;

/* Where one source column goes on the target. Same order and count as the source's columns. */
typedef struct TargetColumn {
    char *quoted;     /* "name", quoted */
    const char *cast; /* behind "::" makes a value of the column's type, without typmod: pg_catalog."int4" */
    const char *output;    /* the type's output function, qualified and quoted */
    uint32_t type;         /* OID on the target */
    bool binary;           /* values are sent in binary format, as base_type */
    uint32_t element_type; /* of the array parameter that carries it: base_type when binary, else text */
    uint32_t array_type;   /* that array's type */
    bool identity_always;  /* needs OVERRIDING SYSTEM VALUE; left out of SET */
    bool generated;        /* computed on the target: never written */
    bool raw;              /* the bytes that are sent are the binary format of its type on the target */
    bool has_equality;     /* its type has = (json, xml, point do not: compared as output writes them) */
    const char *equality;  /* that operator, by its whole name: OPERATOR("pg_catalog".=); or NULL */
} TargetColumn;

typedef struct ApplyRelation {
    const SourceRelation *source;
    char *qualified; /* "schema"."table" on the target */
    char *
        route; /* NULL, or the schema and name of a partitioned table on the target, with a dot between: rows go through
                        that, for they may belong into another leaf there, and all below it share a lane */
    TargetColumn *columns;
    LaneClass lane_class;
    char *lane_reason; /* why it is not spread, for people; NULL when it is */
    bool
        unsettled; /* another class would be right now, and is to be taken when all lanes stand at one point */
    MatchClass match;
    bool
        row_sets; /* MATCH_ROW, and the target finds a row only by reading the whole table: done once for many changes */
    bool partitioned; /* on the target: rows are not found by ctid alone */
    bool
        copyable; /* COPY in binary format means the same as INSERT: all that is written is raw, and no rule acts */
    bool overriding; /* some column is identity_always */
    uint32_t extra_count;
    char **extra; /* columns that only the target has and that can be written, quoted */
    uint32_t
        locks; /* that a transaction takes which writes to it: the table, its indexes, partitions and theirs */
    int64_t number; /* the table's own: penstock.relation.id */
    uint32_t oid;   /* on the target, of the table that is written to */
    Lsn copy_lsn; /* no row here is from a transaction that committed here or behind: its changes are applied */
    Origin *origin;  /* which of the others are in the copied rows; NULL: all of them */
    uint64_t serial; /* unique in this process: names its prepared statements */
} ApplyRelation;
