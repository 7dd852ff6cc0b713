/*
 * The row's values are in the binary format of their types, so the server makes the text of them: each is a parameter of
 * its own, cast to text, in json_object(names, values). Names of columns stand in the statement as quoted literals.
 */
#include "record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reduce.h"
#include "state.h"

#define TEXT_OID 25
#define FIXED_COUNT 10

static const char *const kinds[] = {
    [CHANGE_INSERT] = "insert",
    [CHANGE_UPDATE] = "update",
    [CHANGE_DELETE] = "delete",
};

typedef struct Parameters {
    Oid *types;
    const char **values;
    int *lengths;
    int count;
} Parameters;

static void add(Parameters *record, Oid type, const char *data, size_t size)
{
    record->types[record->count] = type;
    record->values[record->count] = data;
    record->lengths[record->count] = (int)size;
    record->count++;
}

static void add_text(Parameters *record, const char *text)
{
    add(record, TEXT_OID, text, text != NULL ? strlen(text) : 0);
}

static void put_literal(FILE *out, const char *text)
{
    fputs("E'", out);
    for (; *text != '\0'; text++) {
        fprintf(out, *text == '\'' || *text == '\\' ? "\\%c" : "%c", *text);
    }
    fputs("'", out);
}

/* A json object of the image's cells, those of the key alone or all that it has, with their values as parameters. */
static char *json_expression(Parameters *record, const Change *change, const RowImage *image, bool key_only)
{
    const ApplyRelation *relation = change->relation;
    const SourceRelation *source = relation->source;
    char *text = NULL, *values = NULL;
    size_t size = 0, values_size = 0;
    FILE *out = open_memstream(&text, &size), *list = open_memstream(&values, &values_size);
    const char *separator = "";
    fputs("pg_catalog.json_object(ARRAY[", out);
    for (uint32_t c = 0; c < source->column_count; c++) {
        Bytes value = {0};
        CellState state = image_cell(image, c, &value);
        if (state > CELL_NULL || (key_only && !source->columns[c].key)) {
            continue;
        }
        add(record, relation->columns[c].element_type,
            state == CELL_NULL ? NULL
            : value.size == 0  ? ""
                               : (const char *)value.data,
            value.size);
        fputs(separator, out);
        put_literal(out, source->columns[c].name);
        fprintf(list, "%s$%d::pg_catalog.text", separator, record->count);
        separator = ", ";
    }
    fclose(list);
    fprintf(out, "]::pg_catalog.text[], ARRAY[%s]::pg_catalog.text[])", values);
    fclose(out);
    free(values);
    return text;
}

static Parameters new_record(Arena *arena, size_t columns)
{
    size_t limit = FIXED_COUNT + 2 * columns;
    return (Parameters){.types = arena_alloc(arena, sizeof(Oid) * limit),
                        .values = arena_alloc(arena, sizeof(char *) * limit),
                        .lengths = arena_alloc(arena, sizeof(int) * limit)};
}

typedef struct Where {
    char lsn[LSN_TEXT_SIZE];
    char sequence[24];
} Where;

static void add_fixed(Parameters *record, Where *where, const char *migration, Position position,
                      const SourceRelation *source, const char *kind, const Settled *settled)
{
    snprintf(where->sequence, sizeof where->sequence, "%llu", (unsigned long long)position.sequence);
    add_text(record, migration);
    add_text(record, lsn_format(position.commit_lsn, where->lsn));
    add_text(record, where->sequence);
    add_text(record, source != NULL ? source->schema : NULL);
    add_text(record, source != NULL ? source->name : NULL);
    add_text(record, kind);
    add_text(record, settled->problem);
    add_text(record, settled->sqlstate);
    add_text(record, settled->message);
    add_text(record, settled->action);
}

static void send_record(Session *session, const Parameters *record, char *key, char *new_row)
{
    char *sql = state_conflict_sql(key != NULL ? key : "NULL", new_row != NULL ? new_row : "NULL");
    session_command_with(session, sql, record->count, record->types, record->values, record->lengths);
    free(sql);
    free(key);
    free(new_row);
}

void record_change(Session *session, Arena *arena, const char *migration, const Change *change,
                   const Settled *settled)
{
    const SourceRelation *source = change->relation->source;
    Parameters record = new_record(arena, source->column_count);
    Where where;
    RowImage old = change_key(change), new = change_image(change);
    char *key = NULL, *new_row = NULL;
    add_fixed(&record, &where, migration, change->position, source, kinds[change->rows->kind], settled);
    if (change->relation->match != MATCH_NONE && change->rows->kind != CHANGE_INSERT) {
        key = json_expression(&record, change, &old, change->relation->match == MATCH_KEY);
    } else if (change->relation->match == MATCH_KEY) {
        key = json_expression(&record, change, &new, true);
    }
    if (change->rows->kind != CHANGE_DELETE) {
        new_row = json_expression(&record, change, &new, false);
    }
    send_record(session, &record, key, new_row);
}

void record_truncate(Session *session, Arena *arena, const char *migration, const Batch *batch,
                     const Settled *settled)
{
    for (uint32_t i = 0; i < batch->truncate->relation_count; i++) {
        if (batch->truncated[i] != NULL) {
            Parameters record = new_record(arena, 0);
            Where where;
            add_fixed(&record, &where, migration, batch->last, batch->truncated[i]->source, "truncate",
                      settled);
            send_record(session, &record, NULL, NULL);
        }
    }
}
