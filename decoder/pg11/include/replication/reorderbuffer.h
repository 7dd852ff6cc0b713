/* PostgreSQL 11: transactions and changes as decoding hands them to a plugin. */
#pragma once

#include "access/htup_details.h"
#include "utils/hsearch.h"
#include "utils/rel.h"

typedef struct slist_node {
    struct slist_node *next;
} slist_node;

typedef struct dlist_node {
    struct dlist_node *prev;
    struct dlist_node *next;
} dlist_node;

typedef struct dlist_head {
    dlist_node head;
} dlist_head;

typedef struct dlist_iter {
    dlist_node *cur;
    dlist_node *end;
} dlist_iter;

/* A list that was never written to has no first element. */
#define dlist_foreach(iter, list)                                                                            \
    for ((iter).end = &(list)->head, (iter).cur = (iter).end->next != NULL ? (iter).end->next : (iter).end;  \
         (iter).cur != (iter).end; (iter).cur = (iter).cur->next)
#define dlist_container(type, member, pointer) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

typedef struct ReorderBufferTupleBuf {
    slist_node node;
    HeapTupleData tuple;
    Size alloc_tuple_size;
} ReorderBufferTupleBuf;

enum ReorderBufferChangeType {
    REORDER_BUFFER_CHANGE_INSERT,
    REORDER_BUFFER_CHANGE_UPDATE,
    REORDER_BUFFER_CHANGE_DELETE,
    REORDER_BUFFER_CHANGE_MESSAGE,
    REORDER_BUFFER_CHANGE_INTERNAL_SNAPSHOT,
    REORDER_BUFFER_CHANGE_INTERNAL_COMMAND_ID,
    REORDER_BUFFER_CHANGE_INTERNAL_TUPLECID,
    REORDER_BUFFER_CHANGE_INTERNAL_SPEC_INSERT,
    REORDER_BUFFER_CHANGE_INTERNAL_SPEC_CONFIRM,
    REORDER_BUFFER_CHANGE_TRUNCATE,
};

typedef struct ReorderBufferChange {
    XLogRecPtr lsn;
    enum ReorderBufferChangeType action;
    RepOriginId origin_id;
    union {
        struct {
            RelFileNode relnode;
            bool clear_toast_afterwards;
            ReorderBufferTupleBuf *oldtuple;
            ReorderBufferTupleBuf *newtuple;
        } tp;
        struct {
            Size nrelids;
            bool cascade;
            bool restart_seqs;
            Oid *relids;
        } truncate;
    } data;
    dlist_node node;
} ReorderBufferChange;

typedef struct ReorderBufferTXN {
    TransactionId xid;
    bool has_catalog_changes;
    bool is_known_as_subxact;
    TransactionId toplevel_xid;
    XLogRecPtr first_lsn;
    XLogRecPtr final_lsn;
    XLogRecPtr end_lsn;
    XLogRecPtr restart_decoding_lsn;
    RepOriginId origin_id;
    XLogRecPtr origin_lsn;
    TimestampTz commit_time;
    struct SnapshotData *base_snapshot;
    XLogRecPtr base_snapshot_lsn;
    dlist_node base_snapshot_node;
    uint64 nentries;
    uint64 nentries_mem;
    bool serialized;
    dlist_head changes;
    dlist_head tuplecids;
    uint64 ntuplecids;
    HTAB *tuplecid_hash;
    HTAB *toast_hash;
    dlist_head subtxns;
    uint32 nsubtxns;
    uint32 ninvalidations;
    void *invalidations;
    dlist_node node;
} ReorderBufferTXN;

/* Up to the last member that is used, too. */
typedef struct ReorderBuffer {
    HTAB *by_txn;
    dlist_head toplevel_by_lsn;
    dlist_head txns_by_base_snapshot_lsn;
    TransactionId by_txn_last_xid;
    ReorderBufferTXN *by_txn_last_txn;
    void (*begin)(void);
    void (*apply_change)(void);
    void (*apply_truncate)(void);
    void (*commit)(void);
    void (*message)(void);
    void *private_data;
    bool output_rewrites;
    MemoryContext context;
    MemoryContext change_context;
    MemoryContext txn_context;
    MemoryContext tup_context;
} ReorderBuffer;
