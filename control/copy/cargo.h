/*
 * The tables of one job, as they are to be carried: what the queue says of them, what they are at the source under the snapshot, and in
 * which format their rows go. All of it is found out before the first row moves, in questions about all of them at once.
 *
 *     cargo_new ──► cargo_look ──► (the rows: carry.c) ──► cargo_free
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jobs.h"
#include "mixed.h"
#include "oids.h"
#include "relay.h"
#include "table.h"

typedef struct CargoTable {
    const char *relation; /* penstock.relation.id */
    const char *key_sql;  /* makes the index of its replica identity; NULL: none, or it is made already */
    TableShape shape;
    TableCopy copy; /* the statements; built by cargo_look */
    Mixed mixed;
    uint32_t *types; /* of its columns in a binary COPY, where a row has OIDs to be changed; else NULL */
    size_t type_count;
    int64_t source_bytes;
    int64_t expected; /* rows, by the source's statistics; 0: not known */
    bool part_by_scan;
    RelayCount count; /* what was carried */
} CargoTable;

typedef struct Cargo {
    PGresult *rows; /* of jobs_relations: what the strings lie in */
    CargoTable *tables;
    size_t count;
    size_t at;    /* the table that an error is about */
    TableFit fit; /* of the first that cannot be read under the snapshot; TABLE_FITS: all can */
} Cargo;

/* What cargo_look asks, and how. */
typedef struct CargoAsker {
    Database *source, *target; /* in the transactions that carry */
    Oids *oids;
    bool captures; /* DDL is captured: a table has to be as the target has it */
    bool again;    /* the target may have rows, indexes and foreign keys of them */
} CargoAsker;

/* Takes rows, a result of jobs_relations for the job. The caller frees with cargo_free. */
Cargo *cargo_new(PGresult *rows, const Job *job);
void cargo_free(Cargo *cargo);

/*
 * Locks the tables at the source and finds out how each is copied. Succeeds, too, when one does not fit: then the rest is not
 * known.
 */
int cargo_look(Cargo *cargo, const CargoAsker *asker, Error *error) MUST_CHECK;

/* As much as a session is to know of the tables (SESSION_FULL). */
size_t cargo_columns(const Cargo *cargo);

/* Where schema and name of each table, and of the one that it goes through, are in rows: for bent_check. */
extern const int cargo_names[4];

/* For messages: "public.orders (a part)". */
void cargo_name(const CargoTable *table, char *out, size_t size);
