#include "collect.h"

#if PG_VERSION_NUM >= 130000

void collect_start(Collecting *collecting, int limit)
{
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

/* max_changes_in_memory in reorderbuffer.c of 11 and 12: at so many changes of a transaction the server spills it. */
#define SPILL_AT 4096

/* The most changes that one record queues: those of a page, in DecodeMultiInsert, which alone of RM_HEAP2 has rows. */
#define PAGE_ROWS 291

/* Bytes of WAL between two walks over the memory of changes, which are as many steps as there are blocks of it. */
#define WALK_EVERY ((XLogRecPtr)32 * 1024 * 1024)

void collect_start(Collecting *collecting, int limit)
{
    *collecting = (Collecting){.limit = (Size)limit};
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

/*
 * Asked once for 4,096 changes of a transaction. Tuples lie in few large blocks and are looked at each time; changes in
 * many small ones, whose share is taken to be what it was when they were looked at.
 */
static bool has_room(Collecting *collecting, const LogicalDecodingContext *ctx)
{
    Size tuples = held(ctx->reorder->tup_context);
    XLogRecPtr now = ctx->reader->EndRecPtr;
    if (collecting->walked == 0 || now - collecting->walked > WALK_EVERY) {
        collecting->walked = now;
        collecting->share = (double)held(ctx->reorder->change_context) / (double)(tuples > 0 ? tuples : 1);
    }
    return (double)tuples * (1 + collecting->share) <= (double)collecting->limit;
}

static Size most_changes(const LogicalDecodingContext *ctx)
{
    return XLogRecGetRmid(ctx->reader) == RM_HEAP2_ID ? PAGE_ROWS : 1;
}

static void count_all(ReorderBufferTXN *txn)
{
    if (!txn->serialized) {
        txn->nentries_mem = txn->nentries;
    }
}

/* The server spills and reads a transaction with all that are known to be its subtransactions. */
static void count_with_subtransactions(ReorderBufferTXN *txn)
{
    count_all(txn);
    dlist_iter i;
    dlist_foreach(i, &txn->subtxns)
    {
        count_all(dlist_container(ReorderBufferTXN, node, i.cur));
    }
}

/* The transaction that the server looked up last is that of the record at hand. Were it another one, no harm were done. */
void collect_record(Collecting *collecting, const LogicalDecodingContext *ctx)
{
    ReorderBufferTXN *txn = ctx->reorder->by_txn_last_txn;
    if (collecting->limit == 0 || txn == NULL || txn->nentries_mem + most_changes(ctx) < SPILL_AT) {
        return;
    }
    if (!txn->serialized && has_room(collecting, ctx)) {
        txn->nentries_mem = 0;
    } else {
        count_with_subtransactions(txn);
    }
}

void collect_commit(ReorderBufferTXN *txn)
{
    count_with_subtransactions(txn);
}

#endif
