/*
 * Both sessions use the source database's encoding, so that text passes unconverted up to the target's own storage. On the
 * target session_replication_role is replica: no trigger fires, and defaults and rules play no part in COPY. The source's
 * transaction ends as soon as its rows have been read: it holds back vacuum there.
 */
#include "carry.h"

#include <stdio.h>
#include <stdlib.h>

#include "bent.h"
#include "mixed.h"

#define MOST_COLUMNS 1600              /* MaxHeapAttributeNumber of the server */
#define PIECE_BYTES (64 * 1024 * 1024) /* of rows that lie twice on the target */

/* The columns of jobs_relations. */
enum {
    RELATION,
    SCHEMA,
    TABLE,
    COLUMNS,
    IN_BINARY,
    CONDITION,
    KEY_SQL,
    PART_COLUMN,
    SOURCE_BYTES,
    DEFINITION,
    ROUTE_SCHEMA,
    ROUTE_TABLE,
    COLUMN_TYPES,
    PART_TYPE,
    PART_SCAN
};

/* Sends one statement that the wait may end, throwing its result away. */
static int run(Carrier *carrier, Database *database, const char *sql, Error *error)
{
    PGresult *result = NULL;
    int status = session_run(database, sql, &carrier->wait, &result, error);
    PQclear(result);
    return status;
}

/* As an array of OIDs reads. */
static size_t read_types(const char *types, uint32_t *list)
{
    size_t count = 0;
    for (const char *at = types; *at != '}' && *at != '\0' && count < MOST_COLUMNS;) {
        char *end;
        list[count++] = (uint32_t)strtoul(at + 1, &end, 10);
        at = end;
    }
    return count;
}

/* Types of users have other OIDs on the target. *oids is NULL when no row has one. */
static int load_types(Carrier *carrier, const uint32_t *types, size_t count, const Oids **oids, Error *error)
{
    bool needed = false;
    *oids = NULL;
    if (count == 0) {
        return 0;
    }
    int status = oids_load(carrier->oids, carrier->source, carrier->target, types, count, &needed, error);
    *oids = status == 0 && needed ? carrier->oids : NULL;
    return status;
}

static int move_rows(Carrier *carrier, const TableCopy *table, const Oids *oids, RelayCount *count,
                     Error *error)
{
    /* What looks at the rows as they come in, a domain's CHECK for instance, has the path that the database's sessions have. */
    static const char theirs[] = "SET LOCAL search_path TO DEFAULT",
                      ours[] = "SET LOCAL search_path = pg_catalog";
    const RelayPieces pieces = {
        .begin = table->in.data, .move = table->move.data, .empty = table->empty.data, .bytes = PIECE_BYTES};
    bool staged = table->make.data != NULL;
    if ((table->clear.data != NULL && run(carrier, carrier->target, table->clear.data, error) != 0) ||
        (staged && run(carrier, carrier->target, table->make.data, error) != 0) ||
        run(carrier, carrier->target, theirs, error) != 0 ||
        run(carrier, carrier->target, table->in.data, error) != 0 ||
        run(carrier, carrier->source, table->out.data, error) != 0) {
        return -1;
    }
    RelayWatch *watch = &carrier->yard->watches[carrier->number];
    const RelayRoute route = {.wait = &carrier->wait,
                              .moving = progress_moving(carrier->yard->copy->progress, carrier->number),
                              .rows = progress_moving_rows(carrier->yard->copy->progress, carrier->number),
                              .watch = watch,
                              .brake = carrier->yard->brake,
                              .oids = oids,
                              .pieces = staged ? &pieces : NULL};
    atomic_fetch_add(&watch->number, 1);
    atomic_store(&watch->pid, PQbackendPID(database_connection(carrier->target)));
    int status = relay_rows(carrier->source, carrier->target, &route, count, error);
    atomic_store(&watch->pid, 0);
    if (status == 0) {
        status = run(carrier, carrier->target, ours, error);
    }
    return status == 0 && staged ? run(carrier, carrier->target, table->drop.data, error) : status;
}

/* A range of keys is read by their index where rows lie in its order: that is what it was made for. */
static int choose_plan(Carrier *carrier, const Job *job, const PGresult *tables, Error *error)
{
    bool by_index = job->kind == JOB_PART && PQgetvalue(tables, 0, PART_SCAN)[0] != 't';
    return !by_index
               ? 0
               : database_execute(carrier->source, error,
                                  "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off", 0);
}

static int make_key(Carrier *carrier, const Job *job, const PGresult *tables, int row, Error *error)
{
    const WorkerYard *yard = carrier->yard;
    if (job->kind == JOB_PART || PQgetisnull(tables, row, KEY_SQL)) {
        return 0;
    }
    bool large = strtoll(PQgetvalue(tables, row, SOURCE_BYTES), NULL, 10) >= LARGE_BYTES;
    return large && schema_spare(&yard->copy->options->schema, carrier->target, yard_spare(yard), true,
                                 error) != 0
               ? -1
               : carry_make_key(carrier->target, PQgetvalue(tables, row, RELATION),
                                PQgetvalue(tables, row, KEY_SQL), &carrier->wait, error);
}

/* The stream brings the change to the target; while tables are copied again, nothing applies it. */
static int refuse_definition(Carrier *carrier, Error *error)
{
    error_set(error, ERROR_TRANSIENT, "it is defined in another way at the source than on the target by now");
    if (carrier->yard->copy->again) {
        carrier->fit = TABLE_FITS;
        error->code = ERROR_STATE;
        error_hint(error, "Start penstock follow, which brings the change, wait until it has caught up, stop "
                          "it, and run this again.");
    }
    return -1;
}

/* The types of the columns as they go in binary; what the plan found, or what is found now of a table that it had as text. */
static int choose_format(Carrier *carrier, const PGresult *tables, int row, TableShape *shape, Mixed *mixed,
                         const Oids **oids, Error *error)
{
    uint32_t list[MOST_COLUMNS];
    *oids = NULL;
    if (shape->binary) {
        size_t count = PQgetisnull(tables, row, COLUMN_TYPES)
                           ? 0
                           : read_types(PQgetvalue(tables, row, COLUMN_TYPES), list);
        return load_types(carrier, list, count, oids, error);
    }
    bool routed = shape->route_table != NULL;
    if (mixed_look(carrier->source, carrier->target, shape->schema, shape->table,
                   routed ? shape->route_schema : shape->schema, routed ? shape->route_table : shape->table,
                   mixed, error) != 0) {
        return -1;
    }
    shape->binary = mixed->format != MIXED_TEXT;
    shape->mixed = mixed->format == MIXED_BOTH ? &mixed->table : NULL;
    return shape->binary ? load_types(carrier, mixed->types, mixed->count, oids, error) : 0;
}

/* The target has no row of it either then. */
static int clear_table(Carrier *carrier, const TableShape *shape, Error *error)
{
    TableCopy table = {0};
    table_copy_build(shape, &table);
    int status = table.clear.data != NULL ? run(carrier, carrier->target, table.clear.data, error) : 0;
    table_copy_free(&table);
    return status;
}

/* The table is locked, and what it is to be. */
static int move_table(Carrier *carrier, const PGresult *tables, int row, TableShape *shape, RelayCount *count,
                      Error *error)
{
    const Oids *oids;
    Mixed mixed = {0};
    TableCopy table = {0};
    int status = choose_format(carrier, tables, row, shape, &mixed, &oids, error);
    if (status == 0) {
        table_copy_build(shape, &table);
        status = move_rows(carrier, &table, oids, count, error);
    }
    table_copy_free(&table);
    mixed_free(&mixed);
    return status;
}

/* Of a part, its share. What only some rows are copied of is known by bytes. */
static void expect(const Carrier *carrier, const Job *job, const PGresult *tables, int row, int64_t rows)
{
    double bytes = strtod(PQgetvalue(tables, row, SOURCE_BYTES), NULL);
    if (PQgetvalue(tables, row, CONDITION)[0] != '\0' || bytes <= 0) {
        return;
    }
    double share = job->kind == JOB_PART ? (double)job->source_bytes / bytes : 1;
    progress_expect(carrier->yard->copy->progress, carrier->number, (int64_t)((double)rows * share));
}

static int copy_table(Carrier *carrier, const Job *job, const PGresult *tables, int row, RelayCount *count,
                      Error *error)
{
    bool part = job->kind == JOB_PART;
    TableShape shape = {.schema = PQgetvalue(tables, row, SCHEMA),
                        .table = PQgetvalue(tables, row, TABLE),
                        .columns = PQgetvalue(tables, row, COLUMNS),
                        .binary = PQgetvalue(tables, row, IN_BINARY)[0] == 't',
                        .condition = PQgetvalue(tables, row, CONDITION),
                        .part_column = part ? PQgetvalue(tables, row, PART_COLUMN) : NULL,
                        .part_type = part ? PQgetvalue(tables, row, PART_TYPE) : NULL,
                        .first_key = job->first_key,
                        .last_key = job->last_key,
                        .anew = job->anew};
    bool routed = !PQgetisnull(tables, row, ROUTE_TABLE);
    if (routed) {
        shape.route_schema = PQgetvalue(tables, row, ROUTE_SCHEMA);
        shape.route_table = PQgetvalue(tables, row, ROUTE_TABLE);
        shape.others_first = row > 0;
    }
    if (carrier->yard->copy->again &&
        table_is_referenced(carrier->target, routed ? shape.route_schema : shape.schema,
                            routed ? shape.route_table : shape.table, &shape.referenced, error) != 0) {
        return -1;
    }
    const char *definition = copy_captures(carrier->yard->copy) && !PQgetisnull(tables, row, DEFINITION)
                                 ? PQgetvalue(tables, row, DEFINITION)
                                 : NULL;
    TableFound found;
    int status =
        table_check(carrier->source, shape.schema, shape.table, shape.columns, definition, &found, error);
    carrier->fit = found.fit;
    shape.empty = found.empty;
    expect(carrier, job, tables, row, found.rows);
    if (status == 0 && carrier->fit == TABLE_STALE) {
        status = error_set(error, ERROR_TRANSIENT, "it was truncated or rewritten after the snapshot");
    } else if (status == 0 && carrier->fit == TABLE_DEFINED_OTHERWISE) {
        status = refuse_definition(carrier, error);
    } else if (status == 0) {
        /* The target may have any number of rows when it is copied again: those go by TRUNCATE, where that can be. */
        shape.empty = shape.empty && !carrier->yard->copy->again;
        status = shape.empty ? clear_table(carrier, &shape, error)
                             : move_table(carrier, tables, row, &shape, count, error);
    }
    return status;
}

static int copy_and_note(Carrier *carrier, const Job *job, const PGresult *tables, int row, int snapshot,
                         RelayCount *all, Error *error)
{
    Progress *progress = carrier->yard->copy->progress;
    RelayCount count = {0};
    char name[300];
    snprintf(name, sizeof(name), "%.140s.%.140s%s", PQgetvalue(tables, row, SCHEMA),
             PQgetvalue(tables, row, TABLE), job->kind == JOB_PART ? " (a part)" : "");
    int64_t bytes =
        job->kind == JOB_PART ? job->source_bytes : strtoll(PQgetvalue(tables, row, SOURCE_BYTES), NULL, 10);
    progress_job(progress, carrier->number, name, bytes);
    int status = copy_table(carrier, job, tables, row, &count, error);
    if (status == 0 && row == PQntuples(tables) - 1) {
        /* Behind the locks that copying takes: nobody changes a definition any more. */
        status = bent_check(carrier->source, carrier->target, tables,
                            (const int[]){SCHEMA, TABLE, ROUTE_SCHEMA, ROUTE_TABLE},
                            &carrier->yard->copy->options->lossy, error);
    }
    if (status == 0 && row == PQntuples(tables) - 1) {
        status = database_execute(carrier->source, error, "COMMIT", 0);
    }
    if (status == 0 && PQgetisnull(tables, row, ROUTE_TABLE)) {
        status = make_key(carrier, job, tables, row, error);
    }
    if (status == 0 && job->kind != JOB_PART) {
        status =
            jobs_table_copied(carrier->target, carrier->yard->copy->settings->migration,
                              PQgetvalue(tables, row, RELATION), snapshot, count.rows, count.bytes, error);
    }
    if (status != 0) {
        return error_context(error, "copying table %s", name);
    }
    progress_table_done(progress, carrier->number, job->kind != JOB_PART, count.rows);
    all->rows += count.rows;
    all->bytes += count.bytes;
    return 0;
}

int carry_job(Carrier *carrier, const Job *job, int snapshot, Error *error)
{
    PGresult *tables = NULL;
    RelayCount count = {0};
    if (jobs_relations(carrier->target, job, &tables, error) != 0) {
        return -1;
    }
    int status = PQntuples(tables) > 0 ? choose_plan(carrier, job, tables, error)
                                       : database_execute(carrier->source, error, "COMMIT", 0);
    for (int row = 0; status == 0 && row < PQntuples(tables); row++) {
        status = copy_and_note(carrier, job, tables, row, snapshot, &count, error);
    }
    /* Rows of one may be in any of the others: their indexes come when all are there. */
    for (int row = 0; status == 0 && row < PQntuples(tables); row++) {
        if (!PQgetisnull(tables, row, ROUTE_TABLE)) {
            status = make_key(carrier, job, tables, row, error);
        }
    }
    PQclear(tables);
    return status == 0 ? jobs_done(carrier->target, job, snapshot, count.rows, count.bytes, error) : -1;
}

int carry_make_key(Database *target, const char *relation, const char *sql, const SessionWait *wait,
                   Error *error)
{
    bool waits = false;
    PGresult *result = NULL;
    if (database_found(target, &waits, error,
                       "UPDATE penstock.schema_object o SET state = 'made' FROM penstock.relation r"
                       " WHERE r.id = $1::int8 AND o.migration = r.migration AND o.section = 'post-data'"
                       "   AND o.class_oid = r.key_class AND o.object_oid = r.key_object AND o.state = "
                       "'waiting' RETURNING 1",
                       1, relation) != 0) {
        return -1;
    }
    if (!waits) {
        return 0;
    }
    int status = session_run(target, sql, wait, &result, error);
    PQclear(result);
    return status == 0 ? 0 : error_context(error, "the index of its key");
}
