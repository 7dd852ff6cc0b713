/*
 * Records as protobuf messages, put together by hand: the plugin needs no library for it, and works where none is installed.
 * Begin and Commit stand in every transaction, however small, and go straight to the end of the batch. The others are rare:
 * each is written into a Message first, whose size is known then. The tests hold the result against protobuf-c's generated
 * code.
 */
#include "pack.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "varint.h"
#include "wire_limits.h"

/* Kinds of Record, by their field numbers. */
enum {
    KIND_HELLO = 1,
    KIND_BEGIN,
    KIND_RELATION,
    KIND_ROWS,
    KIND_TRUNCATE,
    KIND_MESSAGE,
    KIND_HEARTBEAT,
    KIND_COMMIT,
    KIND_RECOPY
};

/* A message that grows. The first failure is kept, and what is put behind it is dropped. */
typedef struct Message {
    Buffer bytes;
    Error *error;
    bool failed;
} Message;

static uint8_t *message_room(Message *message, size_t size)
{
    message->failed = message->failed || buffer_reserve(&message->bytes, size, message->error) != 0;
    return message->failed ? NULL : message->bytes.data + message->bytes.used;
}

/* 0 is left out, as proto3 does. */
static void put_number(Message *message, unsigned field, uint64_t value)
{
    uint8_t *at = message_room(message, 1 + VARINT_MAX_SIZE);
    if (at != NULL) {
        message->bytes.used = (size_t)(number_field_put(at, field, value) - message->bytes.data);
    }
}

/* A bytes field, also when it is empty: an entry of a repeated one. */
static void put_entry(Message *message, unsigned field, const void *data, size_t size)
{
    uint8_t *at = message_room(message, bytes_field_size(size));
    if (at != NULL) {
        at = bytes_field_head(at, field, size);
        at = size > 0 ? mempcpy(at, data, size) : at;
        message->bytes.used = (size_t)(at - message->bytes.data);
    }
}

static void put_bytes(Message *message, unsigned field, Bytes bytes)
{
    if (bytes.size > 0) {
        put_entry(message, field, bytes.data, bytes.size);
    }
}

/* Makes room for a record whose message has size bytes, and puts the heads before it. */
static uint8_t *record_head(Buffer *batch, unsigned kind, size_t size, Error *error)
{
    size_t record = bytes_field_size(size);
    if (buffer_reserve(batch, bytes_field_size(record), error) != 0) {
        return NULL;
    }
    return bytes_field_head(bytes_field_head(batch->data + batch->used, 1, record), kind, size);
}

/* Puts the message at the end of the batch, and gives its memory back. */
static int append(Buffer *batch, unsigned kind, Message *message, Error *error)
{
    size_t size = message->bytes.used;
    size_t total = bytes_field_size(bytes_field_size(size));
    int status = message->failed ? -1 : 0;
    if (status == 0 && (total > MAX_BATCH_SIZE || batch->used > MAX_BATCH_SIZE - total)) {
        status = error_set(error, ERROR_LIMIT, "a record of %zu bytes is too much for one frame", total);
    }
    uint8_t *at = status == 0 ? record_head(batch, kind, size, error) : NULL;
    if (at != NULL) {
        at = size > 0 ? mempcpy(at, message->bytes.data, size) : at;
        batch->used = (size_t)(at - batch->data);
    }
    buffer_free(&message->bytes);
    return at != NULL ? 0 : -1;
}

int pack_hello(Buffer *batch, const HelloRecord *record, Error *error)
{
    Message hello = {.error = error};
    if (record->option_count > MAX_OPTIONS) {
        return error_set(error, ERROR_LIMIT, "%u options are more than the %d that hello can name",
                         record->option_count, MAX_OPTIONS);
    }
    put_bytes(&hello, 1, record->plugin_version);
    put_number(&hello, 2, record->wire_version);
    put_number(&hello, 3, record->server_version);
    put_bytes(&hello, 4, record->encoding);
    for (uint32_t i = 0; i < record->option_count; i++) {
        put_entry(&hello, 5, record->options[i].data, record->options[i].size);
    }
    return append(batch, KIND_HELLO, &hello, error);
}

int pack_begin(Buffer *batch, const BeginRecord *record, const TransactionPlace *last, Error *error)
{
    uint64_t lsn_step = record->commit_lsn - last->lsn;
    uint64_t time_step = zigzag((int64_t)((uint64_t)record->commit_time - (uint64_t)last->time));
    uint64_t xid_step = zigzag((int32_t)(record->xid - last->xid));
    size_t origin = record->origin.size;
    size_t size = number_field_size(lsn_step) + number_field_size(time_step) + number_field_size(xid_step) +
                  (origin > 0 ? bytes_field_size(origin) : 0);
    uint8_t *at = record_head(batch, KIND_BEGIN, size, error);
    if (at == NULL) {
        return -1;
    }
    at = number_field_put(at, 1, lsn_step);
    at = number_field_put(at, 2, time_step);
    at = number_field_put(at, 3, xid_step);
    if (origin > 0) {
        at = bytes_field_head(at, 4, origin);
        at = mempcpy(at, record->origin.data, origin);
    }
    batch->used = (size_t)(at - batch->data);
    return 0;
}

/* last: the number of the column before, or 0. */
static void put_column(Message *relation, const RelationColumnRecord *record, uint32_t last)
{
    Message column = {.error = relation->error, .failed = relation->failed};
    put_bytes(&column, 1, record->name);
    put_number(&column, 2, record->type);
    put_number(&column, 3, record->base_type);
    put_bytes(&column, 4, record->type_schema);
    put_bytes(&column, 5, record->type_name);
    put_number(&column, 6, (uint32_t)zigzag(record->typmod));
    put_number(&column, 7, record->key);
    put_number(&column, 8, record->format);
    put_number(&column, 9, record->number - last - 1);
    relation->failed = column.failed;
    put_entry(relation, 5, column.bytes.data, column.bytes.used);
    buffer_free(&column.bytes);
}

/* What the fingerprint is of: the definition without id and fingerprint. */
static void put_definition(Message *relation, const RelationRecord *record)
{
    put_bytes(relation, 2, record->schema);
    put_bytes(relation, 3, record->name);
    put_number(relation, 4, record->identity);
    for (uint32_t i = 0; i < record->column_count; i++) {
        put_column(relation, &record->columns[i], i > 0 ? record->columns[i - 1].number : 0);
    }
}

/* XXH3 of the definition; 0 means "none" and is never given. */
static uint64_t fingerprint(const Message *definition)
{
    uint64_t hash = XXH3_64bits(definition->bytes.data, definition->bytes.used);
    return hash + (hash == 0);
}

int pack_relation(Buffer *batch, const RelationRecord *record, Error *error)
{
    Message definition = {.error = error}, relation = {.error = error};
    put_definition(&definition, record);
    put_number(&relation, 1, record->id);
    relation.failed = relation.failed || definition.failed;
    uint8_t *at = message_room(&relation, definition.bytes.used + FIXED64_FIELD_SIZE);
    if (at != NULL) {
        at = mempcpy(at, definition.bytes.data, definition.bytes.used);
        at = fixed64_field_put(at, 6, fingerprint(&definition));
        relation.bytes.used = (size_t)(at - relation.bytes.data);
    }
    buffer_free(&definition.bytes);
    return append(batch, KIND_RELATION, &relation, error);
}

/* A packed field: one length for all numbers. */
static void put_relations(Message *truncate, const TruncateRecord *record)
{
    size_t size = 0;
    for (uint32_t i = 0; i < record->relation_count; i++) {
        size += varint_size(record->relations[i]);
    }
    uint8_t *at = record->relation_count > 0 ? message_room(truncate, bytes_field_size(size)) : NULL;
    if (at == NULL) {
        return;
    }
    at = bytes_field_head(at, 2, size);
    for (uint32_t i = 0; i < record->relation_count; i++) {
        at = varint_put(at, record->relations[i]);
    }
    truncate->bytes.used = (size_t)(at - truncate->bytes.data);
}

int pack_truncate(Buffer *batch, const TruncateRecord *record, Error *error)
{
    Message truncate = {.error = error};
    put_number(&truncate, 1, record->sequence);
    put_relations(&truncate, record);
    put_number(&truncate, 3, record->cascade);
    put_number(&truncate, 4, record->restart_identity);
    return append(batch, KIND_TRUNCATE, &truncate, error);
}

int pack_message(Buffer *batch, const MessageRecord *record, Error *error)
{
    Message message = {.error = error};
    put_number(&message, 1, record->sequence);
    put_number(&message, 2, record->transactional);
    put_number(&message, 3, record->lsn);
    put_bytes(&message, 4, record->prefix);
    put_bytes(&message, 5, record->content);
    return append(batch, KIND_MESSAGE, &message, error);
}

int pack_recopy(Buffer *batch, const RecopyRecord *record, Error *error)
{
    Message recopy = {.error = error};
    put_number(&recopy, 1, record->sequence);
    put_number(&recopy, 2, record->relation);
    put_number(&recopy, 3, record->lsn);
    put_bytes(&recopy, 4, record->reason);
    return append(batch, KIND_RECOPY, &recopy, error);
}

int pack_heartbeat(Buffer *batch, const HeartbeatRecord *record, Error *error)
{
    Message heartbeat = {.error = error};
    put_number(&heartbeat, 1, record->lsn);
    put_number(&heartbeat, 2, zigzag(record->time));
    return append(batch, KIND_HEARTBEAT, &heartbeat, error);
}

int pack_commit(Buffer *batch, const CommitRecord *record, Error *error)
{
    uint64_t size = record->end_lsn - record->commit_lsn;
    uint8_t *at = record_head(batch, KIND_COMMIT,
                              number_field_size(size) + number_field_size(record->change_count) + 5, error);
    if (at == NULL) {
        return -1;
    }
    at = number_field_put(at, 1, size);
    at = number_field_put(at, 2, record->change_count);
    at = fixed32_field_put(at, 3, record->checksum);
    batch->used = (size_t)(at - batch->data);
    return 0;
}
