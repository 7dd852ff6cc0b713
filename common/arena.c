/*
 * An arena is a list of chunks, the newest first; an allocation takes the next aligned bytes of the newest
 * chunk. What does not fit there opens a chunk of its own size or of chunk_size, whichever is more. An
 * allocation larger than a chunk is put behind the newest one, so that the room left in that is not lost.
 *
 * reset keeps one chunk of the ordinary size: an arena that met one huge unit of work shrinks again.
 */
#include "arena.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT _Alignof(max_align_t)

typedef struct Chunk {
    struct Chunk *next;
    size_t size; /* of data */
    size_t used;
    _Alignas(max_align_t) unsigned char data[];
} Chunk;

struct Arena {
    Chunk *chunks;
    size_t chunk_size;
    size_t footprint;
    size_t limit; /* for those who ask whether there is memory */
};

static _Noreturn void out_of_memory(size_t size)
{
    fprintf(stderr, "penstock: out of memory (%zu bytes wanted)\n", size);
    abort();
}

/* NULL when there is no memory. */
static Chunk *chunk_new(Arena *arena, size_t size)
{
    Chunk *chunk = malloc(sizeof(Chunk) + size);
    if (chunk != NULL) {
        chunk->size = size;
        chunk->used = 0;
        arena->footprint += sizeof(Chunk) + size;
    }
    return chunk;
}

Arena *arena_new(size_t chunk_size)
{
    Arena *arena = calloc(1, sizeof(Arena));
    if (arena == NULL) {
        out_of_memory(sizeof(Arena));
    }
    arena->chunk_size = chunk_size;
    arena->limit = SIZE_MAX;
    return arena;
}

static void free_chunks(Chunk *chunk)
{
    while (chunk != NULL) {
        Chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
}

void arena_free(Arena *arena)
{
    if (arena != NULL) {
        free_chunks(arena->chunks);
        free(arena);
    }
}

void arena_reset(Arena *arena)
{
    Chunk **link = &arena->chunks;
    while (*link != NULL && (*link)->size != arena->chunk_size) {
        link = &(*link)->next;
    }
    Chunk *kept = *link;
    if (kept != NULL) {
        *link = kept->next;
        kept->next = NULL;
        kept->used = 0;
    }
    free_chunks(arena->chunks);
    arena->chunks = kept;
    arena->footprint = kept != NULL ? sizeof(Chunk) + kept->size : 0;
}

static void *take(Chunk *chunk, size_t size)
{
    void *result = chunk->data + chunk->used;
    chunk->used += size;
    return result;
}

/* The room that a request takes: never nothing, so that two allocations have two addresses. */
static size_t aligned(size_t size)
{
    return size == 0 ? ALIGNMENT : (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* NULL when there is no memory, or when the arena would hold more than limit. */
static void *allocate(Arena *arena, size_t size, size_t limit)
{
    if (size > SIZE_MAX / 2) {
        return NULL;
    }
    size_t room = aligned(size);
    Chunk *newest = arena->chunks;
    if (newest != NULL && room <= newest->size - newest->used) {
        return take(newest, room);
    }
    bool oversized = room > arena->chunk_size;
    size_t wanted = oversized ? room : arena->chunk_size;
    bool allowed = limit >= arena->footprint && limit - arena->footprint >= sizeof(Chunk) + wanted;
    Chunk *chunk = allowed || limit == SIZE_MAX ? chunk_new(arena, wanted) : NULL;
    if (chunk == NULL) {
        return NULL;
    }
    if (oversized && newest != NULL) {
        chunk->next = newest->next;
        newest->next = chunk;
    } else {
        chunk->next = newest;
        arena->chunks = chunk;
    }
    return take(chunk, room);
}

void *arena_alloc(Arena *arena, size_t size)
{
    void *result = allocate(arena, size, SIZE_MAX);
    if (result == NULL) {
        out_of_memory(size);
    }
    return result;
}

void *arena_try_alloc(Arena *arena, size_t size)
{
    return allocate(arena, size, arena->limit);
}

void arena_limit(Arena *arena, size_t most)
{
    arena->limit = most;
}

void *arena_zalloc(Arena *arena, size_t size)
{
    return memset(arena_alloc(arena, size), 0, size);
}

char *arena_strndup(Arena *arena, const char *text, size_t size)
{
    char *copy = arena_alloc(arena, size + 1);
    if (size > 0) {
        memcpy(copy, text, size);
    }
    copy[size] = '\0';
    return copy;
}

char *arena_printf(Arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0) {
        return arena_strndup(arena, "", 0);
    }
    char *text = arena_alloc(arena, (size_t)length + 1);
    va_start(args, format);
    vsnprintf(text, (size_t)length + 1, format, args);
    va_end(args);
    return text;
}

size_t arena_footprint(const Arena *arena)
{
    return sizeof(Arena) + arena->footprint;
}
