/* PostgreSQL 11: being told of invalidations. */
#pragma once

typedef void (*SyscacheCallbackFunction)(Datum arg, int cache, uint32 hash);
typedef void (*RelcacheCallbackFunction)(Datum arg, Oid relation);

extern void CacheRegisterRelcacheCallback(RelcacheCallbackFunction function, Datum arg);
extern void CacheRegisterSyscacheCallback(int cache, SyscacheCallbackFunction function, Datum arg);
