/* PostgreSQL 11: reading the WAL record by record. */
#pragma once

#include "access/rmgr.h"

typedef struct XLogRecord {
    uint32 xl_tot_len;
    TransactionId xl_xid;
    XLogRecPtr xl_prev;
    uint8 xl_info;
    RmgrId xl_rmid;
} XLogRecord;

struct XLogReaderState;

typedef int (*XLogPageReadCB)(struct XLogReaderState *reader, XLogRecPtr page, int length, XLogRecPtr record,
                              char *buffer, TimeLineID *timeline);

/* Up to the last member that is used. */
typedef struct XLogReaderState {
    int wal_segment_size;
    XLogPageReadCB read_page;
    uint64 system_identifier;
    void *private_data;
    XLogRecPtr ReadRecPtr;
    XLogRecPtr EndRecPtr;
    XLogRecord *decoded_record;
} XLogReaderState;

#define XLogRecGetRmid(reader) ((reader)->decoded_record->xl_rmid)

extern XLogRecord *XLogReadRecord(XLogReaderState *reader, XLogRecPtr position, char **message);
