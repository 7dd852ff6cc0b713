/*
 * The options of START_REPLICATION … ("name" 'value', …), or of pg_logical_slot_get_binary_changes.
 *
 * All of them are rows of one table in options.c: name, kind, default, limits. Parsing, the error texts and
 * the list that Hello shows come from that table.
 */
#pragma once

#include "compat.h"
#include "pattern.h"

typedef enum OriginFilter {
    ORIGIN_ANY,  /* everything */
    ORIGIN_NONE, /* only what was written here, not what arrived by replication */
} OriginFilter;

/* What becomes of a change that cannot be sent. */
typedef enum Undecodable {
    UNDECODABLE_ERROR,  /* decoding ends there */
    UNDECODABLE_RECOPY, /* the reader is told to copy the relation again */
} Undecodable;

/* A list of patterns, and the text it was given as; NULL when it was not given. */
typedef struct PatternOption {
    const char *text;
    PatternList list;
} PatternOption;

/* The same of names, as SQL writes them. */
typedef struct NameOption {
    const char *text;
    List *names; /* of char * */
} NameOption;

/* The same of OIDs, in order. */
typedef struct OidOption {
    const char *text;
    uint32 count;
    Oid *list;
} OidOption;

/* int, PatternOption, NameOption or OidOption throughout, so that the table can fill any member. */
typedef struct Options {
    int wire_version;
    int compression;      /* WireCodec */
    int level;            /* zstd's */
    int frame_size;       /* bytes before compression after which a frame is sent */
    int binary;           /* bool: send format where it is the same on all majors */
    int messages;         /* bool: pass on pg_logical_emit_message */
    int heartbeat;        /* changes and transactions left out after which a heartbeat is sent; 0: never */
    int origin;           /* OriginFilter */
    int on_undecodable;   /* Undecodable */
    int collect_memory;   /* bytes of unfinished transactions before the server spills; 0: its own rule */
    int read_ahead;       /* records of the WAL in one turn; 0: each by itself */
    int row_limit;        /* bytes of a row that are too many to be sent */
    int skip_empty;       /* bool: transactions without changes send nothing */
    int streaming;        /* bool, must be off */
    int two_phase;        /* bool, must be off */
    PatternOption tables; /* only these */
    PatternOption skip_tables;      /* of them, not these */
    OidOption skip_relations;       /* nor these, whatever they are called */
    NameOption publications;        /* of them, only these publications' tables */
    PatternOption message_prefixes; /* only messages with these */
    PatternOption skip_origins;     /* no transactions that came through these */
} Options;

/* True when changes of the table are wanted, as far as options say. */
static inline bool options_want_table(const Options *options, const char *schema, const char *name)
{
    return (options->tables.text == NULL || pattern_list_matches(&options->tables.list, schema, name)) &&
           !pattern_list_matches(&options->skip_tables.list, schema, name);
}

/* True when the relation is one of skip_relations. */
bool options_skip_relation(const Options *options, Oid relation);

/* True when messages of this prefix are wanted. */
static inline bool options_want_message(const Options *options, const char *prefix)
{
    return options->messages && (options->message_prefixes.text == NULL ||
                                 pattern_list_matches(&options->message_prefixes.list, NULL, prefix));
}

/*
 * Fills *out from a list of DefElem; what it points to is allocated in the current memory context. Anything unknown,
 * doubled or out of range raises an ERROR that names it.
 */
void options_parse(List *elements, Options *out);

/* "name=value" of every option, allocated in the current memory context; returns how many. */
int options_describe(const Options *options, char ***out);
