/*
 * Types are asked about table by table, but of those that are known nothing is asked: each once for a worker. A table that the plan
 * had as text is looked at by itself.
 */
#include "cargo.h"

#include <stdio.h>
#include <stdlib.h>

#include "session.h"

#define MOST_COLUMNS 1600 /* MaxHeapAttributeNumber of the server */

/* The columns of jobs_relations. */
enum {
    RELATION,
    SCHEMA,
    TABLE,
    COLUMNS,
    IN_BINARY,
    CONDITION,
    KEY_SQL,
    PART_COLUMN,
    SOURCE_BYTES,
    DEFINITION,
    ROUTE_SCHEMA,
    ROUTE_TABLE,
    COLUMN_TYPES,
    PART_TYPE,
    PART_SCAN,
    SOURCE_OID
};

const int cargo_names[4] = {SCHEMA, TABLE, ROUTE_SCHEMA, ROUTE_TABLE};

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count + 1, size);
    if (memory == NULL) {
        abort();
    }
    return memory;
}

/* NULL for SQL NULL. */
static const char *value(const PGresult *rows, int row, int column)
{
    return PQgetisnull(rows, row, column) ? NULL : PQgetvalue(rows, row, column);
}

static void read_table(const PGresult *rows, int row, const Job *job, CargoTable *out)
{
    bool part = job->kind == JOB_PART;
    out->relation = PQgetvalue(rows, row, RELATION);
    out->key_sql = part ? NULL : value(rows, row, KEY_SQL);
    out->source_bytes = strtoll(PQgetvalue(rows, row, SOURCE_BYTES), NULL, 10);
    out->part_by_scan = PQgetvalue(rows, row, PART_SCAN)[0] == 't';
    out->shape = (TableShape){.schema = PQgetvalue(rows, row, SCHEMA),
                              .table = PQgetvalue(rows, row, TABLE),
                              .columns = PQgetvalue(rows, row, COLUMNS),
                              .binary = PQgetvalue(rows, row, IN_BINARY)[0] == 't',
                              .condition = PQgetvalue(rows, row, CONDITION),
                              .part_column = part ? PQgetvalue(rows, row, PART_COLUMN) : NULL,
                              .part_type = part ? PQgetvalue(rows, row, PART_TYPE) : NULL,
                              .first_key = job->first_key,
                              .last_key = job->last_key,
                              .anew = job->anew,
                              .route_table = value(rows, row, ROUTE_TABLE)};
    if (out->shape.route_table != NULL) {
        out->shape.route_schema = PQgetvalue(rows, row, ROUTE_SCHEMA);
        out->shape.others_first = row > 0;
    }
}

Cargo *cargo_new(PGresult *rows, const Job *job)
{
    Cargo *cargo = allocate(1, sizeof *cargo);
    cargo->rows = rows;
    cargo->count = (size_t)PQntuples(rows);
    cargo->tables = allocate(cargo->count, sizeof *cargo->tables);
    for (size_t i = 0; i < cargo->count; i++) {
        read_table(rows, (int)i, job, &cargo->tables[i]);
    }
    return cargo;
}

void cargo_free(Cargo *cargo)
{
    if (cargo == NULL) {
        return;
    }
    for (size_t i = 0; i < cargo->count; i++) {
        table_copy_free(&cargo->tables[i].copy);
        mixed_free(&cargo->tables[i].mixed);
        free(cargo->tables[i].types);
    }
    PQclear(cargo->rows);
    free(cargo->tables);
    free(cargo);
}

size_t cargo_columns(const Cargo *cargo)
{
    size_t columns = 0;
    for (size_t i = 0; i < cargo->count; i++) {
        columns += SESSION_TABLE + 1;
        for (const char *at = cargo->tables[i].shape.columns; *at != '\0'; at++) {
            columns += *at == ',';
        }
    }
    return columns;
}

void cargo_name(const CargoTable *table, char *out, size_t size)
{
    snprintf(out, size, "%.140s.%.140s%s", table->shape.schema, table->shape.table,
             table->shape.part_column != NULL ? " (a part)" : "");
}

/* As an array of OIDs reads. */
static size_t read_types(const char *types, uint32_t *list)
{
    size_t count = 0;
    for (const char *at = types; *at != '}' && *at != '\0' && count < MOST_COLUMNS;) {
        char *end;
        list[count++] = (uint32_t)strtoul(at + 1, &end, 10);
        at = end;
    }
    return count;
}

/* Types of users have other OIDs on the target: kept with the table where a row of it has one. */
static int load_types(const CargoAsker *asker, CargoTable *table, const uint32_t *types, size_t count,
                      Error *error)
{
    bool needed = false;
    if (count == 0) {
        return 0;
    }
    if (oids_load(asker->oids, asker->source, asker->target, types, count, &needed, error) != 0) {
        return -1;
    }
    if (needed) {
        table->types = allocate(count, sizeof *types);
        table->type_count = count;
        for (size_t i = 0; i < count; i++) {
            table->types[i] = types[i];
        }
    }
    return 0;
}

/* The types of the columns as they go in binary; what the plan found, or what is found now of a table that it had as text. */
static int choose_format(const CargoAsker *asker, CargoTable *table, const char *column_types, Error *error)
{
    uint32_t list[MOST_COLUMNS];
    TableShape *shape = &table->shape;
    Mixed *mixed = &table->mixed;
    if (shape->binary) {
        size_t count = column_types != NULL ? read_types(column_types, list) : 0;
        return load_types(asker, table, list, count, error);
    }
    bool routed = shape->route_table != NULL;
    if (mixed_look(asker->source, asker->target, shape->schema, shape->table,
                   routed ? shape->route_schema : shape->schema, routed ? shape->route_table : shape->table,
                   mixed, error) != 0) {
        return -1;
    }
    shape->binary = mixed->format != MIXED_TEXT;
    shape->mixed = mixed->format == MIXED_BOTH ? &mixed->table : NULL;
    return shape->binary ? load_types(asker, table, mixed->types, mixed->count, error) : 0;
}

static int look_for_references(Cargo *cargo, Database *target, Error *error)
{
    Text schemas = {0}, tables = {0};
    bool *referenced = allocate(cargo->count, sizeof *referenced);
    for (size_t i = 0; i < cargo->count; i++) {
        const TableShape *shape = &cargo->tables[i].shape;
        bool routed = shape->route_table != NULL;
        text_array_add(&schemas, routed ? shape->route_schema : shape->schema);
        text_array_add(&tables, routed ? shape->route_table : shape->table);
    }
    text_array_end(&schemas);
    text_array_end(&tables);
    int status = tables_referenced(target, schemas.data, tables.data, referenced, error);
    for (size_t i = 0; i < cargo->count; i++) {
        cargo->tables[i].shape.referenced = referenced[i];
    }
    free(referenced);
    text_free(&schemas);
    text_free(&tables);
    return status;
}

static int check(Cargo *cargo, const CargoAsker *asker, Error *error)
{
    TableAsked *asked = allocate(cargo->count, sizeof *asked);
    for (size_t i = 0; i < cargo->count; i++) {
        const TableShape *shape = &cargo->tables[i].shape;
        asked[i] = (TableAsked){.schema = shape->schema,
                                .table = shape->table,
                                .columns = shape->columns,
                                .definition = asker->captures ? value(cargo->rows, (int)i, DEFINITION) : NULL,
                                .oid = PQgetvalue(cargo->rows, (int)i, SOURCE_OID)};
    }
    int status = tables_check(asker->source, asked, cargo->count, &cargo->at, error);
    cargo->fit = asked[cargo->at].found.fit;
    for (size_t i = 0; i < cargo->count; i++) {
        CargoTable *table = &cargo->tables[i];
        table->expected = asked[i].found.rows;
        /* The target may have any number of rows when it is copied again: those go by TRUNCATE, where that can be. */
        table->shape.empty = asked[i].found.empty && !asker->again;
    }
    free(asked);
    return status;
}

int cargo_look(Cargo *cargo, const CargoAsker *asker, Error *error)
{
    if ((asker->again && look_for_references(cargo, asker->target, error) != 0) ||
        check(cargo, asker, error) != 0) {
        return -1;
    }
    for (size_t i = 0; i < cargo->count && cargo->fit == TABLE_FITS; i++) {
        CargoTable *table = &cargo->tables[i];
        cargo->at = i;
        if (!table->shape.empty &&
            choose_format(asker, table, value(cargo->rows, (int)i, COLUMN_TYPES), error) != 0) {
            return -1;
        }
        table_copy_build(&table->shape, &table->copy);
    }
    return 0;
}
