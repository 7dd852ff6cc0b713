/*
 * For each relation, the number of the newest batch of each worker that has changes of it, and the newest truncate:
 *
 *     worker 0   … [r s]  [s]  [TRUNCATE r]  [r] …        the truncate waits for the newest batch of worker 1 with r;
 *                               ▲        │                the next batch of worker 1 with r waits for the truncate;
 *     worker 1   … [r] ─────────┘  [s]   └──► [r s] …     those without r wait for nothing
 *
 * A batch that has changes of the relation is closed before the truncate is made, so that every wait is for a batch that
 * was closed earlier: there are no cycles.
 */
#include "order.h"

#include <stdlib.h>
#include <uthash.h>

struct RelationUse {
    UT_hash_handle hh;
    const ApplyRelation *relation;
    int truncated_by;  /* worker of the newest truncate … */
    uint64_t truncate; /* … and the number of its batch; 0 for none */
    uint64_t last[];   /* by worker */
};

struct Order {
    int workers;
    RelationUse *uses;
};

static void *zeroed(size_t size)
{
    void *memory = calloc(1, size);
    if (memory == NULL) {
        abort();
    }
    return memory;
}

Order *order_new(int workers)
{
    Order *order = zeroed(sizeof *order);
    order->workers = workers;
    return order;
}

void order_free(Order *order)
{
    if (order == NULL) {
        return;
    }
    RelationUse *use, *next;
    HASH_ITER(hh, order->uses, use, next)
    {
        HASH_DEL(order->uses, use);
        free(use);
    }
    free(order);
}

RelationUse *order_use(Order *order, const ApplyRelation *relation)
{
    RelationUse *use;
    HASH_FIND_PTR(order->uses, &relation, use);
    if (use == NULL) {
        use = zeroed(sizeof *use + (size_t)order->workers * sizeof *use->last);
        use->relation = relation;
        HASH_ADD_PTR(order->uses, relation, use);
    }
    return use;
}

static void wait_for(const Order *order, Batch *batch, int worker, uint64_t number)
{
    if (worker == batch->worker || number == 0) {
        return;
    }
    if (batch->after == NULL) {
        batch->after = zeroed((size_t)order->workers * sizeof *batch->after);
    }
    if (batch->after[worker] < number) {
        batch->after[worker] = number;
    }
}

bool order_rows(const Order *order, RelationUse *use, Batch *batch)
{
    if (use->last[batch->worker] == batch->number) {
        return false;
    }
    use->last[batch->worker] = batch->number;
    wait_for(order, batch, use->truncated_by, use->truncate);
    return true;
}

bool order_has(const RelationUse *use, int worker, uint64_t number)
{
    return use->last[worker] == number;
}

void order_truncate(const Order *order, RelationUse *use, Batch *batch)
{
    for (int worker = 0; worker < order->workers; worker++) {
        wait_for(order, batch, worker, use->last[worker]);
    }
    use->last[batch->worker] = use->truncate = batch->number;
    use->truncated_by = batch->worker;
}
