#include "collect.h"

#if PG_VERSION_NUM >= 130000

void collect_start(Collecting *collecting, const LogicalDecodingContext *ctx, int limit)
{
    (void)ctx;
    *collecting = (Collecting){.limit = (Size)limit, .session_setting = logical_decoding_work_mem};
    logical_decoding_work_mem = Max(logical_decoding_work_mem, limit / 1024);
}

void collect_stop(const Collecting *collecting)
{
    logical_decoding_work_mem = collecting->session_setting;
}

void collect_record(Collecting *collecting, const LogicalDecodingContext *ctx)
{
    (void)collecting;
    (void)ctx;
}

void collect_commit(ReorderBufferTXN *txn)
{
    (void)txn;
}

#else

/* The server spills at 4,096, and one record can hold as many rows as a page. */
#define KEEP_AT 3000

/* What a change takes beside its tuples: itself and the allocator's header. */
#define CHANGE_SIZE (sizeof(ReorderBufferChange) + 16)

/* 11 and 12 have no setting to change. The pointer back shows that the server's struct is the one that we know. */
void collect_start(Collecting *collecting, const LogicalDecodingContext *ctx, int limit)
{
    *collecting = (Collecting){.limit = ctx->reorder->private_data == ctx ? (Size)limit : 0};
}

void collect_stop(const Collecting *collecting)
{
    (void)collecting;
}

static Size held(MemoryContext context)
{
    MemoryContextCounters counters = {0};
    context->methods->stats(context, NULL, NULL, &counters);
    return counters.totalspace;
}

/* Tuples lie in few large blocks and are looked at each time; changes in many small ones, only when they may be too many. */
static bool has_room(Collecting *collecting, const ReorderBuffer *buffer, uint64 more)
{
    Size tuples = held(buffer->tup_context);
    collecting->changes += more;
    if (tuples + collecting->changes * CHANGE_SIZE > collecting->limit) {
        collecting->changes = held(buffer->change_context) / CHANGE_SIZE;
    }
    return tuples + collecting->changes * CHANGE_SIZE <= collecting->limit;
}

/* The transaction that the server looked up last is that of the record at hand. Were it another one, no harm were done. */
void collect_record(Collecting *collecting, const LogicalDecodingContext *ctx)
{
    ReorderBufferTXN *txn = ctx->reorder->by_txn_last_txn;
    if (collecting->limit == 0 || txn == NULL || txn->nentries_mem < KEEP_AT || txn->serialized) {
        return;
    }
    if (has_room(collecting, ctx->reorder, txn->nentries_mem)) {
        txn->nentries_mem = 0;
    }
}

static void count_all(ReorderBufferTXN *txn)
{
    if (!txn->serialized) {
        txn->nentries_mem = txn->nentries;
    }
}

void collect_commit(ReorderBufferTXN *txn)
{
    count_all(txn);
    dlist_iter i;
    dlist_foreach(i, &txn->subtxns)
    {
        count_all(dlist_container(ReorderBufferTXN, node, i.cur));
    }
}

#endif
