/*
 * Whether a replication slot is ours, asked in one place. Names of slots are the server's: another database's migration may have one
 * of the same name, whose changes are needed, and so may a user. Ours is of the connection's database and of the plugin that we make
 * it with: PLUGIN_THERE, or PLUGIN_BACK. Nothing here touches another one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "database.h"
#include "error.h"
#include "lsn.h"

#define PLUGIN_THERE "penstock"
#define PLUGIN_BACK "pgoutput"

typedef struct OwnSlot {
    bool exists; /* nothing else is set otherwise */
    bool active;
    bool lost;      /* from 13 on a server may take its WAL away (max_slot_wal_keep_size) */
    char user[200]; /* "pid 12 (penstock applier, from 10.0.0.1)" who uses it; "" when nobody does */
    Lsn confirmed;  /* LSN_INVALID: it has none yet */
    int64_t lag;    /* bytes of WAL behind that */
} OwnSlot;

int own_slot_look(Database *database, const char *name, const char *plugin, OwnSlot *out,
                  Error *error) MUST_CHECK;

/* The name is free, or ours; else ERROR_STATE says whose it is, and what to do. */
int own_slot_refuse_foreign(Database *database, const char *name, const char *plugin,
                            Error *error) MUST_CHECK;

/* Drops it unless somebody uses it; that it is not there is no error. */
int own_slot_drop_idle(Database *database, const char *name, const char *plugin, Error *error) MUST_CHECK;

/* Ends who uses it and drops it: the server of a subscription that was dropped takes a moment to see that. ERROR_LIMIT names who
 * has it after limit_ms. */
int own_slot_drop(Database *database, const char *name, const char *plugin, int limit_ms,
                  Error *error) MUST_CHECK;
