/* PostgreSQL 11: growing byte buffers, at most 1 GB. */
#pragma once

typedef struct StringInfoData {
    char *data;
    int len;
    int maxlen;
    int cursor;
} StringInfoData;

typedef StringInfoData *StringInfo;

extern void appendBinaryStringInfo(StringInfo buffer, const char *data, int size);
