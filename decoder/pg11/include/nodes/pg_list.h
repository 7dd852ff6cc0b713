/* PostgreSQL 11: lists, linked ones up to 12. */
#pragma once

#include "nodes/nodes.h"

typedef struct ListCell ListCell;

typedef struct List {
    NodeTag type;
    int length;
    ListCell *head;
    ListCell *tail;
} List;

struct ListCell {
    union {
        void *ptr_value;
        int int_value;
        Oid oid_value;
    } data;
    ListCell *next;
};

#define NIL ((List *)NULL)
extern bool list_member_oid(const List *list, Oid member);

#define lfirst(cell) ((cell)->data.ptr_value)
#define foreach(cell, list)                                                                                  \
    for ((cell) = (list) == NIL ? NULL : (list)->head; (cell) != NULL; (cell) = (cell)->next)
