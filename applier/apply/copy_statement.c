/*
 * The format, in network order: a signature with two 32-bit zeros; for each row the 16-bit number of its fields, then each
 * field's 32-bit length (-1 for NULL) and bytes; -1 in the place of a last row. Where one message ends and the next begins
 * means nothing, so a piece is filled to the brim and a value may go on in the next.
 */
#include "copy_statement.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define HEAD_SIZE 8 /* room for a number of fields and a length, or for the end */

static const uint8_t signature[19] = "PGCOPY\n\377\r\n";

char *copy_sql(const ApplyRelation *relation)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    fprintf(out, "COPY %s ", relation->qualified);
    const char *separator = "(";
    for (uint32_t c = 0; c < relation->source->column_count; c++) {
        if (!relation->columns[c].generated) {
            fprintf(out, "%s%s", separator, relation->columns[c].quoted);
            separator = ", ";
        }
    }
    fputs(") FROM STDIN (FORMAT binary)", out);
    fclose(out);
    return text;
}

CopyData copy_data(Arena *arena, const ApplyRelation *relation, const NetRow *rows, size_t count)
{
    uint32_t *columns = arena_alloc(arena, sizeof *columns * relation->source->column_count);
    uint32_t column_count = 0;
    for (uint32_t c = 0; c < relation->source->column_count; c++) {
        if (!relation->columns[c].generated) {
            columns[column_count++] = c;
        }
    }
    return (CopyData){.relation = relation,
                      .rows = rows,
                      .count = count,
                      .columns = columns,
                      .column_count = column_count,
                      .piece = arena_alloc(arena, COPY_PIECE)};
}

static uint8_t *put_int16(uint8_t *at, uint16_t value)
{
    uint16_t network = htons(value);
    memcpy(at, &network, sizeof network);
    return at + sizeof network;
}

static uint8_t *put_int32(uint8_t *at, uint32_t value)
{
    uint32_t network = htonl(value);
    memcpy(at, &network, sizeof network);
    return at + sizeof network;
}

/* As much of the rest as there is room for. */
static uint8_t *put_rest(CopyData *data, uint8_t *at, size_t room)
{
    size_t size = data->rest.size < room ? data->rest.size : room;
    memcpy(at, data->rest.data, size);
    data->rest = bytes_of(data->rest.data + size, data->rest.size - size);
    return at + size;
}

/* What stands before the next cell's bytes; these become the rest. */
static uint8_t *put_head(CopyData *data, uint8_t *at)
{
    if (data->column == 0) {
        at = put_int16(at, (uint16_t)data->column_count);
    }
    Bytes value;
    if (image_cell(&data->rows[data->row].image, data->columns[data->column], &value) == CELL_VALUE) {
        at = put_int32(at, (uint32_t)value.size);
        data->rest = value;
    } else {
        at = put_int32(at, UINT32_MAX);
    }
    if (++data->column == data->column_count) {
        data->column = 0;
        data->row++;
    }
    return at;
}

Bytes copy_data_next(CopyData *data)
{
    uint8_t *at = data->piece;
    const uint8_t *end = data->piece + COPY_PIECE;
    if (!data->begun) {
        memcpy(at, signature, sizeof signature);
        at += sizeof signature;
        data->begun = true;
    }
    while (!data->ended) {
        if (data->rest.size != 0) {
            at = put_rest(data, at, (size_t)(end - at));
        }
        if (end - at < HEAD_SIZE) {
            break;
        }
        if (data->row < data->count) {
            at = put_head(data, at);
        } else {
            at = put_int16(at, UINT16_MAX);
            data->ended = true;
        }
    }
    return bytes_of(data->piece, (size_t)(at - data->piece));
}
