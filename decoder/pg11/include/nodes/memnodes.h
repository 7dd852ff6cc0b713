/* PostgreSQL 11: what a memory context is made of. */
#pragma once

#include "nodes/nodes.h"
#include "utils/palloc.h"

typedef struct MemoryContextCounters {
    Size nblocks;
    Size freechunks;
    Size totalspace;
    Size freespace;
} MemoryContextCounters;

typedef struct MemoryContextMethods {
    void (*alloc)(void);
    void (*free_p)(void);
    void (*realloc)(void);
    void (*reset)(void);
    void (*delete_context)(void);
    void (*get_chunk_space)(void);
    void (*is_empty)(void);
    void (*stats)(MemoryContext context, void (*print)(void), void *passthru, MemoryContextCounters *totals);
} MemoryContextMethods;

/* Up to the last member that is used; the server's own goes on behind it. */
typedef struct MemoryContextData {
    NodeTag type;
    bool isReset;
    bool allowInCritSection;
    const MemoryContextMethods *methods;
} MemoryContextData;
