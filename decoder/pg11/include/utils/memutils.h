/* PostgreSQL 11: making and freeing memory contexts. */
#pragma once

#include "nodes/memnodes.h"
#include "utils/palloc.h"

#define MaxAllocSize ((Size)0x3fffffff)

extern MemoryContext TopMemoryContext;
extern MemoryContext CacheMemoryContext;

extern void MemoryContextReset(MemoryContext context);
extern void MemoryContextDelete(MemoryContext context);
extern MemoryContext AllocSetContextCreateExtended(MemoryContext parent, const char *name, Size minimum,
                                                   Size initial, Size maximum);

#define AllocSetContextCreate AllocSetContextCreateExtended
#define ALLOCSET_DEFAULT_SIZES 0, 8192, 8388608
#define ALLOCSET_SMALL_SIZES 0, 1024, 8192
