/*
 * A region allocator: one arena per unit of work (a frame, a batch), freed whole.
 *
 * Memory comes in chunks; arena_reset() keeps the first chunk for reuse. Running out of memory ends the
 * process with a message: there is nothing sensible to go on with. For what others ask for, as a stream does, there is
 * arena_try_alloc, which says so instead. Not thread-safe: an arena belongs to one
 * thread at a time.
 */
#pragma once

#include <stddef.h>

typedef struct Arena Arena;

/* A new arena whose chunks are at least chunk_size bytes. The caller frees it with arena_free. */
Arena *arena_new(size_t chunk_size);
void arena_free(Arena *arena);

/* Drops everything allocated, keeping one chunk. */
void arena_reset(Arena *arena);

/* size bytes, aligned for any type, not cleared. */
void *arena_alloc(Arena *arena, size_t size);

/* The same; NULL when there is no memory for it, or the arena would hold more than arena_limit has allowed. */
void *arena_try_alloc(Arena *arena, size_t size);

/* Lets arena_try_alloc fail where the arena would hold more than `most` bytes from the system. */
void arena_limit(Arena *arena, size_t most);

/* The same as arena_alloc, cleared. */
void *arena_zalloc(Arena *arena, size_t size);

/* A copy of size bytes followed by a NUL. */
char *arena_strndup(Arena *arena, const char *text, size_t size);

/* printf into the arena. */
char *arena_printf(Arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Bytes that the arena holds from the system, for limits and counters. */
size_t arena_footprint(const Arena *arena);
