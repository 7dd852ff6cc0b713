/* PostgreSQL 11: catalog rows by key. */
#pragma once

#include "access/htup_details.h"

enum SysCacheIdentifier {
    INDEXRELID = 32,
    NAMESPACEOID = 36,
    PUBLICATIONOID = 45,
    PUBLICATIONRELMAP = 47,
    TYPEOID = 74,
};

extern HeapTuple SearchSysCache1(int cache, Datum key);
extern void ReleaseSysCache(HeapTuple tuple);
extern uint32 GetSysCacheHashValue(int cache, Datum key1, Datum key2, Datum key3, Datum key4);
