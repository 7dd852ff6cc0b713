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

/* Up to the last member that is used; the server's own goes on behind it. */
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
} ReorderBufferTXN;
