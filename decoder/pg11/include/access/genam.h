/* PostgreSQL 11: scans of catalogs by index. */
#pragma once

#include "access/htup_details.h"
#include "access/skey.h"
#include "utils/rel.h"

typedef struct SnapshotData *Snapshot;
typedef struct SysScanDescData *SysScanDesc;

extern SysScanDesc systable_beginscan(Relation catalog, Oid index, bool use_index, Snapshot snapshot,
                                      int count, ScanKey keys);
extern HeapTuple systable_getnext(SysScanDesc scan);
extern void systable_endscan(SysScanDesc scan);
