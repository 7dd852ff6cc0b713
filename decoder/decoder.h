/*
 * One decoding session: what startup makes and every callback works on. It lives in the decoding context's
 * memory.
 */
#pragma once

#include "collect.h"
#include "compat.h"
#include "options.h"
#include "relation_cache.h"
#include "shortcuts.h"
#include "turn.h"
#include "writer.h"

/* The values of one row image, by attribute, as heap_deform_tuple fills them. */
typedef struct RowImage {
    Datum *values;
    bool *nulls;
} RowImage;

typedef struct Decoder {
    MemoryContext context; /* the decoding context's, which holds this */
    Options options;
    FrameWriter *writer; /* malloc'd; freed at shutdown or with the decoding context */
    RelationCache *relations;
    Collecting collecting;
    Turn turn;
    Shortcuts shortcuts;          /* what was asked for and is off, and why */
    bool known;                   /* the first change was found to be of the relation that it is for */
    MemoryContext change_context; /* reset after every change */
    RowImage images[2];           /* by RowSide, with room for image_size attributes */
    int image_size;
    Oid *truncated; /* by the transaction at hand; with room for truncated_size */
    uint32 truncated_count, truncated_size;
    bool captured;   /* the transaction at hand tells of its DDL by itself, as the capture of it does */
    bool skipped;    /* the transaction at hand came through an origin that is not wanted */
    uint64 left_out; /* changes and transactions since the last frame that sent nothing */
    TextStyle session_style; /* given back at the end */
    MemoryContextCallback cleanup;

    /* Where we are, for error messages. */
    Relation relation; /* NULL outside changes */
    XLogRecPtr lsn;
} Decoder;
