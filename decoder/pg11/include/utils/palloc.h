/* PostgreSQL 11: allocation in memory contexts. */
#pragma once

#include <stddef.h>

typedef struct MemoryContextData *MemoryContext;

typedef void (*MemoryContextCallbackFunction)(void *arg);

typedef struct MemoryContextCallback {
    MemoryContextCallbackFunction func;
    void *arg;
    struct MemoryContextCallback *next;
} MemoryContextCallback;

extern MemoryContext CurrentMemoryContext;

extern void *palloc(Size size);
extern void *palloc0(Size size);
extern void pfree(void *pointer);
extern char *pstrdup(const char *string);
extern char *psprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));
extern void *MemoryContextAlloc(MemoryContext context, Size size);
extern void *MemoryContextAllocZero(MemoryContext context, Size size);
extern char *MemoryContextStrdup(MemoryContext context, const char *string);
extern void MemoryContextRegisterResetCallback(MemoryContext context, MemoryContextCallback *callback);

static inline MemoryContext MemoryContextSwitchTo(MemoryContext context)
{
    MemoryContext previous = CurrentMemoryContext;
    CurrentMemoryContext = context;
    return previous;
}
