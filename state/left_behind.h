/*
 * Which relations of the source stay behind: what the patterns of selection.h come to in its catalogs. All programs ask here.
 *
 *     Selection ──┐
 *                 ├─► left_behind_find ──► LeftBehind ──► left_behind_hide: queries of this session pass them over
 *     catalogs ───┘                            └────────► left_behind_renew: penstock.left_behind, which the applier's decoder
 *                                                         gets as a list of OIDs, and people can read
 *
 *   - A partition goes with what it is a partition of: what is said of that is said of all below. By itself it may stay behind
 *     (--exclude), or be moved alone, as a table (--only).
 *   - What inherits from a table that stays behind stays behind: it cannot be made.
 *   - A sequence goes with the tables that own or use it, and stays behind when all of these do. One that no table has goes by
 *     its own name.
 *   - Tables of extensions are made by CREATE EXTENSION; what stays behind of them is their rows.
 *   - Only relations are chosen. Schemas, types, functions and extensions are made, whatever the patterns; what needs a relation
 *     that stays behind is left out by the copy, by name (control/schema/leave.h).
 *
 * The stream goes by OID. So a table that is moved is never passed over, whatever it is renamed to: left_behind_renew refuses
 * one that is in penstock.relation.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "selection.h"

typedef enum LeftExtent { LEFT_ALL, LEFT_ROWS } LeftExtent;

typedef struct LeftRelation {
    uint32_t oid; /* at the source */
    char kind;    /* pg_class.relkind */
    LeftExtent extent;
    const char *schema;
    const char *name;
    char *reason; /* "--exclude audit.*" */
} LeftRelation;

typedef struct LeftBehind {
    PGresult *rows;     /* what the names lie in */
    LeftRelation *list; /* by OID */
    size_t count;
    size_t kept; /* relations that are moved, rows and all */
    Text idle;   /* patterns that fit nothing, as options, with commas between; empty: all fit */
} LeftBehind;

/* Of all relations, or, with relation not NULL, of the one with that OID and what it is a part of. The caller frees *out. */
int left_behind_find(Database *source, const Selection *selection, const char *relation, LeftBehind *out,
                     Error *error) MUST_CHECK;
void left_behind_free(LeftBehind *left);

/* NULL: it is moved. */
const LeftRelation *left_behind_at(const LeftBehind *left, uint32_t oid);

/*
 * From here on the session's queries pass these relations over, where they have one of the conditions below. A session in
 * which nothing was hidden sees all.
 */
int left_behind_hide(Database *source, const LeftBehind *left, Error *error) MUST_CHECK;

/* Conditions on the OID of a relation: something of it is moved; its rows are. */
#define LEFT_BEHIND_LIST(setting)                                                                            \
    "(SELECT pg_catalog.unnest(pg_catalog.string_to_array(pg_catalog.current_setting('penstock." setting     \
    "', true), ',')::pg_catalog.oid[]))"
#define IS_KEPT(oid) "NOT " oid " IN " LEFT_BEHIND_LIST("left_behind")
#define IS_MOVED(oid) "(" IS_KEPT(oid) " AND NOT " oid " IN " LEFT_BEHIND_LIST("left_rows") ")"

/*
 * Finds what stays behind of the migration by its patterns, as the source is now, writes it down and hides it in the session.
 * ERROR_STATE when a table that is moved has got a name by which it would stay behind.
 */
int left_behind_renew(Database *source, Database *target, const char *migration, Error *error) MUST_CHECK;

/* Hides what was written down last; costs no look at the catalogs. */
int left_behind_hide_known(Database *source, Database *target, const char *migration,
                           Error *error) MUST_CHECK;

/* The OIDs of what was written down, with commas between: what the stream need not bring. The caller frees *out; NULL: none. */
int left_behind_oids(Database *target, const char *migration, char **out, Error *error) MUST_CHECK;

/*
 * Whether a relation that the migration does not know stays behind; if so it is written down. oid: at the source. The sessions on
 * both sides have one encoding.
 */
int left_behind_judge(Database *source, Database *target, const char *migration, const char *oid, bool *left,
                      Error *error) MUST_CHECK;

/*
 * The same of tables that a statement has made, of which the source's event triggers say name and parents: tables is their
 * list, in JSON (oid, schema, name, kind, parents). Whether they stay behind is judged by that alone, since they may have gone
 * at the source since.
 */
int left_behind_judge_made(Database *target, const char *migration, const char *tables,
                           Error *error) MUST_CHECK;
