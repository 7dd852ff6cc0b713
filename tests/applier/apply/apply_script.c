/*
 * Applies changes written by hand (script.h) to a real server: `apply_script TARGET MIGRATION < script`.
 *
 *     relation NAME SCHEMA.TABLE IDENTITY COLUMN…     declares a relation
 *     show NAME                                       prints its lane class, match class and reason
 *     NAME I|U|D …                                    adds a change to the batch
 *     truncate NAME…                                  a batch of its own, with restart of identities
 *     policy TEXT                                     takes a value of --on-conflict
 *     leave-out                                       everything belongs to the transaction of --skip-lsn
 *     apply [open]                                    applies the batch; open leaves the transaction open
 *
 * Every batch prints one line: "ok by_rows=0 statements=2 reduced=5 conflicts=0", or the error, after which the program
 * goes on with a new worker. Batches move lane 0.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "script.h"
#include "worker.h"

#define MAX_RELATIONS 64

typedef struct Program {
    Arena *arena;
    Database *database;
    Catalog *catalog;
    const char *migration;
    int64_t moves;
    WorkerOptions options;
    Policies policies;
    Worker *worker;
    Batch *batch;
    uint64_t sequence;
    char *names[MAX_RELATIONS];
    const ApplyRelation *relations[MAX_RELATIONS];
    int relation_count;

    pthread_mutex_t lock;
    pthread_cond_t done;
    bool finished;
    Error error;
} Program;

static void die(const Error *error)
{
    fprintf(stderr, "%s\n%s\n", error->message, error->hint);
    exit(1);
}

static void batch_done(void *context, Batch *batch, const Error *error)
{
    Program *p = context;
    pthread_mutex_lock(&p->lock);
    p->error = *error;
    if (error->code == ERROR_NONE) {
        printf("ok by_rows=%llu statements=%llu reduced=%llu conflicts=%llu\n",
               (unsigned long long)batch->by_rows, (unsigned long long)batch->statements,
               (unsigned long long)batch->reduced, (unsigned long long)batch->conflicts);
    }
    batch_free(batch);
    p->finished = true;
    pthread_cond_signal(&p->done);
    pthread_mutex_unlock(&p->lock);
}

static void start_worker(Program *p)
{
    Error error;
    if (worker_start(&p->options, batch_done, p, &p->worker, &error) != 0) {
        die(&error);
    }
}

/* How often the lane has been moved: it goes on from there. */
static void read_moves(Program *p)
{
    char *moves = NULL;
    Error error;
    if (database_value(p->database, &moves, &error, "SELECT moves FROM penstock.lane WHERE migration = $1", 1,
                       p->migration) != 0) {
        die(&error);
    }
    p->moves = moves != NULL ? atoll(moves) : 0;
    free(moves);
}

static void submit(Program *p, Batch *batch)
{
    static int lane_zero[] = {0};
    batch->lanes = malloc(sizeof lane_zero);
    memcpy(batch->lanes, lane_zero, sizeof lane_zero);
    batch->moves = malloc(sizeof *batch->moves);
    *batch->moves = p->moves++;
    batch->lane_count = 1;
    batch->last = (Position){1, p->sequence};
    pthread_mutex_lock(&p->lock);
    p->finished = false;
    worker_submit(p->worker, batch);
    while (!p->finished) {
        pthread_cond_wait(&p->done, &p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    if (p->error.code != ERROR_NONE) {
        printf("error %d %s: %s\nhint: %s\n", p->error.code, p->error.sqlstate, p->error.message,
               p->error.hint);
        worker_stop(p->worker);
        start_worker(p);
        read_moves(p);
    }
    fflush(stdout);
}

static const ApplyRelation *find(const Program *p, const char *name)
{
    for (int i = 0; i < p->relation_count; i++) {
        if (strcmp(p->names[i], name) == 0) {
            return p->relations[i];
        }
    }
    fprintf(stderr, "no relation %s\n", name);
    exit(2);
}

/* The OID under which the migration has listed it: it is the very table. 0 for one that it does not know. */
static uint32_t listed_oid(Program *p, const SourceRelation *source)
{
    Error error;
    char *oid = NULL;
    if (database_value(p->database, &oid, &error,
                       "SELECT source_oid FROM penstock.relation WHERE schema_name = $1 AND table_name = $2",
                       2, source->schema, source->name) != 0) {
        die(&error);
    }
    uint32_t value = oid != NULL ? (uint32_t)strtoul(oid, NULL, 10) : 0;
    free(oid);
    return value;
}

static void declare(Program *p, char *line)
{
    char *name = strsep(&line, " ");
    Error error;
    Answer answer;
    SourceRelation *own = script_relation(p->arena, line);
    own->id = listed_oid(p, own);
    const SourceRelation *source = own;
    if (look_at_relations(p->database, catalog_types(p->catalog), &(LossyTables){.all = true}, p->migration,
                          false, &source, 1, &answer, &error) != 0) {
        die(&error);
    }
    if (answer.error != NULL) {
        error = *answer.error;
        answers_clear(&answer, 1);
        printf("error %d %s: %s\nhint: %s\n", error.code, error.sqlstate, error.message, error.hint);
        return;
    }
    catalog_take(p->catalog, &answer);
    catalog_find(p->catalog, source, &p->relations[p->relation_count]);
    p->names[p->relation_count++] = arena_strndup(p->arena, name, strlen(name));
}

static void show(const ApplyRelation *relation)
{
    static const char *const matches[] = {"key", "row", "none"};
    if (relation == NULL) {
        puts("not migrated");
        return;
    }
    printf("%s match=%s lanes=%s %s\n", relation->qualified, matches[relation->match],
           relation->lane_class == LANE_SPREAD ? "spread" : "whole",
           relation->lane_reason != NULL ? relation->lane_reason : "");
}

static void truncate_tables(Program *p, char *line)
{
    TruncateRecord record = {.sequence = ++p->sequence, .restart_identity = true};
    Batch *batch = batch_new(BATCH_TRUNCATE);
    batch->truncated = calloc(MAX_RELATIONS, sizeof(*batch->truncated));
    for (char *name = strsep(&line, " "); name != NULL; name = strsep(&line, " ")) {
        batch->truncated[record.relation_count++] = find(p, name);
    }
    batch->truncate = &record;
    batch->commits = true;
    submit(p, batch);
}

static void take_policy(Program *p, const char *text)
{
    Error error;
    if (policies_add(&p->policies, arena_strndup(p->arena, text, strlen(text)), &error) != 0) {
        die(&error);
    }
}

static void run_line(Program *p, char *line)
{
    char *word = strsep(&line, " ");
    if (strcmp(word, "relation") == 0) {
        declare(p, line);
    } else if (strcmp(word, "show") == 0) {
        show(find(p, line));
    } else if (strcmp(word, "truncate") == 0) {
        truncate_tables(p, line);
    } else if (strcmp(word, "policy") == 0) {
        take_policy(p, line);
    } else if (strcmp(word, "leave-out") == 0) {
        p->policies.skip_lsn = 1;
    } else if (strcmp(word, "apply") == 0) {
        p->batch->commits = line == NULL;
        submit(p, p->batch);
        p->batch = batch_new(BATCH_ROWS);
    } else {
        Change change = script_change(p->arena, find(p, word), line, (Position){1, ++p->sequence});
        batch_add_change(p->batch, &change);
    }
}

int main(int argc, char **argv)
{
    static const Log log = {.level = LOG_WARNING};
    Program p = {.lock = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};
    Error error;
    if (argc != 3) {
        fprintf(stderr, "usage: apply_script TARGET MIGRATION\n");
        return 2;
    }
    p.arena = arena_new(65536);
    p.options = (WorkerOptions){.target = argv[1],
                                .migration = argv[2],
                                .encoding = "UTF8",
                                .policies = &p.policies,
                                .copy_rows = 3000,
                                .session_tables = 1000,
                                .session_memory = (size_t)512 << 20,
                                .log = &log};
    if (database_connect(argv[1], DATABASE_TARGET, "apply_script", &p.database, &error) != 0 ||
        database_execute(p.database, &error, "SET client_encoding = 'UTF8'", 0) != 0) {
        die(&error);
    }
    p.catalog = catalog_new();
    p.migration = argv[2];
    read_moves(&p);
    start_worker(&p);
    p.batch = batch_new(BATCH_ROWS);
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, stdin) > 0) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] != '\0' && line[0] != '#') {
            run_line(&p, line);
        }
    }
    free(line);
    batch_free(p.batch);
    worker_stop(p.worker);
    catalog_free(p.catalog);
    database_close(p.database);
    policies_free(&p.policies);
    arena_free(p.arena);
    return 0;
}
