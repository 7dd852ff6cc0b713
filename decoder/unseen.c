/*
 * A transaction's invalidations name the relations whose definition it changed. Of each the rows of pg_class that the transaction
 * made or ended tell what it was in between, also when it was put back at once: BEGIN; SET UNLOGGED; INSERT; SET LOGGED; COMMIT.
 * They are all there still, ended or not: the slot's catalog_xmin keeps what was there when a transaction that is not confirmed
 * yet began, and what was made and ended since. So decoding the same WAL again finds the same, and a change has its number.
 *
 * They are read with SnapshotAny: a snapshot of decoding shows one version. A scan by index gives all of a chain of updates then
 * (xs_continue_hot, all majors), and rows of transactions that aborted, which are none of ours: the server has forgotten
 * aborted subtransactions by the time of the commit (ReorderBufferAbort).
 *
 * That a new file holds other values is told by pg_attribute: ALTER TABLE writes the row of each column whose values it makes
 * anew (ATExecAlterColumnType, ATExecAddColumn, all majors). VACUUM FULL and CLUSTER write none but those of columns that had
 * a value for rows that lack them, once.
 */
#include "unseen.h"

#include "change.h"
#include "numbers.h"

static const char was_unlogged[] =
    "it was UNLOGGED for a while: what was written meanwhile is not in the WAL";
static const char was_rewritten[] =
    "ALTER TABLE has written all of its rows anew: the values that they have now are not in the WAL";

/* The transaction and its subtransactions, ascending. */
typedef struct Family {
    TransactionId *xids;
    uint32 count;
} Family;

static Family family_of(ReorderBufferTXN *txn)
{
    Family family = {.xids = palloc(((Size)txn->nsubtxns + 1) * sizeof(TransactionId))};
    dlist_iter i;
    family.xids[family.count++] = txn->xid;
    dlist_foreach(i, &txn->subtxns)
    {
        if (family.count <= txn->nsubtxns) {
            family.xids[family.count++] = dlist_container(ReorderBufferTXN, node, i.cur)->xid;
        }
    }
    qsort(family.xids, family.count, sizeof(TransactionId), compare_numbers);
    return family;
}

static bool is_of(const Family *family, TransactionId xid)
{
    return bsearch(&xid, family->xids, family->count, sizeof(TransactionId), compare_numbers) != NULL;
}

static bool made_by(const Family *family, HeapTuple tuple)
{
    uint16 mask = tuple->t_data->t_infomask & HEAP_XMIN_FROZEN;
    return mask != HEAP_XMIN_FROZEN && is_of(family, HeapTupleHeaderGetRawXmin(tuple->t_data));
}

/* A row of a catalog is locked by nobody but DDL, and never by several: a multixact would be of others. */
static bool ended_by(const Family *family, HeapTuple tuple)
{
    uint16 mask = tuple->t_data->t_infomask;
    return (mask & (HEAP_XMAX_INVALID | HEAP_XMAX_IS_MULTI | HEAP_XMAX_LOCK_ONLY)) == 0 &&
           is_of(family, HeapTupleHeaderGetRawXmax(tuple->t_data));
}

/* What the transaction did to a relation's row of pg_class. */
typedef struct Traces {
    bool was_unlogged; /* it was, before or in between */
    bool is_table;     /* and permanent, in some version of the transaction's */
    Oid before;        /* its file when the transaction began; InvalidOid: the transaction made it */
    bool new_file;     /* it was given another one */
} Traces;

static void take_version(const Family *family, HeapTuple tuple, Traces *traces, Oid *last)
{
    const FormData_pg_class *row = (const FormData_pg_class *)GETSTRUCT(tuple);
    bool made = made_by(family, tuple), ended = ended_by(family, tuple);
    if (row->relkind != RELKIND_RELATION || !(made || ended)) {
        return;
    }
    if (ended && row->relpersistence == RELPERSISTENCE_UNLOGGED) {
        traces->was_unlogged = true;
    }
    if (ended && !made) {
        traces->before = row->relfilenode;
    }
    if (made && !ended) {
        *last = row->relfilenode;
        traces->is_table = row->relpersistence == RELPERSISTENCE_PERMANENT;
    }
}

static Traces find_traces(Relation classes, Oid relation, const Family *family)
{
    Traces traces = {0};
    Oid last = InvalidOid;
    ScanKeyData key;
    HeapTuple tuple;
    ScanKeyInit(&key, CLASS_OID_COLUMN, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relation));
    SysScanDesc scan = systable_beginscan(classes, ClassOidIndexId, true, SnapshotAny, 1, &key);
    while ((tuple = systable_getnext(scan)) != NULL) {
        take_version(family, tuple, &traces, &last);
    }
    systable_endscan(scan);
    traces.new_file = OidIsValid(traces.before) && OidIsValid(last) && traces.before != last;
    return traces;
}

/* What the transaction did to the rows of pg_attribute of one column. */
typedef struct ColumnTraces {
    int16 number;
    uint32 made;
    bool had_missing; /* its row when the transaction began had a value for rows that lack it */
} ColumnTraces;

/* A new file makes such values needless, and their marks go (RelationClearMissing): that is no change. */
static bool column_changed(const ColumnTraces *column)
{
    return column->made > (column->had_missing ? 1 : 0);
}

/* Did ALTER TABLE make or change a column of it? */
static bool columns_changed(Oid relation, const Family *family)
{
    ColumnTraces column = {0};
    bool changed = false;
    ScanKeyData key;
    HeapTuple tuple;
    Relation attributes = relation_open(AttributeRelationId, AccessShareLock);
    ScanKeyInit(&key, Anum_pg_attribute_attrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relation));
    SysScanDesc scan = systable_beginscan(attributes, AttributeRelidNumIndexId, true, SnapshotAny, 1, &key);
    while (!changed && (tuple = systable_getnext(scan)) != NULL) {
        const FormData_pg_attribute *row = (const FormData_pg_attribute *)GETSTRUCT(tuple);
        if (row->attnum <= 0 || row->attisdropped) {
            continue;
        }
        if (row->attnum != column.number) { /* they come by number */
            changed = column_changed(&column);
            column = (ColumnTraces){.number = row->attnum};
        }
        bool made = made_by(family, tuple);
        column.made += made;
        column.had_missing = column.had_missing || (!made && ended_by(family, tuple) && row->atthasmissing);
    }
    systable_endscan(scan);
    relation_close(attributes, AccessShareLock);
    return changed || column_changed(&column);
}

static bool was_truncated(const Decoder *decoder, Oid relation)
{
    return decoder->truncated_count > 0 && bsearch(&relation, decoder->truncated, decoder->truncated_count,
                                                   sizeof(Oid), compare_numbers) != NULL;
}

/* NULL: nothing of the kind. */
static const char *reason_of(const Decoder *decoder, Relation classes, Oid relation, const Family *family)
{
    Traces traces = find_traces(classes, relation, family);
    if (!traces.is_table) {
        return NULL;
    }
    if (traces.was_unlogged) {
        return was_unlogged;
    }
    return traces.new_file && !decoder->captured && !was_truncated(decoder, relation) &&
                   columns_changed(relation, family)
               ? was_rewritten
               : NULL;
}

/* The relations of users that the transaction's invalidations name, each once. */
static uint32 list_changed(const ReorderBufferTXN *txn, Oid **out)
{
    const SharedInvalidationMessage *messages = txn->invalidations;
    Oid *list = palloc((Size)txn->ninvalidations * sizeof(Oid));
    uint32 count = 0, kept = 0;
    for (uint32 i = 0; i < txn->ninvalidations; i++) {
        if (messages[i].id == SHAREDINVALRELCACHE_ID && messages[i].rc.relId >= FirstNormalObjectId) {
            list[count++] = messages[i].rc.relId;
        }
    }
    qsort(list, count, sizeof(Oid), compare_numbers);
    for (uint32 i = 0; i < count; i++) {
        if (kept == 0 || list[kept - 1] != list[i]) {
            list[kept++] = list[i];
        }
    }
    *out = list;
    return kept;
}

static void send_reason(Decoder *decoder, LogicalDecodingContext *ctx, const ReorderBufferTXN *txn, Oid oid,
                        const char *reason)
{
    Relation relation = RelationIdGetRelation(oid);
    if (relation != NULL) { /* else it was dropped by the same transaction */
        decoder->relation = relation;
        recopy_write(decoder, ctx, txn, relation, reason);
        decoder->relation = NULL;
        RelationClose(relation);
    }
}

void unseen_write(Decoder *decoder, LogicalDecodingContext *ctx, ReorderBufferTXN *txn)
{
    Oid *changed;
    uint32 count = txn->ninvalidations == 0 ? 0 : list_changed(txn, &changed);
    if (count == 0) {
        return;
    }
    if (decoder->truncated_count > 0) { /* perhaps very many, and each is looked for */
        qsort(decoder->truncated, decoder->truncated_count, sizeof(Oid), compare_numbers);
    }
    Family family = family_of(txn);
    Relation classes = relation_open(RelationRelationId, AccessShareLock);
    for (uint32 i = 0; i < count; i++) {
        CHECK_FOR_INTERRUPTS();
        const char *reason = reason_of(decoder, classes, changed[i], &family);
        if (reason != NULL) {
            send_reason(decoder, ctx, txn, changed[i], reason);
        }
    }
    relation_close(classes, AccessShareLock);
}
