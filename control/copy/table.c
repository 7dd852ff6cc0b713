/*
 * Columns are named on both ends, so that their order does not matter. What is copied whole is emptied in the transaction
 * that fills it: that makes FREEZE possible, and a crash leaves all rows or none. A table that foreign keys point to, which
 * is so when it is copied again, can only be emptied by DELETE; there, no FREEZE. And of an extension's table must rows stay
 * that are the extension's own, of one that is copied in parts the other parts; there, no FREEZE either. Leaves whose rows go
 * through a partitioned table are copied together: the first of them empties it. And what goes through a table in between is
 * written by INSERT, which cannot freeze either.
 *
 * A heap whose file has no block has no row either, whatever a snapshot sees: rows that it sees were in the file before it was
 * taken, and vacuum cuts off no block with such a row. An unlogged table has no file on a standby, whatever the source has in it.
 * Where nothing comes, DELETE empties the target's table: TRUNCATE makes new files for it, its TOAST table and indexes.
 */
#include "table.h"

#include <stdlib.h>
#include <string.h>

static void append_name(Text *text, const TableShape *shape)
{
    text_qualified_add(text, shape->schema, shape->table);
}

/* Its name on the target. */
static void append_place(Text *text, const TableShape *shape)
{
    bool routed = shape->route_table != NULL;
    text_qualified_add(text, routed ? shape->route_schema : shape->schema,
                       routed ? shape->route_table : shape->table);
}

/* The list of columns; without columns there is none. */
static void append_columns(Text *text, const TableShape *shape)
{
    if (shape->columns[0] != '\0') {
        text_printf(text, " (%s)", shape->columns);
    }
}

static bool has_condition(const TableShape *shape)
{
    return shape->condition != NULL && shape->condition[0] != '\0';
}

static void append_bound(const TableShape *shape, const char *word, const char *comparison, const char *key,
                         Text *out)
{
    if (key[0] != '\0') {
        text_append(out, word);
        text_name_add(out, shape->part_column);
        text_append(out, comparison);
        text_literal_add(out, key);
        text_printf(out, "::pg_catalog.%s", shape->part_type);
    }
}

/* Which rows of the table the copy is about: nothing, or " WHERE …". */
static void build_which(const TableShape *shape, Text *out)
{
    if (has_condition(shape)) {
        text_printf(out, " %s", shape->condition);
    }
    if (shape->part_column == NULL) {
        return;
    }
    append_bound(shape, " WHERE ", " >= ", shape->first_key, out);
    append_bound(shape, shape->first_key[0] != '\0' ? " AND " : " WHERE ", " < ", shape->last_key, out);
}

/* Whether the table holds nothing else than what is copied, and may be emptied by TRUNCATE. */
static bool owns_table(const TableShape *shape)
{
    return !has_condition(shape) && shape->part_column == NULL && shape->route_table == NULL &&
           !shape->referenced;
}

/* For another row to take its place, or none. */
static const char *emptied_by(const TableShape *shape)
{
    if (shape->route_table != NULL) {
        return shape->referenced ? "DELETE FROM " : "TRUNCATE ";
    }
    return owns_table(shape) && !shape->empty ? "TRUNCATE ONLY " : "DELETE FROM ONLY ";
}

/* Whether COPY may write frozen rows: an INSERT cannot. */
static bool freezes(const TableShape *shape)
{
    return owns_table(shape) && shape->mixed == NULL;
}

static void build_clear(const TableShape *shape, const char *which, Text *out)
{
    if ((shape->part_column != NULL && !shape->anew) || shape->others_first) {
        return;
    }
    text_append(out, emptied_by(shape));
    append_place(out, shape);
    text_append(out, which);
}

static void build_out(const TableShape *shape, const char *which, Text *out)
{
    text_append(out, "COPY ");
    if (which[0] != '\0' || shape->mixed != NULL) {
        text_printf(out, "(SELECT %s FROM ONLY ", shape->mixed != NULL ? shape->mixed->sent : shape->columns);
        append_name(out, shape);
        text_printf(out, "%s)", which);
    } else {
        append_name(out, shape);
        append_columns(out, shape);
    }
    text_append(out, shape->binary ? " TO STDOUT WITH (FORMAT binary)" : " TO STDOUT");
}

static void build_in(const TableShape *shape, Text *out)
{
    text_append(out, "COPY ");
    if (shape->mixed != NULL) {
        text_append(out, shape->mixed->staging);
    } else {
        append_place(out, shape);
    }
    append_columns(out, shape);
    text_printf(out, " FROM STDIN WITH (FORMAT %s%s)", shape->binary ? "binary" : "text",
                freezes(shape) ? ", FREEZE true" : "");
}

/* Identities that are GENERATED ALWAYS take what COPY gives; an INSERT has to say so. */
static void build_staging(const TableShape *shape, TableCopy *out)
{
    const TableMixed *mixed = shape->mixed;
    text_printf(&out->make, "CREATE UNLOGGED TABLE %s AS SELECT %s FROM ", mixed->staging, mixed->staged);
    append_place(&out->make, shape);
    text_append(&out->make, " WITH NO DATA");
    if (mixed->storage != NULL) {
        text_printf(&out->make, "; ALTER TABLE %s%s", mixed->staging, mixed->storage);
    }
    text_append(&out->move, "INSERT INTO ");
    append_place(&out->move, shape);
    append_columns(&out->move, shape);
    text_printf(&out->move, " OVERRIDING SYSTEM VALUE SELECT %s FROM %s", mixed->kept, mixed->staging);
    text_printf(&out->empty, "TRUNCATE %s", mixed->staging);
    text_printf(&out->drop, "DROP TABLE %s", mixed->staging);
}

void table_copy_build(const TableShape *shape, TableCopy *out)
{
    Text which = {0};
    *out = (TableCopy){0};
    text_append(&which, "");
    build_which(shape, &which);
    build_clear(shape, which.data, &out->clear);
    build_out(shape, which.data, &out->out);
    build_in(shape, &out->in);
    if (shape->mixed != NULL) {
        build_staging(shape, out);
    }
    text_free(&which);
}

void table_copy_free(TableCopy *copy)
{
    text_free(&copy->clear);
    text_free(&copy->out);
    text_free(&copy->in);
    text_free(&copy->make);
    text_free(&copy->move);
    text_free(&copy->empty);
    text_free(&copy->drop);
}
