/*
 * DDL in the state: what came, what became of it, what the operator has decided, and what it changes in the list of the
 * migration's tables. Names and texts are UTF-8, or the bytes of a database that does not know its encoding.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "database.h"
#include "error.h"
#include "lsn.h"

/* One statement of the stream. */
typedef struct DdlPlace {
    const char *migration;
    Lsn commit_lsn;
    uint64_t sequence;
} DdlPlace;

typedef enum DdlDecision { DECISION_NONE, DECISION_APPLY, DECISION_SKIP, DECISION_EDIT } DdlDecision;

typedef struct DdlDecided {
    int64_t id; /* penstock.ddl.id; 0: it has not been met before */
    DdlDecision decision;
    char *edited;   /* of DECISION_EDIT; the caller frees it */
    bool as_target; /* ... which runs as the applier's own role, not as the one that made the statement */
} DdlDecided;

/* What is written down of it. A NULL is SQL NULL. */
typedef struct DdlRecord {
    DdlPlace place;
    double at; /* seconds since 1970 by the source's clock; 0: not known */
    const char *role;
    const char *tag;
    const char *statement;
    const char *state; /* penstock.ddl.state */
    const char *reason;
    const char *ran;
    double milliseconds;
} DdlRecord;

int state_ddl_decided(Database *target, const DdlPlace *place, DdlDecided *out, Error *error) MUST_CHECK;

/* Writes it down, over what was written of it before; *id says under which number. */
int state_ddl_record(Database *target, const DdlRecord *record, int64_t *id, Error *error) MUST_CHECK;

/*
 * What the migration knows about DDL before it runs any: how captured messages are sealed (hex), and what came with the dump
 * (txid_snapshot, or NULL). The caller frees both.
 */
int state_ddl_key(Database *target, const char *migration, char **token, char **seen,
                  Error *error) MUST_CHECK;

/* Sets them: the key, in hex; and what came with the dump. */
int state_ddl_set_key(Database *target, const char *migration, const char *token, Error *error) MUST_CHECK;
int state_ddl_set_seen(Database *target, const char *migration, const char *seen, Error *error) MUST_CHECK;

/*
 * The list of tables after a statement: tables and dropped are the parts of its message (JSON arrays, or NULL), commit_lsn its
 * transaction. Those that are new to the migration, and made by it (created), have no row from before; those that are known get
 * the name and the columns that they have now; those that were dropped go.
 */
int state_ddl_tables(Database *target, const DdlPlace *place, const char *tables, const char *dropped,
                     bool created, Error *error) MUST_CHECK;

/*
 * Whether all tables that a statement is about stay behind (penstock.left_behind): tables and dropped as above. False for one
 * that is about none.
 */
int state_ddl_stays_behind(Database *target, const char *migration, const char *tables, const char *dropped,
                           bool *stays, Error *error) MUST_CHECK;

/* Whether all that a statement dropped (dropped as above) is yet to be made by the copy. False for one that dropped nothing. */
int state_ddl_is_unmade(Database *target, const char *migration, const char *dropped, bool *unmade,
                        Error *error) MUST_CHECK;

/* Whether the table with this OID at the source is one of the migration's; and: it is from here on, without any row from before. */
int state_ddl_knows(Database *target, const char *migration, const char *oid, bool *known,
                    Error *error) MUST_CHECK;
int state_ddl_created(Database *target, const char *migration, const char *schema, const char *table,
                      uint32_t oid, const char *columns, Lsn commit_lsn, Error *error) MUST_CHECK;

/*
 * The tables with these OIDs at the source (a JSON array of {oid}) have values that the stream did not have: they are copied anew,
 * beside the stream while the copy is at work, else by the next penstock copy. *names: those that it concerns, for people; NULL for
 * none. The caller frees it.
 */
int state_ddl_recopy(Database *target, const DdlPlace *place, const char *oids, const char *reason,
                     char **names, Error *error) MUST_CHECK;
