/*
 * Compares two databases exactly, each under a snapshot: every migrated table by the number of its rows and
 * the sum of 64-bit hashes of them, both computed in the servers; of a table that differs, which rows do.
 *
 * A row's hash covers the columns of the source, by name. Values are hashed in a form that is the same on
 * both majors and loses nothing (forms.h). A target column that the source lacks is not looked at.
 *
 * Nothing is written. Sessions are opened for each side and job; the caller keeps the snapshots alive
 * meanwhile.
 *
 * A snapshot does not protect from TRUNCATE: whoever empties a table leaves nothing to older snapshots. Locks do, but
 * they make the TRUNCATE wait, so they are for moments only. Small tables, where emptying is usual (queues, staging), are
 * therefore compared first, by the session of a guard that has locked them before anybody could empty them. A larger
 * one that was emptied meanwhile is told as what it is.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "database.h"
#include "error.h"

typedef struct CompareOptions {
    const char *source_uri;
    const char *target_uri;
    const char *source_snapshot; /* as pg_export_snapshot gave it; NULL: one is taken now */
    const char *target_snapshot;
    const char *migration;
    const char *only; /* these relations (penstock.relation.id), as an array literal; NULL: all */
    double
        deadline; /* on clock_seconds: what is not compared by then is late, and small tables come first; 0: none */
    int jobs;     /* tables compared at the same time */
    int max_keys; /* differing rows that are listed per table */
    bool (*stop)(void);
    Database *
        *guard; /* of the target's snapshot, from compare_guard: closed and set to NULL early; or NULL */
    QueryLimits guard_limits; /* of compare_guard; zeroed: none */
} CompareOptions;

/* A column that differs, of a row that is on both sides: the beginnings of its values, NULL for null. */
typedef struct CompareValue {
    char *column;
    char *source;
    char *target;
} CompareValue;

typedef struct CompareKey {
    char *key;     /* the key's columns, or the row where there is none, as text, shortened */
    char hash[24]; /* of it */
    bool on_source;
    bool on_target;
    CompareValue *values;
    size_t value_count;
    char **parts; /* the values of the key's columns as text, where they were asked for */
    size_t part_count;
} CompareKey;

typedef struct CompareTable {
    char *schema;
    char *name;
    int64_t source_rows;
    int64_t target_rows;
    bool equal;
    bool rewritten;  /* not equal, but emptied or rewritten on the target since the snapshot: no answer */
    bool unreadable; /* a side could not read it, or does not have it any more: no answer */
    bool late;       /* there was no time to compare it */
    char *problem;   /* why it could not be compared (missing on the target …), or NULL */
    CompareKey *keys;
    size_t key_count;
    bool more_keys; /* differ than are listed */
    /* Where keys' parts were asked for, expressions over t: the hash of a row, the hash of its key, and the key as it is shown. */
    char *row_hash, *key_hash, *key_shown;
} CompareTable;

typedef struct CompareResult {
    CompareTable *tables; /* by name */
    size_t table_count;
    size_t different;  /* tables that are not equal */
    size_t rewritten;  /* tables that could not be compared because of a TRUNCATE since */
    size_t late;       /* tables for which there was no time */
    size_t unreadable; /* tables that could not be compared for another reason */
    int64_t rows;      /* of the source */
} CompareResult;

/*
 * A table that cannot be compared is told as such, with the reason, and the others are compared. Fails only when a side is lost
 * or it is interrupted. The caller frees *out with compare_free, also after an error.
 */
int compare_tables(const CompareOptions *options, CompareResult *out, Error *error) MUST_CHECK;
void compare_free(CompareResult *result);

/* Frees what is in one of them. */
void compare_table_clear(CompareTable *table);

/*
 * Opens the guard: a session on the target under options->target_snapshot that locks the small tables of the migration
 * against TRUNCATE (and nothing less: ACCESS SHARE). compare_tables reads them with it and closes it, within a second as
 * a rule; left idle for 10 seconds it ends itself. The caller closes *out if it never comes to that.
 */
int compare_guard(const CompareOptions *options, Database **out, Error *error) MUST_CHECK;
