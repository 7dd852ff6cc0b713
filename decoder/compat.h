/*
 * Every difference between the server majors 11 to 18 that the decoder meets, in one place. The other files
 * include this and see one server.
 */
#pragma once

#include "postgres.h"

#include "fmgr.h"
#include "access/genam.h"
#include "access/htup_details.h"
#include "access/rmgr.h"
#include "access/skey.h"
#include "access/xlog.h"
#include "access/xlogreader.h"
#include "catalog/indexing.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_publication.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "nodes/value.h"
#include "pgtime.h"
#include "replication/decode.h"
#include "replication/logical.h"
#include "replication/origin.h"
#include "replication/output_plugin.h"
#include "replication/reorderbuffer.h"
#include "storage/sinval.h"
#include "utils/builtins.h"
#include "utils/bytea.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

/* 13 lets partitioned tables be published, 15 schemas and parts of tables. */
#if PG_VERSION_NUM >= 130000
#include "catalog/partition.h"
#endif
#if PG_VERSION_NUM >= 150000
#include "catalog/pg_publication_rel.h"
#endif

/* 12 moved relations' opening and SnapshotAny, and made the OID of a catalog's row a column like others. */
#if PG_VERSION_NUM >= 120000
#include "access/relation.h"
#include "utils/snapmgr.h"
#define CLASS_OID_COLUMN Anum_pg_class_oid
#else
#include "access/heapam.h"
#include "utils/tqual.h"
#define CLASS_OID_COLUMN (-2)
#endif

/* 12 moved extra_float_digits from builtins.h. */
#if PG_VERSION_NUM >= 120000
#include "utils/float.h"
#endif

/* 14 gave slots two-phase decoding. */
#if PG_VERSION_NUM >= 140000
#include "replication/slot.h"
#define slot_is_two_phase(ctx) ((ctx)->slot->data.two_phase)
#else
#define slot_is_two_phase(ctx) ((void)(ctx), false)
#endif

#if PG_VERSION_NUM < 110000 || PG_VERSION_NUM >= 190000
#error "the decoder is for PostgreSQL 11 to 18"
#endif

/* Last of all headers: the server's own may use what is an error here. */
#include "banned.h"

/* 15 made room for prepare and abort times beside the commit time. */
#if PG_VERSION_NUM >= 150000
#define txn_commit_time(txn) ((txn)->xact_time.commit_time)
#else
#define txn_commit_time(txn) ((txn)->commit_time)
#endif

/* 16 renamed the file that a change and a relation name. */
#if PG_VERSION_NUM >= 160000
#define relation_file(relation) ((relation)->rd_locator)
#define change_file(change) ((change)->data.tp.rlocator)
#else
#define relation_file(relation) ((relation)->rd_node)
#define change_file(change) ((change)->data.tp.relnode)
#endif

/* 17 dropped the wrapper around a change's tuples. */
#if PG_VERSION_NUM >= 170000
#define change_tuple(member) (member)
#else
#define change_tuple(member) ((member) != NULL ? &(member)->tuple : NULL)
#endif

/* 15 wants to know whether the transaction was left out. */
#if PG_VERSION_NUM >= 150000
#define update_progress(ctx, skipped) OutputPluginUpdateProgress(ctx, skipped)
#else
#define update_progress(ctx, skipped) OutputPluginUpdateProgress(ctx)
#endif

/* 13 put the reader's callbacks into a struct, and took the timeline from reading a page. */
#if PG_VERSION_NUM >= 130000
#define reader_page_callback(reader) ((reader)->routine.page_read)
#define PAGE_CALLBACK_TIMELINE
#define PAGE_CALLBACK_PASS_TIMELINE
#else
#define reader_page_callback(reader) ((reader)->read_page)
#define PAGE_CALLBACK_TIMELINE , TimeLineID *timeline
#define PAGE_CALLBACK_PASS_TIMELINE , timeline
#endif

/* 13 took the position from reading the next record of the WAL, 15 gave flushing a timeline. */
#if PG_VERSION_NUM >= 130000
#define read_wal_record(reader, message) XLogReadRecord(reader, message)
#else
#define read_wal_record(reader, message) XLogReadRecord(reader, InvalidXLogRecPtr, message)
#endif
#if PG_VERSION_NUM >= 150000
#define flushed_wal_of_primary() GetFlushRecPtr(NULL)
#else
#define flushed_wal_of_primary() GetFlushRecPtr()
#endif
/* A standby, which can decode from 16 on, flushes nothing of its own: 0 there. */
#define flushed_wal() (RecoveryInProgress() ? InvalidXLogRecPtr : flushed_wal_of_primary())
