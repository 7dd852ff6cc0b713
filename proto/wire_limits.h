/*
 * The limits of the wire format. Both sides keep them: a reader may reserve memory by them before it has seen
 * the bytes. docs/wire-format.md lists them.
 */
#pragma once

/* A CopyData message has to fit into 1 GB in both server and client, together with the header that stands
 * before it. */
#define MAX_FRAME_SIZE ((size_t)(1u << 30) - 1024)

/* Inflated bytes of one frame. A reader usually allows far less. */
#define MAX_BATCH_SIZE ((size_t)0x7fffffff)

/* Frame.raw_size is left out below this. */
#define SMALL_BATCH_SIZE 1024

#define MAX_RUN_ROWS 65536
#define MAX_COLUMNS 1600 /* as in PostgreSQL */
#define MAX_OPTIONS 64

/*
 * The memory of a reader, for one frame: the Batch once inflated, and READER_FACTOR times as much for what is made of it.
 * Whatever its bytes are, and however little there are: a record of two bytes makes a struct of a hundred, but none that
 * says "65,536 rows of 1,600 empty columns" makes offsets for each. The largest multiples: a Record for 4 bytes, a
 * column's entry and its struct for 2. The fuzzers run with an arena that has this limit.
 *
 * Beside that, for the connection: the zstd window, and 100 bytes for each relation that was described.
 */
#define READER_FACTOR 64

/* A zstd block has at most 128 KiB and at least 4 bytes. */
#define ZSTD_FACTOR ((size_t)(128 * 1024 / 4))

/* A zstd stream may look back 2^23 bytes: all that levels up to 19 use. */
#define MAX_WINDOW_LOG 23
