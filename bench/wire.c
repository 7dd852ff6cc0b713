/*
 * How fast the wire is: cells per second through the writer, as in the source's walsender, and through the reader, as in
 * the applier. Two workloads: rows of ten columns in large transactions, and transactions of four single-row runs as
 * pgbench makes them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "reader.h"
#include "writer.h"

#define COLUMNS 10
#define RELATIONS 4

typedef struct Bench {
    FrameWriter *writer;
    FrameReader *reader;
    Arena *arena;
    double writing; /* seconds */
    double reading;
    uint64_t cells;
    uint64_t rows;
    uint64_t bytes;
    uint64_t seen; /* bytes of values that came out of the reader */
} Bench;

/* CPU time, so that neighbours on the machine do not count. */
static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void must(int status, const Error *error)
{
    if (status != 0) {
        fprintf(stderr, "%s\n", error->message);
        exit(1);
    }
}

static void look_at_rows(Bench *bench, const RowsRecord *rows)
{
    for (uint32_t column = 0; column < rows->column_count; column++) {
        for (uint32_t row = 0; row < rows->count; row++) {
            Bytes value = {0};
            rows_cell(rows, SIDE_NEW, column, row, &value);
            bench->seen += value.size;
        }
    }
}

static void pass(Bench *bench)
{
    Error error;
    Bytes frame;
    Record *records;
    size_t count;
    must(frame_writer_take(bench->writer, &frame, &error), &error);
    double start = now();
    must(frame_reader_open(bench->reader, frame, bench->arena, &records, &count, &error), &error);
    for (size_t i = 0; i < count; i++) {
        if (records[i].kind == RECORD_ROWS) {
            look_at_rows(bench, &records[i].rows);
        }
    }
    arena_reset(bench->arena);
    bench->reading += now() - start;
    bench->writing -= now() - start;
    bench->bytes += frame.size;
}

static void open_bench(Bench *bench, WireCodec codec)
{
    Error error;
    FrameWriterOptions writing = {.codec = codec, .level = 1, .frame_size = 256 * 1024};
    FrameReaderOptions reading = {.max_raw_size = 64 * 1024 * 1024};
    *bench = (Bench){.arena = arena_new(8 * 1024 * 1024)};
    must(frame_writer_new(&writing, &bench->writer, &error), &error);
    must(frame_reader_new(&reading, &bench->reader, &error), &error);
    HelloRecord hello = {.wire_version = WIRE_VERSION, .server_version = 110022};
    must(writer_hello(bench->writer, &hello, &error), &error);
    BeginRecord begin = {.commit_lsn = 1};
    must(writer_begin(bench->writer, &begin, &error), &error);
    RelationColumnRecord columns[COLUMNS];
    for (size_t i = 0; i < COLUMNS; i++) {
        columns[i] = (RelationColumnRecord){
            .number = (uint32_t)i + 1, .name = bytes_of("column", 6), .type = 25, .typmod = -1};
    }
    for (uint32_t id = 1; id <= RELATIONS; id++) {
        RelationRecord relation = {.id = id,
                                   .schema = bytes_of("public", 6),
                                   .name = bytes_of("t", 1),
                                   .column_count = COLUMNS,
                                   .columns = columns};
        must(writer_relation(bench->writer, &relation, &error), &error);
    }
    CommitRecord commit = {.commit_lsn = 1, .end_lsn = 2};
    must(writer_commit(bench->writer, &commit, &error), &error);
    pass(bench);
}

/* Half numbers of eight bytes, half short texts, one in ten null. */
static void write_row(Bench *bench, uint32_t relation, uint64_t seed)
{
    static const char words[] = "the quick brown fox jumps over the lazy dog and runs";
    Error error;
    must(writer_row(bench->writer, relation, COLUMNS, CHANGE_INSERT, OLD_NONE, &error), &error);
    for (uint64_t i = 0; i < COLUMNS; i++) {
        uint64_t number = seed * 2654435761u + i;
        int status;
        if (number % 10 == 3) {
            status = writer_state(bench->writer, SIDE_NEW, CELL_NULL, &error);
        } else if (i % 2 == 0) {
            status = writer_value(bench->writer, SIDE_NEW, &seed, sizeof seed, &error);
        } else {
            status = writer_value(bench->writer, SIDE_NEW, words + number % 20, 5 + number % 25, &error);
        }
        must(status, &error);
    }
    must(writer_row_end(bench->writer, &error), &error);
    bench->cells += COLUMNS;
    bench->rows++;
}

static void write_transactions(Bench *bench, uint64_t transactions, uint64_t rows, uint32_t relations)
{
    Error error;
    double start = now();
    for (uint64_t i = 1; i <= transactions; i++) {
        BeginRecord begin = {.commit_lsn = i * 100};
        CommitRecord commit = {.commit_lsn = i * 100, .end_lsn = i * 100 + 50};
        must(writer_begin(bench->writer, &begin, &error), &error);
        for (uint64_t row = 0; row < rows; row++) {
            write_row(bench, (uint32_t)(row % relations) + 1, i * rows + row);
            if (frame_writer_full(bench->writer)) {
                pass(bench);
            }
        }
        must(writer_commit(bench->writer, &commit, &error), &error);
        pass(bench);
    }
    bench->writing += now() - start;
}

static void run(const char *name, WireCodec codec, uint64_t transactions, uint64_t rows, uint32_t relations)
{
    Bench bench;
    open_bench(&bench, codec);
    bench.reading = 0;
    bench.writing = 0;
    write_transactions(&bench, transactions, rows, relations);
    printf("%-26s %-5s  write %6.1f M cells/s %6.2f M rows/s   read %6.1f M cells/s %6.2f M rows/s   %5.1f "
           "bytes/row\n",
           name, codec == WIRE_CODEC_ZSTD ? "zstd1" : "none", (double)bench.cells / bench.writing / 1e6,
           (double)bench.rows / bench.writing / 1e6, (double)bench.cells / bench.reading / 1e6,
           (double)bench.rows / bench.reading / 1e6, (double)bench.bytes / (double)bench.rows);
    frame_writer_free(bench.writer);
    frame_reader_free(bench.reader);
    arena_free(bench.arena);
}

int main(void)
{
    for (WireCodec codec = WIRE_CODEC_NONE; codec <= WIRE_CODEC_ZSTD; codec++) {
        run("large transactions", codec, 10, 100000, 1);
        run("four rows per transaction", codec, 100000, 4, RELATIONS);
    }
    return 0;
}
