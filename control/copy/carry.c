/*
 * Both sessions use the source database's encoding, so that text passes unconverted up to the target's own storage. On the
 * target session_replication_role is replica: no trigger fires, and defaults and rules play no part in COPY. The source's
 * transaction ends as soon as its rows have been read: it holds back vacuum there.
 *
 * The COPYs of all tables of a job are one query on each side, of many statements. The source sends all rows without waiting for a
 * word; the target says where each COPY begins, which is the one way there and back that a small table costs.
 *
 *     source   COPY a TO; COPY b TO; …                a's rows, b's rows, …
 *     target   TRUNCATE a; COPY a FROM; TRUNCATE b; COPY b FROM; …
 */
#include "carry.h"

#include <stdio.h>
#include <stdlib.h>

#include "bent.h"
#include "cargo.h"
#include "number.h"

/* Tables of one query: what the server has read of it, it keeps to the end, and a partitioned table may have thousands of leaves. */
#define TOGETHER 100
#define PIECE_BYTES (64 * 1024 * 1024) /* of rows that lie twice on the target */

/* What looks at the rows as they come in, a domain's CHECK for instance, has the path that the database's sessions have. */
#define THEIR_PATH "SET LOCAL search_path TO DEFAULT"
#define OUR_PATH "SET LOCAL search_path = pg_catalog"

/* Sends one statement that the wait may end, throwing its result away. */
static int run(Carrier *carrier, Database *database, const char *sql, Error *error)
{
    PGresult *result = NULL;
    int status = session_run(database, sql, &carrier->wait, &result, error);
    PQclear(result);
    return status;
}

static int send(Database *database, const char *sql, Error *error)
{
    return PQsendQuery(database_connection(database), sql) != 0 ? 0 : database_error(database, NULL, error);
}

/* Of a part, its share. What only some rows are copied of is known by bytes. */
static void show(const Carrier *carrier, const Job *job, const CargoTable *table)
{
    Progress *progress = carrier->yard->copy->progress;
    bool part = job->kind == JOB_PART;
    char name[300];
    cargo_name(table, name, sizeof name);
    progress_job(progress, carrier->number, name, part ? job->source_bytes : table->source_bytes);
    if (table->shape.condition[0] == '\0' && table->source_bytes > 0) {
        double share = part ? (double)job->source_bytes / (double)table->source_bytes : 1;
        progress_expect(progress, carrier->number, (int64_t)((double)table->expected * share));
    }
}

/* Both sides have begun their COPYs of the table. */
static int relay(Carrier *carrier, CargoTable *table, const RelayPieces *pieces, bool more, Error *error)
{
    RelayWatch *watch = &carrier->yard->watches[carrier->number];
    Progress *progress = carrier->yard->copy->progress;
    const RelayRoute route = {.wait = &carrier->wait,
                              .moving = progress_moving(progress, carrier->number),
                              .rows = progress_moving_rows(progress, carrier->number),
                              .watch = watch,
                              .brake = carrier->yard->brake,
                              .oids = table->types != NULL ? carrier->oids : NULL,
                              .pieces = pieces,
                              .more = more};
    if (table->types != NULL) {
        oids_columns(carrier->oids, table->types, table->type_count);
    }
    atomic_fetch_add(&watch->number, 1);
    atomic_store(&watch->pid, PQbackendPID(database_connection(carrier->target)));
    int status = relay_rows(carrier->source, carrier->target, &route, &table->count, error);
    atomic_store(&watch->pid, 0);
    return status;
}

/* Of which some columns go as text within a binary COPY: by way of a table in between. */
static int move_mixed(Carrier *carrier, CargoTable *table, Error *error)
{
    const TableCopy *copy = &table->copy;
    const RelayPieces pieces = {
        .begin = copy->in.data, .move = copy->move.data, .empty = copy->empty.data, .bytes = PIECE_BYTES};
    if ((copy->clear.data != NULL && run(carrier, carrier->target, copy->clear.data, error) != 0) ||
        run(carrier, carrier->target, copy->make.data, error) != 0 ||
        run(carrier, carrier->target, THEIR_PATH, error) != 0 ||
        run(carrier, carrier->target, copy->in.data, error) != 0 ||
        run(carrier, carrier->source, copy->out.data, error) != 0 ||
        relay(carrier, table, &pieces, false, error) != 0) {
        return -1;
    }
    return run(carrier, carrier->target, OUR_PATH, error) == 0
               ? run(carrier, carrier->target, copy->drop.data, error)
               : -1;
}

/* What both sides are asked for the tables from one on and before another. */
static void write_queries(const Cargo *cargo, size_t from, size_t to, Text *out, Text *in)
{
    text_append(in, THEIR_PATH);
    for (size_t i = from; i < to; i++) {
        const CargoTable *table = &cargo->tables[i];
        if (table->copy.clear.data != NULL) {
            text_printf(in, ";\n%s", table->copy.clear.data);
        }
        if (!table->shape.empty) {
            text_printf(in, ";\n%s", table->copy.in.data);
            text_printf(out, "%s%s", out->size > 0 ? ";\n" : "", table->copy.out.data);
        }
    }
    text_append(in, ";\n" OUR_PATH);
}

static int move_one(Carrier *carrier, const Job *job, CargoTable *table, Error *error)
{
    show(carrier, job, table);
    if (!table->shape.empty && (session_next_copy(carrier->target, &carrier->wait, error) != 0 ||
                                session_next_copy(carrier->source, &carrier->wait, error) != 0 ||
                                relay(carrier, table, NULL, true, error) != 0)) {
        return -1;
    }
    progress_table_done(carrier->yard->copy->progress, carrier->number, job->kind != JOB_PART,
                        table->count.rows);
    return 0;
}

/* Reads what is left of a query behind its last COPY. */
static int finish(Carrier *carrier, Database *database, Error *error)
{
    PGresult *result = NULL;
    int status = session_finish(database, &carrier->wait, &result, error);
    PQclear(result);
    return status;
}

static int move_several(Carrier *carrier, const Job *job, Cargo *cargo, size_t from, size_t to, Error *error)
{
    Text out = {0}, in = {0};
    write_queries(cargo, from, to, &out, &in);
    int status = send(carrier->target, in.data, error);
    if (status == 0 && out.size > 0) {
        status = send(carrier->source, out.data, error);
    }
    for (size_t i = from; status == 0 && i < to; i++) {
        cargo->at = i;
        status = move_one(carrier, job, &cargo->tables[i], error);
    }
    if (status == 0) {
        status = finish(carrier, carrier->target, error);
    }
    if (status == 0 && out.size > 0) {
        status = finish(carrier, carrier->source, error);
    }
    text_free(&out);
    text_free(&in);
    return status;
}

/* In their order: the first of those that go through a partitioned table empties it. */
static int move_all(Carrier *carrier, const Job *job, Cargo *cargo, Error *error)
{
    int status = 0;
    for (size_t from = 0, to; status == 0 && from < cargo->count; from = to) {
        for (to = from; to < cargo->count && to - from < TOGETHER && cargo->tables[to].shape.mixed == NULL;
             to++) {
        }
        if (to > from) {
            status = move_several(carrier, job, cargo, from, to, error);
            continue;
        }
        cargo->at = to++;
        show(carrier, job, &cargo->tables[from]);
        status = move_mixed(carrier, &cargo->tables[from], error);
        if (status == 0) {
            progress_table_done(carrier->yard->copy->progress, carrier->number, job->kind != JOB_PART,
                                cargo->tables[from].count.rows);
        }
    }
    return status;
}

/* A range of keys is read by their index where rows lie in its order: that is what it was made for. */
static int choose_plan(Carrier *carrier, const Job *job, const Cargo *cargo, Error *error)
{
    return job->kind != JOB_PART || cargo->tables[0].part_by_scan
               ? 0
               : database_execute(carrier->source, error,
                                  "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off", 0);
}

/* The stream brings the change to the target; while tables are copied again, nothing applies it. */
static int refuse(Carrier *carrier, Error *error)
{
    if (carrier->fit == TABLE_STALE) {
        return error_set(error, ERROR_TRANSIENT, "it was truncated or rewritten after the snapshot");
    }
    error_set(error, ERROR_TRANSIENT, "it is defined in another way at the source than on the target by now");
    if (carrier->yard->copy->again) {
        carrier->fit = TABLE_FITS;
        error->code = ERROR_STATE;
        error_hint(error, "Start penstock follow, which brings the change, wait until it has caught up, stop "
                          "it, and run this again.");
    }
    return -1;
}

static int look(Carrier *carrier, Cargo *cargo, Error *error)
{
    const Copy *copy = carrier->yard->copy;
    const CargoAsker asker = {.source = carrier->source,
                              .target = carrier->target,
                              .oids = carrier->oids,
                              .captures = copy_captures(copy),
                              .again = copy->again};
    int status = cargo_look(cargo, &asker, error);
    carrier->fit = cargo->fit;
    return status == 0 && cargo->fit != TABLE_FITS ? refuse(carrier, error) : status;
}

/* Behind the locks that copying takes: nobody changes a definition any more. Then the source is needed no longer. */
static int leave_source(Carrier *carrier, const Cargo *cargo, Error *error)
{
    return bent_check(carrier->source, carrier->target, cargo->rows, cargo_names,
                      &carrier->yard->copy->options->lossy, error) == 0
               ? database_execute(carrier->source, error, "COMMIT", 0)
               : -1;
}

/* Rows of one may be in any of the others where they are routed: indexes come when all are there. */
static int make_keys(Carrier *carrier, Cargo *cargo, Error *error)
{
    CarryKey *keys = calloc(cargo->count + 1, sizeof *keys);
    size_t count = 0, at = 0;
    bool large = false;
    if (keys == NULL) {
        abort();
    }
    for (size_t i = 0; i < cargo->count; i++) {
        const CargoTable *table = &cargo->tables[i];
        if (table->key_sql != NULL) {
            keys[count++] = (CarryKey){.relation = table->relation, .sql = table->key_sql, .number = i};
            large = large || table->source_bytes >= LARGE_BYTES;
        }
    }
    int status = large ? schema_spare(&carrier->yard->copy->options->schema, carrier->target,
                                      yard_spare(carrier->yard), true, error)
                       : 0;
    if (status == 0) {
        status = carry_make_keys(carrier->target, keys, count, &carrier->wait, &at, error);
        cargo->at = count > 0 ? keys[at].number : 0;
    }
    free(keys);
    return status;
}

static int note_tables(Carrier *carrier, const Cargo *cargo, int snapshot, Error *error)
{
    Text relations = {0}, rows = {0}, bytes = {0};
    char text[24];
    for (size_t i = 0; i < cargo->count; i++) {
        const RelayCount *count = &cargo->tables[i].count;
        text_array_add(&relations, cargo->tables[i].relation);
        snprintf(text, sizeof text, "%lld", (long long)count->rows);
        text_array_add(&rows, text);
        snprintf(text, sizeof text, "%lld", (long long)count->bytes);
        text_array_add(&bytes, text);
    }
    text_array_end(&relations);
    text_array_end(&rows);
    text_array_end(&bytes);
    int status = jobs_tables_copied(carrier->target, carrier->yard->copy->settings->migration, snapshot,
                                    relations.data, rows.data, bytes.data, error);
    text_free(&relations);
    text_free(&rows);
    text_free(&bytes);
    return status;
}

static int carry_tables(Carrier *carrier, const Job *job, Cargo *cargo, int snapshot, Error *error)
{
    if (choose_plan(carrier, job, cargo, error) != 0 || look(carrier, cargo, error) != 0 ||
        move_all(carrier, job, cargo, error) != 0 || leave_source(carrier, cargo, error) != 0) {
        return -1;
    }
    if (job->kind == JOB_PART) {
        return 0;
    }
    return make_keys(carrier, cargo, error) == 0 ? note_tables(carrier, cargo, snapshot, error) : -1;
}

int carry_job(Carrier *carrier, const Job *job, int snapshot, Error *error)
{
    PGresult *rows = NULL;
    int64_t moved = 0, bytes = 0;
    if (jobs_relations(carrier->target, job, &rows, error) != 0) {
        return -1;
    }
    Cargo *cargo = cargo_new(rows, job);
    carrier->known += cargo_columns(cargo);
    int status = cargo->count > 0 ? carry_tables(carrier, job, cargo, snapshot, error)
                                  : database_execute(carrier->source, error, "COMMIT", 0);
    for (size_t i = 0; i < cargo->count; i++) {
        moved += cargo->tables[i].count.rows;
        bytes += cargo->tables[i].count.bytes;
    }
    if (status != 0 && cargo->count > 0) {
        char name[300];
        cargo_name(&cargo->tables[cargo->at], name, sizeof name);
        error_context(error, "copying table %s", name);
    }
    cargo_free(cargo);
    return status == 0 ? jobs_done(carrier->target, job, snapshot, moved, bytes, error) : -1;
}

/* Which of them still wait to be made; these are noted as made. */
static int take_waiting(Database *target, const CarryKey *keys, size_t count, PGresult **waiting,
                        Error *error)
{
    Text relations = {0};
    for (size_t i = 0; i < count; i++) {
        text_array_add(&relations, keys[i].relation);
    }
    text_array_end(&relations);
    int status = database_query(
        target, waiting, error,
        "WITH made AS (UPDATE penstock.schema_object o SET state = 'made'"
        "    FROM unnest($1::int8[]) AS u (id) JOIN penstock.relation r ON r.id = u.id"
        "   WHERE o.migration = r.migration AND o.section = 'post-data'"
        "     AND o.class_oid = r.key_class AND o.object_oid = r.key_object"
        "     AND o.state = 'waiting' RETURNING r.id)"
        " SELECT u.n - 1 FROM unnest($1::int8[]) WITH ORDINALITY AS u (id, n) JOIN made m ON m.id = u.id"
        " ORDER BY u.n",
        1, relations.data);
    text_free(&relations);
    return status;
}

/* One query of many statements; *at counts those that were done. */
static int run_keys(Database *target, const CarryKey *keys, const PGresult *waiting, const SessionWait *wait,
                    size_t *at, Error *error)
{
    Text sql = {0};
    PGresult *result = NULL;
    int status = 0;
    for (int i = 0; i < PQntuples(waiting); i++) {
        text_printf(&sql, "%s%s", i > 0 ? ";\n" : "", keys[number_int(PQgetvalue(waiting, i, 0))].sql);
    }
    status = send(target, sql.data, error);
    for (int i = 0; status == 0; i++) {
        *at = (size_t)number_int(PQgetvalue(waiting, i < PQntuples(waiting) ? i : PQntuples(waiting) - 1, 0));
        status = session_next(target, wait, &result, error);
        if (result == NULL) {
            break;
        }
        PQclear(result);
    }
    text_free(&sql);
    return status == 0 ? 0 : error_context(error, "the index of its key");
}

int carry_make_keys(Database *target, const CarryKey *keys, size_t count, const SessionWait *wait, size_t *at,
                    Error *error)
{
    PGresult *waiting = NULL;
    *at = 0;
    if (count == 0) {
        return 0;
    }
    int status = take_waiting(target, keys, count, &waiting, error);
    if (status == 0 && PQntuples(waiting) > 0) {
        status = run_keys(target, keys, waiting, wait, at, error);
    }
    PQclear(waiting);
    return status;
}
