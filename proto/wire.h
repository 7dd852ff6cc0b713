/*
 * The vocabulary that both directions of the wire share. proto/penstock.proto says what each thing means;
 * these are its C names, so that nobody but this folder sees the generated code.
 *
 * Everything in proto/ works on bytes in memory: no I/O, no PostgreSQL headers, no threads. It is linked into
 * the plugin, the applier, the unit tests and the fuzzers.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "bytes.h"
#include "lsn.h"

#define WIRE_VERSION 2

typedef enum WireCodec { WIRE_CODEC_NONE = 0, WIRE_CODEC_ZSTD = 1 } WireCodec;

typedef enum ReplicaIdentity {
    IDENTITY_NOTHING = 0,
    IDENTITY_DEFAULT = 1,
    IDENTITY_INDEX = 2,
    IDENTITY_FULL = 3,
} ReplicaIdentity;

typedef enum ValueFormat { FORMAT_TEXT = 0, FORMAT_BINARY = 1 } ValueFormat;

typedef enum ChangeKind { CHANGE_INSERT = 0, CHANGE_UPDATE = 1, CHANGE_DELETE = 2 } ChangeKind;

typedef enum OldRow { OLD_NONE = 0, OLD_KEY = 1, OLD_FULL = 2 } OldRow;

typedef enum CellState { CELL_VALUE = 0, CELL_NULL = 1, CELL_UNCHANGED = 2, CELL_ABSENT = 3 } CellState;

/* Which of the two images of a row. */
typedef enum RowSide { SIDE_NEW = 0, SIDE_OLD = 1 } RowSide;

/* Where a connection stands, for whoever writes or reads it. writer.c and transaction.c say which records may come there. */
typedef enum StreamState {
    STREAM_NONE,   /* nowhere */
    STREAM_START,  /* before Hello */
    STREAM_IDLE,   /* between transactions */
    STREAM_OPEN,   /* Begin was there, Commit was not */
    STREAM_BROKEN, /* behind a failure: nothing may come */
} StreamState;

typedef struct HelloRecord {
    Bytes plugin_version;
    uint32_t wire_version;
    uint32_t server_version;
    Bytes encoding;
    uint32_t option_count;
    const Bytes *options; /* each "name=value" */
} HelloRecord;

/* LSN, time and xid as they are; on the wire they are steps from the transaction before. */
typedef struct BeginRecord {
    Lsn commit_lsn;
    int64_t commit_time;
    uint32_t xid;
    Bytes origin;
} BeginRecord;

/*
 * Columns ascend by number. A column that was dropped and added again under its name has another number, and a table that
 * was dropped and made anew under its name another id; a renamed one keeps it.
 */
typedef struct RelationColumnRecord {
    uint32_t number; /* of the attribute at the source, from 1; on the wire the gap to the column before */
    Bytes name;
    uint32_t type;
    uint32_t base_type;
    Bytes type_schema;
    Bytes type_name;
    int32_t typmod;
    bool key;
    ValueFormat format;
} RelationColumnRecord;

typedef struct RelationRecord {
    uint32_t id; /* the table's OID at the source */
    Bytes schema;
    Bytes name;
    ReplicaIdentity identity;
    uint32_t column_count;
    const RelationColumnRecord *columns;
    uint64_t fingerprint; /* 0 when writing: the writer computes it */
} RelationRecord;

typedef struct TruncateRecord {
    uint64_t sequence;
    uint32_t relation_count;
    const uint32_t *relations;
    bool cascade;
    bool restart_identity;
} TruncateRecord;

typedef struct MessageRecord {
    uint64_t sequence;
    bool transactional;
    Lsn lsn;
    Bytes prefix;
    Bytes content;
} MessageRecord;

typedef struct RecopyRecord {
    uint64_t sequence;
    uint32_t relation;
    Lsn lsn;
    Bytes reason;
} RecopyRecord;

typedef struct HeartbeatRecord {
    Lsn lsn;
    int64_t time;
} HeartbeatRecord;

typedef struct CommitRecord {
    Lsn commit_lsn;
    Lsn end_lsn;
    int64_t commit_time;
    uint64_t change_count;
    uint32_t checksum;
} CommitRecord;
