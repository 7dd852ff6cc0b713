/* PostgreSQL 11: value nodes, which carry the text of an option. */
#pragma once

#include "nodes/nodes.h"

typedef struct Value {
    NodeTag type;
    union ValUnion {
        int ival;
        char *str;
    } val;
} Value;

#define strVal(node) (((Value *)(node))->val.str)
