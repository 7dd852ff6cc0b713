/* PostgreSQL 11: the row of pg_index. */
#pragma once

typedef struct FormData_pg_index {
    Oid indexrelid;
    Oid indrelid;
    int16 indnatts;
    int16 indnkeyatts;
    bool indisunique;
    bool indisprimary;
    bool indisexclusion;
    bool indimmediate;
    bool indisclustered;
    bool indisvalid;
    bool indcheckxmin;
    bool indisready;
    bool indislive;
    bool indisreplident;
    int2vector indkey;
} FormData_pg_index;

typedef FormData_pg_index *Form_pg_index;
