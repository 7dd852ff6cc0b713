/* PostgreSQL 11: what a scan looks for. */
#pragma once

#include "fmgr.h"

typedef uint16 StrategyNumber;

#define BTEqualStrategyNumber 3

typedef struct ScanKeyData {
    int sk_flags;
    AttrNumber sk_attno;
    StrategyNumber sk_strategy;
    Oid sk_subtype;
    Oid sk_collation;
    FmgrInfo sk_func;
    Datum sk_argument;
} ScanKeyData;

typedef ScanKeyData *ScanKey;

extern void ScanKeyInit(ScanKey key, AttrNumber attribute, StrategyNumber strategy, regproc function,
                        Datum value);
