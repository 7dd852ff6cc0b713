/* PostgreSQL 11: tags of the node types that reach an output plugin. */
#pragma once

typedef enum NodeTag {
    T_Invalid = 0,
    T_AllocSetContext = 213,
    T_SlabContext = 214,
    T_GenerationContext = 215,
    T_Integer = 217,
    T_Float = 218,
    T_String = 219,
    T_List = 222,
    T_DefElem = 364,
} NodeTag;

typedef struct Node {
    NodeTag type;
} Node;

#define nodeTag(node) (((const Node *)(node))->type)
#define IsA(node, tag) (nodeTag(node) == T_##tag)
