/*
 * Each message is described by a table and decoded by message_decode; what is put together by hand are the
 * lists within them, and what a table cannot say: which fields must not be empty.
 */
#include "records.h"

#include "fields.h"
#include "varint.h"
#include "wire_limits.h"

typedef struct HelloMessage {
    HelloRecord record;
    BytesList options;
} HelloMessage;

static const FieldSpec hello_fields[] = {
    {"plugin_version", FIELD_BYTES, 0, offsetof(HelloMessage, record.plugin_version)},
    {"wire_version", FIELD_U32, UINT32_MAX, offsetof(HelloMessage, record.wire_version)},
    {"server_version", FIELD_U32, UINT32_MAX, offsetof(HelloMessage, record.server_version)},
    {"encoding", FIELD_BYTES, 0, offsetof(HelloMessage, record.encoding)},
    {"options", FIELD_LIST, MAX_OPTIONS, offsetof(HelloMessage, options)},
};
static const MessageSpec hello_spec = MESSAGE_SPEC("Hello", HelloMessage, hello_fields);

static const FieldSpec begin_fields[] = {
    {"lsn_step", FIELD_U64, 0, offsetof(BeginRecord, commit_lsn)},
    {"time_step", FIELD_S64, 0, offsetof(BeginRecord, commit_time)},
    {"xid_step", FIELD_S32, 0, offsetof(BeginRecord, xid)},
    {"origin", FIELD_BYTES, 0, offsetof(BeginRecord, origin)},
};
static const MessageSpec begin_spec = MESSAGE_SPEC("Begin", BeginRecord, begin_fields);

typedef struct RelationMessage {
    RelationRecord record;
    BytesList columns;
} RelationMessage;

static const FieldSpec relation_fields[] = {
    {"id", FIELD_U32, UINT32_MAX, offsetof(RelationMessage, record.id)},
    {"schema", FIELD_BYTES, 0, offsetof(RelationMessage, record.schema)},
    {"name", FIELD_BYTES, 0, offsetof(RelationMessage, record.name)},
    {"replica_identity", FIELD_U32, IDENTITY_FULL, offsetof(RelationMessage, record.identity)},
    {"columns", FIELD_LIST, MAX_COLUMNS, offsetof(RelationMessage, columns)},
    {"fingerprint", FIELD_FIXED64, 0, offsetof(RelationMessage, record.fingerprint)},
};
static const MessageSpec relation_spec = MESSAGE_SPEC("Relation", RelationMessage, relation_fields);

static const FieldSpec relation_column_fields[] = {
    {"name", FIELD_BYTES, 0, offsetof(RelationColumnRecord, name)},
    {"type", FIELD_U32, UINT32_MAX, offsetof(RelationColumnRecord, type)},
    {"base_type", FIELD_U32, UINT32_MAX, offsetof(RelationColumnRecord, base_type)},
    {"type_schema", FIELD_BYTES, 0, offsetof(RelationColumnRecord, type_schema)},
    {"type_name", FIELD_BYTES, 0, offsetof(RelationColumnRecord, type_name)},
    {"typmod", FIELD_S32, 0, offsetof(RelationColumnRecord, typmod)},
    {"key", FIELD_BOOL, 0, offsetof(RelationColumnRecord, key)},
    {"format", FIELD_U32, FORMAT_BINARY, offsetof(RelationColumnRecord, format)},
    {"gap", FIELD_U32, MAX_COLUMNS, offsetof(RelationColumnRecord, number)},
};
static const MessageSpec relation_column_spec =
    MESSAGE_SPEC("RelationColumn", RelationColumnRecord, relation_column_fields);

typedef struct TruncateMessage {
    TruncateRecord record;
    Bytes relations; /* packed varints */
} TruncateMessage;

static const FieldSpec truncate_fields[] = {
    {"sequence", FIELD_U64, 0, offsetof(TruncateMessage, record.sequence)},
    {"relations", FIELD_BYTES, 0, offsetof(TruncateMessage, relations)},
    {"cascade", FIELD_BOOL, 0, offsetof(TruncateMessage, record.cascade)},
    {"restart_identity", FIELD_BOOL, 0, offsetof(TruncateMessage, record.restart_identity)},
};
static const MessageSpec truncate_spec = MESSAGE_SPEC("Truncate", TruncateMessage, truncate_fields);

static const FieldSpec message_fields[] = {
    {"sequence", FIELD_U64, 0, offsetof(MessageRecord, sequence)},
    {"transactional", FIELD_BOOL, 0, offsetof(MessageRecord, transactional)},
    {"lsn", FIELD_U64, 0, offsetof(MessageRecord, lsn)},
    {"prefix", FIELD_BYTES, 0, offsetof(MessageRecord, prefix)},
    {"content", FIELD_BYTES, 0, offsetof(MessageRecord, content)},
};
static const MessageSpec message_spec = MESSAGE_SPEC("Message", MessageRecord, message_fields);

static const FieldSpec recopy_fields[] = {
    {"sequence", FIELD_U64, 0, offsetof(RecopyRecord, sequence)},
    {"relation", FIELD_U32, UINT32_MAX, offsetof(RecopyRecord, relation)},
    {"lsn", FIELD_U64, 0, offsetof(RecopyRecord, lsn)},
    {"reason", FIELD_BYTES, 0, offsetof(RecopyRecord, reason)},
};
static const MessageSpec recopy_spec = MESSAGE_SPEC("Recopy", RecopyRecord, recopy_fields);

static const FieldSpec heartbeat_fields[] = {
    {"lsn", FIELD_U64, 0, offsetof(HeartbeatRecord, lsn)},
    {"time", FIELD_S64, 0, offsetof(HeartbeatRecord, time)},
};
static const MessageSpec heartbeat_spec = MESSAGE_SPEC("Heartbeat", HeartbeatRecord, heartbeat_fields);

static const FieldSpec commit_fields[] = {
    {"size", FIELD_U64, 0, offsetof(CommitRecord, end_lsn)},
    {"change_count", FIELD_U64, 0, offsetof(CommitRecord, change_count)},
    {"checksum", FIELD_FIXED32, 0, offsetof(CommitRecord, checksum)},
};
static const MessageSpec commit_spec = MESSAGE_SPEC("Commit", CommitRecord, commit_fields);

static int decode_hello(Cursor body, Arena *arena, HelloRecord *record, Error *error)
{
    HelloMessage message;
    if (message_decode(&hello_spec, body, arena, &message, error) != 0) {
        return -1;
    }
    *record = message.record;
    record->option_count = message.options.count;
    record->options = message.options.items;
    return 0;
}

static int decode_relation_columns(const Cursor *body, Arena *arena, const BytesList *list,
                                   RelationRecord *record, Error *error)
{
    RelationColumnRecord *columns = message_alloc(arena, list->count * sizeof *columns, error);
    if (columns == NULL) {
        return -1;
    }
    uint32_t last = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        Cursor column = cursor_into(body, list->items[i]);
        if (message_decode(&relation_column_spec, column, arena, &columns[i], error) != 0) {
            return -1;
        }
        if (columns[i].name.size == 0) {
            return cursor_error(&column, error, "column %u of relation %u has no name", i + 1, record->id);
        }
        last = columns[i].number += last + 1;
        if (last > MAX_COLUMNS) {
            return cursor_error(&column, error, "column %u of relation %u has the number %u, more than %d",
                                i + 1, record->id, last, MAX_COLUMNS);
        }
    }
    record->column_count = list->count;
    record->columns = columns;
    return 0;
}

static int decode_relation(Cursor body, Arena *arena, RelationRecord *record, Error *error)
{
    RelationMessage message;
    if (message_decode(&relation_spec, body, arena, &message, error) != 0) {
        return -1;
    }
    *record = message.record;
    if (record->schema.size == 0 || record->name.size == 0) {
        return cursor_error(&body, error, "relation %u has no name", record->id);
    }
    if (record->fingerprint == 0) {
        return cursor_error(&body, error, "relation %u has no fingerprint", record->id);
    }
    return decode_relation_columns(&body, arena, &message.columns, record, error);
}

static int decode_truncate(Cursor body, Arena *arena, TruncateRecord *record, Error *error)
{
    TruncateMessage message;
    if (message_decode(&truncate_spec, body, arena, &message, error) != 0) {
        return -1;
    }
    *record = message.record;
    uint32_t *relations = message_alloc(arena, message.relations.size * sizeof *relations, error);
    if (relations == NULL) {
        return -1;
    }
    Cursor packed = cursor_into(&body, message.relations);
    while (!cursor_at_end(&packed)) {
        uint64_t id = 0;
        if (cursor_varint(&packed, &id, error) != 0) {
            return -1;
        }
        if (id > UINT32_MAX) {
            return cursor_error(&packed, error, "Truncate.relations has a number of more than 32 bits");
        }
        relations[record->relation_count++] = (uint32_t)id;
    }
    record->relations = relations;
    return record->relation_count > 0 ? 0 : cursor_error(&body, error, "Truncate.relations is empty");
}

static int decode_kind(Cursor body, Arena *arena, Arena *relations, Record *record, Error *error)
{
    switch (record->kind) {
    case RECORD_HELLO:
        record->hello = message_alloc(arena, sizeof *record->hello, error);
        return record->hello != NULL ? decode_hello(body, arena, record->hello, error) : -1;
    case RECORD_BEGIN:
        return message_decode(&begin_spec, body, arena, &record->begin, error);
    case RECORD_RELATION:
        record->relation = message_alloc(relations, sizeof *record->relation, error);
        return record->relation != NULL ? decode_relation(body, relations, record->relation, error) : -1;
    case RECORD_ROWS:
        return rows_decode(body, arena, &record->rows, error);
    case RECORD_TRUNCATE:
        return decode_truncate(body, arena, &record->truncate, error);
    case RECORD_MESSAGE:
        record->message = message_alloc(arena, sizeof *record->message, error);
        return record->message != NULL ? message_decode(&message_spec, body, arena, record->message, error)
                                       : -1;
    case RECORD_HEARTBEAT:
        return message_decode(&heartbeat_spec, body, arena, &record->heartbeat, error);
    case RECORD_COMMIT:
        return message_decode(&commit_spec, body, arena, &record->commit, error);
    case RECORD_RECOPY:
        return message_decode(&recopy_spec, body, arena, &record->recopy, error);
    }
    return -1;
}

int record_decode(Cursor body, Arena *arena, Arena *relations, Record *record, Error *error)
{
    WireField field;
    Cursor start = body;
    if (cursor_field(&body, &field, error) != 0) {
        return -1;
    }
    if (field.type != WIRE_BYTES || field.number > RECORD_RECOPY + 1) {
        return cursor_error(&start, error, "no record has field %u of wire type %u", field.number,
                            field.type);
    }
    if (!cursor_at_end(&body)) {
        return cursor_error(&body, error, "a record that is two things at once");
    }
    record->kind = (RecordKind)(field.number - 1);
    return decode_kind(cursor_into(&start, field.bytes), arena, relations, record, error);
}
