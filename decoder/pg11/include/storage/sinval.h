/* PostgreSQL 11: messages of invalidation. */
#pragma once

#include "utils/rel.h"

#define SHAREDINVALRELCACHE_ID (-2)

typedef struct {
    int8_t id;
    Oid dbId;
    Oid relId;
} SharedInvalRelcacheMsg;

typedef struct {
    int8_t id;
    int8_t backend_hi;
    uint16 backend_lo;
    RelFileNode rnode;
} SharedInvalSmgrMsg;

/* The largest of its members is there, and those that are used. */
typedef union {
    int8_t id;
    SharedInvalRelcacheMsg rc;
    SharedInvalSmgrMsg sm;
} SharedInvalidationMessage;
