/*
 * Items whose needs are met stand in a list for each pass, in their order. Whoever asks takes the first that does not clash
 * with one that is being made, out of the first few: behind those, waiting costs less than looking. Should nothing be
 * ready while nothing is made, needs go in a circle or point to a later pass: then the first item left goes as it is.
 */
#include "order.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PASSES 3
#define LOOKED_AT 200
#define NONE SIZE_MAX

typedef enum ItemState { WAITING, READY, RUNNING, DONE } ItemState;

typedef struct Node {
    ItemState state;
    int pass;
    size_t unmet;
    size_t next;        /* in its pass's list of ready items */
    size_t first_after; /* of the items that need this one: in Order.after, after_count of them */
    size_t after_count;
} Node;

typedef struct Pass {
    size_t first, last; /* ready */
    size_t left;        /* not given out */
    size_t untried;     /* where to look for one that is not ready */
} Pass;

struct Order {
    const OrderItem *items;
    size_t count;
    Node *nodes;
    size_t *after;
    size_t *running; /* items being made */
    size_t running_count;
    Pass passes[PASSES];
};

typedef struct Id {
    int dump_id;
    size_t item;
} Id;

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count + 1, size);
    if (memory == NULL) {
        abort();
    }
    return memory;
}

static int pass_of(const char *kind)
{
    if (strcmp(kind, "EVENT TRIGGER") == 0 || strcmp(kind, "MATERIALIZED VIEW DATA") == 0) {
        return 2;
    }
    return strcmp(kind, "ACL") == 0 || strcmp(kind, "DEFAULT ACL") == 0 ? 1 : 0;
}

static int compare_ids(const void *a, const void *b)
{
    int left = ((const Id *)a)->dump_id, right = ((const Id *)b)->dump_id;
    return (left > right) - (left < right);
}

static Id *sorted_ids(const OrderItem *items, size_t count)
{
    Id *ids = allocate(count, sizeof *ids);
    for (size_t i = 0; i < count; i++) {
        ids[i] = (Id){items[i].dump_id, i};
    }
    qsort(ids, count, sizeof *ids, compare_ids);
    return ids;
}

/* The item with this dump_id, or NONE. */
static size_t find(const Id *ids, size_t count, int dump_id)
{
    const Id wanted = {dump_id, 0};
    const Id *found = bsearch(&wanted, ids, count, sizeof *ids, compare_ids);
    return found != NULL ? found->item : NONE;
}

static void append(Order *order, size_t item)
{
    Node *node = &order->nodes[item];
    Pass *pass = &order->passes[node->pass];
    node->state = READY;
    node->next = NONE;
    if (pass->first == NONE) {
        pass->first = item;
    } else {
        order->nodes[pass->last].next = item;
    }
    pass->last = item;
}

/* Calls it for each need of each item that is an item itself: first to count, then to fill in. */
static size_t link_needs(Order *order, const Id *ids, bool fill)
{
    size_t links = 0;
    for (size_t i = 0; i < order->count; i++) {
        const OrderItem *item = &order->items[i];
        for (size_t j = 0; j < item->need_count; j++) {
            size_t need = find(ids, order->count, item->needs[j]);
            if (need == NONE || need == i) {
                continue;
            }
            Node *node = &order->nodes[need];
            if (fill) {
                order->after[node->first_after + node->after_count] = i;
                order->nodes[i].unmet++;
            }
            node->after_count++;
            links++;
        }
    }
    return links;
}

static void link_all(Order *order)
{
    Id *ids = sorted_ids(order->items, order->count);
    size_t links = link_needs(order, ids, false), at = 0;
    order->after = allocate(links, sizeof *order->after);
    for (size_t i = 0; i < order->count; i++) {
        order->nodes[i].first_after = at;
        at += order->nodes[i].after_count;
        order->nodes[i].after_count = 0;
    }
    link_needs(order, ids, true);
    free(ids);
}

/* What is said of an event trigger comes behind it (pg_backup_archiver.c, _tocEntryRestorePass). */
static void choose_passes(Order *order)
{
    for (size_t i = 0; i < order->count; i++) {
        order->nodes[i].pass = pass_of(order->items[i].kind);
    }
    for (size_t i = 0; i < order->count; i++) {
        const Node *node = &order->nodes[i];
        for (size_t j = 0; j < node->after_count; j++) {
            size_t item = order->after[node->first_after + j];
            const char *kind = order->items[item].kind;
            bool says = strcmp(kind, "COMMENT") == 0 || strcmp(kind, "SECURITY LABEL") == 0;
            if (says && order->nodes[item].pass < node->pass) {
                order->nodes[item].pass = node->pass;
            }
        }
    }
}

Order *order_new(const OrderItem *items, size_t count)
{
    Order *order = allocate(1, sizeof *order);
    order->items = items;
    order->count = count;
    order->nodes = allocate(count, sizeof *order->nodes);
    order->running = allocate(count, sizeof *order->running);
    for (int i = 0; i < PASSES; i++) {
        order->passes[i] = (Pass){.first = NONE, .last = NONE};
    }
    link_all(order);
    choose_passes(order);
    for (size_t i = 0; i < count; i++) {
        order->passes[order->nodes[i].pass].left++;
        if (order->nodes[i].unmet == 0) {
            append(order, i);
        }
    }
    return order;
}

void order_free(Order *order)
{
    if (order != NULL) {
        free(order->nodes);
        free(order->after);
        free(order->running);
        free(order);
    }
}

/* CREATE INDEX and CREATE STATISTICS let others of their kind work on the table; all else has it alone. */
static bool shares(const char *kind)
{
    return strcmp(kind, "INDEX") == 0 || strcmp(kind, "STATISTICS") == 0 || strcmp(kind, "COMMENT") == 0;
}

static bool clash(const OrderItem *a, const OrderItem *b)
{
    if (shares(a->kind) && shares(b->kind)) {
        return false;
    }
    for (size_t i = 0; i < a->table_count; i++) {
        for (size_t j = 0; j < b->table_count; j++) {
            if (a->tables[i] == b->tables[j]) {
                return true;
            }
        }
    }
    return false;
}

/* Items of one transaction. */
typedef struct Own {
    const long *items;
    size_t count;
} Own;

static bool is_own(const Own *own, size_t item)
{
    for (size_t i = 0; i < own->count; i++) {
        if (own->items[i] == (long)item) {
            return true;
        }
    }
    return false;
}

static bool is_free(const Order *order, size_t item, const Own *own)
{
    for (size_t i = 0; i < order->running_count; i++) {
        size_t running = order->running[i];
        if (clash(&order->items[item], &order->items[running]) && !is_own(own, running)) {
            return false;
        }
    }
    return true;
}

static long give(Order *order, Pass *pass, size_t item)
{
    order->nodes[item].state = RUNNING;
    order->running[order->running_count++] = item;
    pass->left--;
    return (long)item;
}

static long take_ready(Order *order, Pass *pass, const Own *own)
{
    size_t before = NONE, item = pass->first;
    for (int looked = 0; item != NONE && looked < LOOKED_AT; looked++) {
        if (is_free(order, item, own)) {
            size_t next = order->nodes[item].next;
            *(before == NONE ? &pass->first : &order->nodes[before].next) = next;
            pass->last = pass->last == item ? before : pass->last;
            return give(order, pass, item);
        }
        before = item;
        item = order->nodes[item].next;
    }
    return ORDER_WAIT;
}

static long take_any(Order *order, Pass *pass, int number)
{
    for (; pass->untried < order->count; pass->untried++) {
        const Node *node = &order->nodes[pass->untried];
        if (node->pass == number && node->state == WAITING) {
            return give(order, pass, pass->untried);
        }
    }
    return ORDER_WAIT;
}

long order_next(Order *order)
{
    return order_next_beside(order, NULL, 0);
}

long order_next_beside(Order *order, const long *own, size_t count)
{
    const Own mine = {own, count};
    for (int i = 0; i < PASSES; i++) {
        Pass *pass = &order->passes[i];
        if (pass->left > 0) {
            bool stuck = pass->first == NONE && order->running_count == 0;
            return stuck ? take_any(order, pass, i) : take_ready(order, pass, &mine);
        }
        if (order->running_count > 0) {
            return ORDER_WAIT;
        }
    }
    return ORDER_END;
}

void order_done(Order *order, long item)
{
    Node *node = &order->nodes[item];
    node->state = DONE;
    for (size_t i = 0; i < order->running_count; i++) {
        if (order->running[i] == (size_t)item) {
            order->running[i] = order->running[--order->running_count];
            break;
        }
    }
    for (size_t i = 0; i < node->after_count; i++) {
        size_t after = order->after[node->first_after + i];
        if (--order->nodes[after].unmet == 0 && order->nodes[after].state == WAITING) {
            append(order, after);
        }
    }
}
