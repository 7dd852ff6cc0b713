/* PostgreSQL 11: who wrote a record of the WAL, as far as it matters here. */
#pragma once

typedef uint8 RmgrId;

enum {
    RM_HEAP2_ID = 9,
    RM_HEAP_ID = 10,
};
