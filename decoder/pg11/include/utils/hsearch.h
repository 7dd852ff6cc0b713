/* PostgreSQL 11: hash tables. */
#pragma once

typedef struct HTAB HTAB;

typedef struct HASHCTL {
    long num_partitions;
    long ssize;
    long dsize;
    long max_dsize;
    long ffactor;
    Size keysize;
    Size entrysize;
    void *hash;
    void *match;
    void *keycopy;
    void *alloc;
    MemoryContext hcxt;
    void *hctl;
} HASHCTL;

typedef enum HASHACTION { HASH_FIND, HASH_ENTER, HASH_REMOVE, HASH_ENTER_NULL } HASHACTION;

#define HASH_ELEM 0x0010
#define HASH_BLOBS 0x0020
#define HASH_CONTEXT 0x0400

extern HTAB *hash_create(const char *name, long elements, HASHCTL *info, int flags);
extern void *hash_search(HTAB *table, const void *key, HASHACTION action, bool *found);
