/*
 * Where we stand, and which records may come there:
 *
 *              START    IDLE    OPEN
 *   hello      IDLE
 *   begin               OPEN
 *   relation                    OPEN
 *   rows                        OPEN
 *   truncate                    OPEN
 *   message             IDLE    OPEN              (transactional ones in OPEN alone)
 *   heartbeat           IDLE    OPEN
 *   recopy                      OPEN
 *   commit                      IDLE
 *
 * The table `next_states` is this picture; what a record must say besides is checked per kind, below it.
 */
#include "transaction.h"

#include <inttypes.h>
#include <stdlib.h>
#define HASH_NONFATAL_OOM 1
#include <uthash.h>
#include <xxhash.h>

typedef struct KnownRelation {
    uint32_t id;
    uint32_t column_count;
    UT_hash_handle hh;
} KnownRelation;

struct TransactionCheck {
    StreamState state;
    KnownRelation *relations;
    Bytes batch;        /* the frame in hand */
    size_t begun;       /* where the open transaction begins in it */
    XXH3_state_t *hash; /* of the open transaction's earlier frames */
    Lsn commit_lsn;     /* of the open transaction, or the one before */
    Lsn last_end_lsn;   /* of the transaction before */
    int64_t last_time;  /* of the open transaction, or the one before */
    uint32_t last_xid;  /* the same */
    uint64_t last_sequence;
};

static const StreamState next_states[][STREAM_OPEN + 1] = {
    [RECORD_HELLO] = {[STREAM_START] = STREAM_IDLE},
    [RECORD_BEGIN] = {[STREAM_IDLE] = STREAM_OPEN},
    [RECORD_RELATION] = {[STREAM_OPEN] = STREAM_OPEN},
    [RECORD_ROWS] = {[STREAM_OPEN] = STREAM_OPEN},
    [RECORD_TRUNCATE] = {[STREAM_OPEN] = STREAM_OPEN},
    [RECORD_MESSAGE] = {[STREAM_IDLE] = STREAM_IDLE, [STREAM_OPEN] = STREAM_OPEN},
    [RECORD_HEARTBEAT] = {[STREAM_IDLE] = STREAM_IDLE, [STREAM_OPEN] = STREAM_OPEN},
    [RECORD_COMMIT] = {[STREAM_OPEN] = STREAM_IDLE},
    [RECORD_RECOPY] = {[STREAM_OPEN] = STREAM_OPEN},
};

static const char *const record_names[] = {
    [RECORD_HELLO] = "hello",           [RECORD_BEGIN] = "begin",
    [RECORD_RELATION] = "a relation",   [RECORD_ROWS] = "rows",
    [RECORD_TRUNCATE] = "a truncate",   [RECORD_MESSAGE] = "a message",
    [RECORD_HEARTBEAT] = "a heartbeat", [RECORD_COMMIT] = "commit",
    [RECORD_RECOPY] = "a recopy",
};

static const char *const state_names[] = {
    [STREAM_START] = "before hello",
    [STREAM_IDLE] = "between transactions",
    [STREAM_OPEN] = "in a transaction",
};

TransactionCheck *transaction_check_new(void)
{
    TransactionCheck *check = calloc(1, sizeof *check);
    if (check == NULL) {
        return NULL;
    }
    check->state = STREAM_START;
    check->hash = XXH3_createState();
    if (check->hash == NULL) {
        transaction_check_free(check);
        return NULL;
    }
    return check;
}

void transaction_check_free(TransactionCheck *check)
{
    if (check == NULL) {
        return;
    }
    KnownRelation *relation, *next;
    HASH_ITER(hh, check->relations, relation, next)
    {
        HASH_DEL(check->relations, relation);
        free(relation);
    }
    XXH3_freeState(check->hash);
    free(check);
}

void transaction_check_frame(TransactionCheck *check, Bytes batch)
{
    check->batch = batch;
}

static int check_hello(const HelloRecord *hello, Error *error)
{
    if (hello->wire_version != WIRE_VERSION) {
        return error_set(error, ERROR_PROTOCOL, "hello says wire version %u in a frame of version %d",
                         hello->wire_version, WIRE_VERSION);
    }
    return 0;
}

static int check_begin(TransactionCheck *check, BeginRecord *begin, size_t offset, Error *error)
{
    char last[LSN_TEXT_SIZE];
    if (begin->commit_lsn > UINT64_MAX - check->last_end_lsn ||
        begin->commit_lsn + check->last_end_lsn == LSN_INVALID) {
        return error_set(error, ERROR_PROTOCOL,
                         "a transaction cannot be %" PRIu64 " bytes behind one that ended at %s",
                         begin->commit_lsn, lsn_format(check->last_end_lsn, last));
    }
    begin->commit_lsn += check->last_end_lsn;
    begin->commit_time = (int64_t)((uint64_t)begin->commit_time + (uint64_t)check->last_time);
    begin->xid += check->last_xid;
    check->commit_lsn = begin->commit_lsn;
    check->last_time = begin->commit_time;
    check->last_xid = begin->xid;
    check->last_sequence = 0;
    check->begun = offset;
    XXH3_64bits_reset(check->hash);
    return 0;
}

static int learn_relation(TransactionCheck *check, const RelationRecord *record, Error *error)
{
    KnownRelation *relation;
    HASH_FIND(hh, check->relations, &record->id, sizeof record->id, relation);
    if (relation == NULL) {
        relation = calloc(1, sizeof *relation);
        if (relation == NULL) {
            return error_set(error, ERROR_SYSTEM, "no memory for relation %u", record->id);
        }
        relation->id = record->id;
        HASH_ADD(hh, check->relations, id, sizeof relation->id, relation);
        if (relation->hh.tbl == NULL) { /* how uthash says that it had no memory */
            free(relation);
            return error_set(error, ERROR_SYSTEM, "no memory for relation %u", record->id);
        }
    }
    relation->column_count = record->column_count;
    return 0;
}

static const KnownRelation *find_relation(const TransactionCheck *check, uint32_t id, Error *error)
{
    KnownRelation *relation;
    HASH_FIND(hh, check->relations, &id, sizeof id, relation);
    if (relation == NULL) {
        error_set(error, ERROR_PROTOCOL, "relation %u has not been described", id);
    }
    return relation;
}

/* Changes first … first + count - 1 must follow the last one. */
static int check_sequence(TransactionCheck *check, uint64_t first, uint64_t count, Error *error)
{
    if (first != check->last_sequence + 1) {
        return error_set(error, ERROR_PROTOCOL, "change %" PRIu64 " follows change %" PRIu64, first,
                         check->last_sequence);
    }
    check->last_sequence += count;
    return 0;
}

static int check_rows(TransactionCheck *check, const RowsRecord *rows, Error *error)
{
    const KnownRelation *relation = find_relation(check, rows->relation, error);
    if (relation == NULL) {
        return -1;
    }
    if (rows->column_count != relation->column_count) {
        return error_set(error, ERROR_PROTOCOL, "relation %u: rows have %u columns, the relation %u",
                         rows->relation, rows->column_count, relation->column_count);
    }
    return check_sequence(check, rows->first_sequence, rows->count, error);
}

static int check_truncate(TransactionCheck *check, const TruncateRecord *truncate, Error *error)
{
    for (uint32_t i = 0; i < truncate->relation_count; i++) {
        if (find_relation(check, truncate->relations[i], error) == NULL) {
            return -1;
        }
    }
    return check_sequence(check, truncate->sequence, 1, error);
}

static int check_message(TransactionCheck *check, const MessageRecord *message, Error *error)
{
    if (!message->transactional) {
        return message->sequence == 0
                   ? 0
                   : error_set(error, ERROR_PROTOCOL, "a message outside transactions is numbered %" PRIu64,
                               message->sequence);
    }
    if (check->state != STREAM_OPEN) {
        return error_set(error, ERROR_PROTOCOL, "a transactional message cannot stand %s",
                         state_names[check->state]);
    }
    return check_sequence(check, message->sequence, 1, error);
}

static int check_recopy(TransactionCheck *check, const RecopyRecord *recopy, Error *error)
{
    if (find_relation(check, recopy->relation, error) == NULL) {
        return -1;
    }
    return check_sequence(check, recopy->sequence, 1, error);
}

/* Adds to the transaction's checksum what the batch has of it before byte `end`. */
static void hash_batch(TransactionCheck *check, size_t end)
{
    XXH3_64bits_update(check->hash, check->batch.data + check->begun, end - check->begun);
    check->begun = 0;
}

static int check_commit(TransactionCheck *check, CommitRecord *commit, size_t offset, Error *error)
{
    char begun[LSN_TEXT_SIZE];
    if (commit->end_lsn == 0 || commit->end_lsn > UINT64_MAX - check->commit_lsn) {
        return error_set(error, ERROR_PROTOCOL, "the commit record at %s cannot have %" PRIu64 " bytes",
                         lsn_format(check->commit_lsn, begun), commit->end_lsn);
    }
    commit->commit_lsn = check->commit_lsn;
    commit->end_lsn += check->commit_lsn;
    commit->commit_time = check->last_time;
    if (commit->change_count != check->last_sequence) {
        return error_set(error, ERROR_PROTOCOL, "commit counts %" PRIu64 " changes, %" PRIu64 " were there",
                         commit->change_count, check->last_sequence);
    }
    hash_batch(check, offset);
    uint32_t checksum = (uint32_t)XXH3_64bits_digest(check->hash);
    if (checksum != commit->checksum) {
        return error_set(error, ERROR_PROTOCOL,
                         "the transaction has checksum %08" PRIx32 ", but commit says %08" PRIx32, checksum,
                         commit->checksum);
    }
    check->last_end_lsn = commit->end_lsn;
    return 0;
}

static int check_contents(TransactionCheck *check, Record *record, size_t offset, Error *error)
{
    switch (record->kind) {
    case RECORD_HELLO:
        return check_hello(record->hello, error);
    case RECORD_BEGIN:
        return check_begin(check, &record->begin, offset, error);
    case RECORD_RELATION:
        return learn_relation(check, record->relation, error);
    case RECORD_ROWS:
        return check_rows(check, &record->rows, error);
    case RECORD_TRUNCATE:
        return check_truncate(check, &record->truncate, error);
    case RECORD_MESSAGE:
        return check_message(check, record->message, error);
    case RECORD_HEARTBEAT:
        return 0;
    case RECORD_COMMIT:
        return check_commit(check, &record->commit, offset, error);
    case RECORD_RECOPY:
        return check_recopy(check, &record->recopy, error);
    }
    return 0;
}

int transaction_check_record(TransactionCheck *check, Record *record, size_t offset, Error *error)
{
    StreamState next = next_states[record->kind][check->state];
    if (next == STREAM_NONE) {
        return error_set(error, ERROR_PROTOCOL, "%s cannot stand %s", record_names[record->kind],
                         state_names[check->state]);
    }
    if (check_contents(check, record, offset, error) != 0) {
        return -1;
    }
    check->state = next;
    return 0;
}

int transaction_check_frame_end(TransactionCheck *check, bool open, Error *error)
{
    if (open != (check->state == STREAM_OPEN)) {
        return error_set(error, ERROR_PROTOCOL,
                         open ? "the frame leaves a transaction open, but none is"
                              : "a transaction is open at the end of a frame that does not say so");
    }
    if (check->state == STREAM_OPEN) {
        hash_batch(check, check->batch.size);
    }
    return 0;
}

Lsn transaction_check_lsn(const TransactionCheck *check)
{
    return check->state == STREAM_OPEN ? check->commit_lsn : LSN_INVALID;
}
