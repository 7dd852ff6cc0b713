/*
 * In which order several sessions make objects. Pure; for one thread at a time.
 *
 *     order_new ──► order_next ──► (made or refused) ──► order_done ──► … ──► ORDER_END ──► order_free
 *
 * An object's turn comes when all that it needs has been tried; whoever needs what was refused is refused by the server in
 * its turn. Objects that lock a table against each other are not given out together: a session that waits for a lock is of
 * no use, and two that add foreign keys between the same tables can deadlock. Grants come behind all objects, event triggers
 * and the contents of materialized views behind the grants: as in pg_restore (RESTORE_PASS_…).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

typedef struct OrderItem {
    int dump_id;
    const char *kind;
    const int *needs; /* dump_ids; those of no item count as made */
    size_t need_count;
    const int *tables; /* dump_ids of the tables that it locks */
    size_t table_count;
} OrderItem;

typedef struct Order Order;

#define ORDER_WAIT (-1L) /* until somebody is done */
#define ORDER_END (-2L)  /* all are done */

/* items are borrowed. The caller frees with order_free. */
Order *order_new(const OrderItem *items, size_t count);
void order_free(Order *order);

/* The number of the item to make next, or one of the above. */
long order_next(Order *order);

/*
 * The same, for who has taken count items, own, to make them one after the other in one transaction: these are in nobody's way who
 * makes one more of that transaction.
 */
long order_next_beside(Order *order, const long *own, size_t count);
void order_done(Order *order, long item);
