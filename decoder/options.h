/*
 * The options of START_REPLICATION … ("name" 'value', …), or of pg_logical_slot_get_binary_changes.
 *
 * All of them are rows of one table in options.c: name, kind, default, limits. Parsing, the error texts and
 * the list that Hello shows come from that table.
 */
#pragma once

#include "compat.h"

typedef enum OriginFilter {
    ORIGIN_ANY,  /* everything */
    ORIGIN_NONE, /* only what was written here, not what arrived by replication */
} OriginFilter;

/* int throughout, so that the table can fill any member. */
typedef struct Options {
    int wire_version;
    int compression; /* WireCodec */
    int level;       /* zstd's */
    int frame_size;  /* bytes before compression after which a frame is sent */
    int binary;      /* bool: send format where it is the same on all majors */
    int messages;    /* bool: pass on pg_logical_emit_message */
    int heartbeat;   /* changes and transactions left out after which a heartbeat is sent; 0: never */
    int origin;      /* OriginFilter */
    int skip_empty;  /* bool: transactions without changes send nothing */
    int streaming;   /* bool, must be off */
    int two_phase;   /* bool, must be off */
} Options;

/* Fills *out from a list of DefElem. Anything unknown, doubled or out of range raises an ERROR that names it.
 */
void options_parse(List *elements, Options *out);

/* "name=value" of every option, allocated in the current memory context; returns how many. */
int options_describe(const Options *options, char ***out);
