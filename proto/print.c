/*
 * Rows know columns only by position, so the printer keeps a copy of each relation as it was last described,
 * in an arena per relation that goes when the relation is described anew.
 */
#include "print.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "print_value.h"

typedef struct PrintedRelation {
    uint32_t id;
    Arena *arena;
    RelationRecord record;
    UT_hash_handle hh;
} PrintedRelation;

struct RecordPrinter {
    FILE *out;
    PrintedRelation *relations;
};

RecordPrinter *record_printer_new(FILE *out)
{
    RecordPrinter *printer = calloc(1, sizeof *printer);
    if (printer == NULL) {
        abort();
    }
    printer->out = out;
    return printer;
}

static void forget(RecordPrinter *printer, PrintedRelation *relation)
{
    HASH_DEL(printer->relations, relation);
    arena_free(relation->arena);
    free(relation);
}

void record_printer_free(RecordPrinter *printer)
{
    if (printer == NULL) {
        return;
    }
    PrintedRelation *relation, *next;
    HASH_ITER(hh, printer->relations, relation, next)
    {
        forget(printer, relation);
    }
    free(printer);
}

static const PrintedRelation *find(const RecordPrinter *printer, uint32_t id)
{
    PrintedRelation *relation;
    HASH_FIND(hh, printer->relations, &id, sizeof id, relation);
    return relation;
}

static Bytes copy_bytes(Arena *arena, Bytes bytes)
{
    return bytes_of(arena_strndup(arena, (const char *)bytes.data, bytes.size), bytes.size);
}

static void remember(RecordPrinter *printer, const RelationRecord *record)
{
    PrintedRelation *relation = (PrintedRelation *)find(printer, record->id);
    if (relation != NULL) {
        forget(printer, relation);
    }
    relation = calloc(1, sizeof *relation);
    if (relation == NULL) {
        abort();
    }
    relation->id = record->id;
    relation->arena = arena_new(1024);
    relation->record = *record;
    relation->record.schema = copy_bytes(relation->arena, record->schema);
    relation->record.name = copy_bytes(relation->arena, record->name);
    RelationColumnRecord *columns = arena_alloc(relation->arena, record->column_count * sizeof *columns);
    for (uint32_t i = 0; i < record->column_count; i++) {
        columns[i] = record->columns[i];
        columns[i].name = copy_bytes(relation->arena, columns[i].name);
        columns[i].type_schema = copy_bytes(relation->arena, columns[i].type_schema);
        columns[i].type_name = copy_bytes(relation->arena, columns[i].type_name);
    }
    relation->record.columns = columns;
    HASH_ADD(hh, printer->relations, id, sizeof relation->id, relation);
}

/* "na""me" */
static void print_quoted(FILE *out, Bytes name)
{
    fputc('"', out);
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        if (c < ' ' || c == 0x7f) {
            fprintf(out, "\\x%02x", c);
        } else {
            fprintf(out, c == '"' ? "\"\"" : "%c", c);
        }
    }
    fputc('"', out);
}

/* name, with quotes where SQL would want them. */
static void print_name(FILE *out, Bytes name)
{
    bool plain = name.size > 0 && !isdigit(name.data[0]);
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        plain = plain && (c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z'));
    }
    if (plain) {
        fwrite(name.data, 1, name.size, out);
    } else {
        print_quoted(out, name);
    }
}

static void print_relation_name(const RecordPrinter *printer, uint32_t id)
{
    const PrintedRelation *relation = find(printer, id);
    if (relation == NULL) {
        fprintf(printer->out, "relation %" PRIu32, id);
        return;
    }
    print_quoted(printer->out, relation->record.schema);
    fputc('.', printer->out);
    print_quoted(printer->out, relation->record.name);
}

static void print_lsn(FILE *out, const char *before, Lsn lsn)
{
    char text[LSN_TEXT_SIZE];
    fprintf(out, "%s%s", before, lsn_format(lsn, text));
}

static void print_time(FILE *out, int64_t time)
{
    fputc(' ', out);
    value_print_time(out, time);
    fputs("+00", out);
}

static void print_hello(FILE *out, const HelloRecord *hello)
{
    fputs("hello plugin ", out);
    value_print_text(out, hello->plugin_version);
    fprintf(out, " wire %" PRIu32 " server %" PRIu32 " encoding ", hello->wire_version,
            hello->server_version);
    value_print_text(out, hello->encoding);
    for (uint32_t i = 0; i < hello->option_count; i++) {
        fputs(i == 0 ? " options " : " ", out);
        value_print_text(out, hello->options[i]);
    }
    fputc('\n', out);
}

static void print_begin(FILE *out, const BeginRecord *begin)
{
    print_lsn(out, "begin ", begin->commit_lsn);
    fprintf(out, " xid %" PRIu32, begin->xid);
    print_time(out, begin->commit_time);
    if (begin->origin.size > 0) {
        fputs(" origin ", out);
        value_print_text(out, begin->origin);
    }
    fputc('\n', out);
}

/* A number is shown where columns before it were dropped. */
static void print_column(FILE *out, const RelationColumnRecord *column, uint32_t expected)
{
    fputc(' ', out);
    print_name(out, column->name);
    fputc(':', out);
    if (column->type_schema.size != strlen("pg_catalog") ||
        memcmp(column->type_schema.data, "pg_catalog", column->type_schema.size) != 0) {
        print_name(out, column->type_schema);
        fputc('.', out);
    }
    print_name(out, column->type_name);
    if (column->typmod != -1) {
        fprintf(out, "#%" PRId32, column->typmod);
    }
    fprintf(out, "/%s%s", column->format == FORMAT_BINARY ? "binary" : "text", column->key ? "/key" : "");
    if (column->number != expected) {
        fprintf(out, "/number %" PRIu32, column->number);
    }
}

static void print_relation(RecordPrinter *printer, const RelationRecord *relation)
{
    static const char *const identities[] = {
        [IDENTITY_NOTHING] = "nothing",
        [IDENTITY_DEFAULT] = "default",
        [IDENTITY_INDEX] = "index",
        [IDENTITY_FULL] = "full",
    };
    remember(printer, relation);
    fprintf(printer->out, "relation %" PRIu32 " ", relation->id);
    print_relation_name(printer, relation->id);
    fprintf(printer->out, " identity %s columns", identities[relation->identity]);
    uint32_t last = 0;
    for (uint32_t i = 0; i < relation->column_count; i++) {
        print_column(printer->out, &relation->columns[i], last + 1);
        last = relation->columns[i].number;
    }
    fputc('\n', printer->out);
}

static void print_cell(FILE *out, const RelationColumnRecord *column, CellState state, Bytes value)
{
    if (state == CELL_ABSENT) {
        return;
    }
    fputc(' ', out);
    print_name(out, column->name);
    fputc('=', out);
    if (state == CELL_VALUE) {
        value_print(out, column, value);
    } else {
        fputs(state == CELL_NULL ? "null" : "unchanged", out);
    }
}

static void print_image(FILE *out, const RelationRecord *relation, const RowsRecord *rows, RowSide side,
                        uint32_t row)
{
    if (rows->sides[side] == NULL || relation == NULL) {
        return;
    }
    if (rows->kind == CHANGE_UPDATE && rows->old != OLD_NONE) {
        fputs(side == SIDE_NEW ? " new" : " old", out);
    }
    for (uint32_t i = 0; i < rows->column_count; i++) {
        Bytes value = {0};
        CellState state = rows_cell(rows, side, i, row, &value);
        print_cell(out, &relation->columns[i], state, value);
    }
}

static void print_rows(const RecordPrinter *printer, const RowsRecord *rows)
{
    static const char *const kinds[] = {
        [CHANGE_INSERT] = "insert ",
        [CHANGE_UPDATE] = "update ",
        [CHANGE_DELETE] = "delete ",
    };
    const PrintedRelation *relation = find(printer, rows->relation);
    const RelationRecord *record = relation != NULL ? &relation->record : NULL;
    for (uint32_t row = 0; row < rows->count; row++) {
        fputs(kinds[rows->kind], printer->out);
        print_relation_name(printer, rows->relation);
        fprintf(printer->out, " #%" PRIu64, rows->first_sequence + row);
        print_image(printer->out, record, rows, SIDE_OLD, row);
        print_image(printer->out, record, rows, SIDE_NEW, row);
        fputc('\n', printer->out);
    }
}

static void print_truncate(const RecordPrinter *printer, const TruncateRecord *truncate)
{
    fprintf(printer->out, "truncate #%" PRIu64, truncate->sequence);
    for (uint32_t i = 0; i < truncate->relation_count; i++) {
        fputs(i == 0 ? " " : ", ", printer->out);
        print_relation_name(printer, truncate->relations[i]);
    }
    fprintf(printer->out, "%s%s\n", truncate->cascade ? " cascade" : "",
            truncate->restart_identity ? " restart identity" : "");
}

static void print_message(FILE *out, const MessageRecord *message)
{
    if (message->transactional) {
        fprintf(out, "message #%" PRIu64, message->sequence);
    } else {
        print_lsn(out, "message at ", message->lsn);
    }
    fputs(" prefix ", out);
    value_print_text(out, message->prefix);
    fputs(" content ", out);
    value_print_text(out, message->content);
    fputc('\n', out);
}

static void print_recopy(const RecordPrinter *printer, const RecopyRecord *recopy)
{
    fprintf(printer->out, "recopy #%" PRIu64 " ", recopy->sequence);
    print_relation_name(printer, recopy->relation);
    print_lsn(printer->out, " at ", recopy->lsn);
    fputs(" reason ", printer->out);
    value_print_text(printer->out, recopy->reason);
    fputc('\n', printer->out);
}

static void print_commit(FILE *out, const CommitRecord *commit)
{
    print_lsn(out, "commit ", commit->commit_lsn);
    print_lsn(out, " end ", commit->end_lsn);
    fprintf(out, " changes %" PRIu64, commit->change_count);
    print_time(out, commit->commit_time);
    fputc('\n', out);
}

void record_print(RecordPrinter *printer, const Record *record)
{
    FILE *out = printer->out;
    switch (record->kind) {
    case RECORD_HELLO:
        print_hello(out, record->hello);
        break;
    case RECORD_BEGIN:
        print_begin(out, &record->begin);
        break;
    case RECORD_RELATION:
        print_relation(printer, record->relation);
        break;
    case RECORD_ROWS:
        print_rows(printer, &record->rows);
        break;
    case RECORD_TRUNCATE:
        print_truncate(printer, &record->truncate);
        break;
    case RECORD_MESSAGE:
        print_message(out, record->message);
        break;
    case RECORD_HEARTBEAT:
        print_lsn(out, "heartbeat ", record->heartbeat.lsn);
        print_time(out, record->heartbeat.time);
        fputc('\n', out);
        break;
    case RECORD_COMMIT:
        print_commit(out, &record->commit);
        break;
    case RECORD_RECOPY:
        print_recopy(printer, &record->recopy);
        break;
    }
}
