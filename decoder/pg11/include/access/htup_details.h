/* PostgreSQL 11: heap tuples and how to take them apart. */
#pragma once

#include "access/tupdesc.h"

typedef struct BlockIdData {
    uint16 bi_hi;
    uint16 bi_lo;
} BlockIdData;

typedef struct ItemPointerData {
    BlockIdData ip_blkid;
    uint16 ip_posid;
} ItemPointerData;

typedef struct HeapTupleFields {
    TransactionId t_xmin;
    TransactionId t_xmax;
    CommandId t_cid;
} HeapTupleFields;

typedef struct HeapTupleHeaderData {
    union {
        HeapTupleFields t_heap;
        uint32 t_datum[3];
    } t_choice;
    ItemPointerData t_ctid;
    uint16 t_infomask2;
    uint16 t_infomask;
    uint8 t_hoff;
    bits8 t_bits[];
} HeapTupleHeaderData;

typedef HeapTupleHeaderData *HeapTupleHeader;

typedef struct HeapTupleData {
    uint32 t_len;
    ItemPointerData t_self;
    Oid t_tableOid;
    HeapTupleHeader t_data;
} HeapTupleData;

typedef HeapTupleData *HeapTuple;

#define HEAP_XMAX_LOCK_ONLY 0x0080
#define HEAP_XMIN_COMMITTED 0x0100
#define HEAP_XMIN_INVALID 0x0200
#define HEAP_XMIN_FROZEN (HEAP_XMIN_COMMITTED | HEAP_XMIN_INVALID)
#define HEAP_XMAX_INVALID 0x0800
#define HEAP_XMAX_IS_MULTI 0x1000

#define HeapTupleHeaderGetRawXmin(header) ((header)->t_choice.t_heap.t_xmin)
#define HeapTupleHeaderGetRawXmax(header) ((header)->t_choice.t_heap.t_xmax)

#define HeapTupleIsValid(tuple) ((tuple) != NULL)
#define GETSTRUCT(tuple) ((char *)(tuple)->t_data + (tuple)->t_data->t_hoff)

extern void heap_deform_tuple(HeapTuple tuple, TupleDesc description, Datum *values, bool *isnull);
