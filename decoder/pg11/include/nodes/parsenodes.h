/* PostgreSQL 11: the options of START_REPLICATION as the parser made them. */
#pragma once

#include "nodes/pg_list.h"
#include "nodes/value.h"

typedef enum DefElemAction { DEFELEM_UNSPEC, DEFELEM_SET, DEFELEM_ADD, DEFELEM_DROP } DefElemAction;

typedef struct DefElem {
    NodeTag type;
    char *defnamespace;
    char *defname;
    Node *arg;
    DefElemAction defaction;
    int location;
} DefElem;
