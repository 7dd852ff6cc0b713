/*
 * The script that `pg_restore --verbose --file=-` writes of a section, taken apart into its objects. Pure.
 *
 * So the statements are pg_restore's own, with owners, tablespaces and all, and yet each object can be made,
 * fail, be left for later and be named by itself.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libpq-fe.h>

#include "error.h"

typedef struct SchemaObject {
    int dump_id; /* of this dump: what needs of others point to */
    uint32_t
        class_id; /* the catalog's OID at the source, and the object's; 0 for entries that are no object */
    uint32_t object_id;
    const char *kind;          /* "FK CONSTRAINT" */
    const char *schema;        /* "-" for none */
    const char *name;          /* "orders orders_customer_fkey": line breaks in it are blanks */
    const char *tablespace;    /* the SET that goes before sql, or NULL */
    const char *access_method; /* likewise */
    const char *sql;
    int *needs; /* dump_ids */
    size_t need_count;
    char *left;      /* owned: why it is left out, whatever the options say (leave.h); or NULL */
    char *not_valid; /* owned: the same for a constraint that is made NOT VALID */
} SchemaObject;

typedef struct SchemaScript {
    char *text;        /* owned: the objects' strings lie in it, or in more */
    PGresult *more[4]; /* owned */
    SchemaObject *objects;
    size_t count;
    size_t capacity; /* of objects */
} SchemaScript;

/*
 * Takes text (NULL: nothing), which becomes the script's and is changed, apart. Left out is what every target has already: the
 * comment and grants of schema public (rights.h brings those), and comments on extensions, which CREATE EXTENSION sets.
 * So is what captures DDL for a migration. ERROR_PROTOCOL when it does not look like such a script.
 */
int script_parse(char *text, SchemaScript *out, Error *error) MUST_CHECK;

/*
 * One more object behind the others, which needs none of them. Its strings are the caller's to keep for as long as the script
 * is there; script_keep makes the script keep the rows that they lie in.
 */
void script_add(SchemaScript *script, const SchemaObject *object);
void script_keep(SchemaScript *script, PGresult *rows);
void script_free(SchemaScript *script);
