/*
 * Making and unmaking: what a run stands on is made in one order, checked as it is made, and taken down whole when the
 * loop has ended, whatever ended it.
 *
 *     lanes, resolver, workers ──► the source's stream ──► scheduler, heartbeat ──► the loop
 *
 * The supervisor has made sure that no worker of an earlier applier is left. Lanes are taken over before anything else is
 * looked at, so that nobody else moves them from then on, and looked at once more when the slot is this run's alone.
 */
#include "run.h"
#include "left_behind.h"
#include "silence.h"

#include <stdlib.h>

#define SLOT_WAIT_MS 30000
#define MAX_RAW_SIZE ((size_t)1 << 30)

/* Lanes that stand at a transaction expect to meet it again, if it is sent again. */
static Witness *make_witness(Pipeline *pipeline, const LanePosition *lanes)
{
    int count = pipeline->options->migration->lanes;
    size_t known = 0;
    Witnessed *at = calloc((size_t)count, sizeof *at);
    if (at == NULL) {
        abort();
    }
    for (int lane = 0; lane < count; lane++) {
        if (lanes[lane].commit_time != 0) {
            at[known++] = (Witnessed){lanes[lane].commit_lsn, lanes[lane].commit_time};
        }
    }
    Witness *witness = witness_new(at, known, receiver_start(pipeline->intake.receiver));
    free(at);
    return witness;
}

/* What the server keeps of a table, for the size of transactions: 9 kB of a small one, several times that of a wide one. */
#define TABLE_BYTES ((size_t)20 << 10)

/* What a worker's process on the target may take: its share. */
static size_t session_memory(const ApplierOptions *applier)
{
    return applier->target_memory / (size_t)applier->workers;
}

/*
 * A transaction has no more tables than half of what its session may write to, and no more than take half of what its process
 * may take: on the way there it is not made anew.
 */
static size_t batch_tables(const ApplierOptions *applier)
{
    size_t by_memory = session_memory(applier) / 2 / TABLE_BYTES + 1;
    size_t by_number = applier->session_tables / 2;
    return by_memory < by_number ? by_memory : by_number;
}

static void begin_outbox(Pipeline *pipeline, const LanePosition *lanes)
{
    const Migration *migration = pipeline->options->migration;
    Position *positions = calloc((size_t)migration->lanes, sizeof *positions);
    if (positions == NULL) {
        abort();
    }
    for (int lane = 0; lane < migration->lanes; lane++) {
        positions[lane] = (Position){lanes[lane].commit_lsn, lanes[lane].sequence};
    }
    SchedulerOptions options = {
        .lanes = migration->lanes,
        .workers = pipeline->applier->workers,
        .batch_rows = pipeline->applier->batch_rows,
        .batch_bytes = pipeline->applier->batch_bytes,
        .batch_locks = *pipeline->options->batch_locks,
        .batch_tables = batch_tables(pipeline->applier),
        .linger_usec = (uint64_t)pipeline->applier->linger_ms * 1000,
        .lane_positions = positions,
        .start = receiver_confirmed(pipeline->intake.receiver),
    };
    outbox_begin(&pipeline->outbox, &options, make_witness(pipeline, lanes));
    free(positions);
}

/* Up to where the target has everything: nothing further has been confirmed to the source. */
static int load_safe(Pipeline *pipeline, Lsn *safe, Error *error)
{
    const Migration *migration = pipeline->options->migration;
    ApplierStatus reported;
    if (state_read_applier(pipeline->options->target, migration->name, &reported, error) != 0) {
        return -1;
    }
    bool known = reported.exists && reported.low_water_lsn > migration->slot_lsn;
    *safe = known ? reported.low_water_lsn : migration->slot_lsn;
    return 0;
}

/* Of what lies behind this, the target has nothing: no change of any lane, no row that was copied. */
static int load_known(Pipeline *pipeline, const LanePosition *lanes, Lsn safe, Lsn *known, Error *error)
{
    const Migration *migration = pipeline->options->migration;
    if (state_copied_lsn(pipeline->options->target, migration->name, known, error) != 0) {
        return -1;
    }
    *known = safe > *known ? safe : *known;
    for (int lane = 0; lane < migration->lanes; lane++) {
        bool changed = lanes[lane].sequence != 0; /* else it stands where the slot was made */
        *known = changed && lanes[lane].commit_lsn >= *known ? lanes[lane].commit_lsn + 1 : *known;
    }
    return 0;
}

static int remember_timeline(Pipeline *pipeline, Error *error)
{
    const Migration *migration = pipeline->options->migration;
    int timeline = receiver_timeline(pipeline->intake.receiver);
    if (timeline == migration->source_timeline) {
        return 0;
    }
    if (migration->source_timeline != 0) {
        log_line(&pipeline->applier->log, LOG_INFO,
                 "the source went on from timeline %d to %d behind all that the target has",
                 migration->source_timeline, timeline);
    }
    return state_set_timeline(pipeline->options->target, migration->name, timeline, error);
}

static int open_source(Pipeline *pipeline, const LanePosition *lanes, Error *error)
{
    const Migration *migration = pipeline->options->migration;
    Lsn start = lanes[0].commit_lsn;
    for (int lane = 1; lane < migration->lanes; lane++) {
        start = lanes[lane].commit_lsn < start ? lanes[lane].commit_lsn : start;
    }
    ReceiverOptions receiver = {
        .source = pipeline->applier->source,
        .slot = migration->slot_name,
        .system = migration->source_system,
        .database = migration->source_database,
        .on_undecodable = pipeline->applier->recopy ? "recopy" : "error",
        .collect_memory = pipeline->applier->source_memory,
        .read_ahead = pipeline->applier->source_read_ahead,
        .timeline = migration->source_timeline,
        .start = start,
        .slot_wait_ms = SLOT_WAIT_MS,
        .earlier_session = *pipeline->options->read_by,
        .interrupt_fd = pipeline->options->stop->fd,
    };
    DecoderOptions decoder = {
        .registry = pipeline->options->registry,
        .encoding = migration->source_encoding,
        .max_raw_size = MAX_RAW_SIZE,
        .notes = pipeline->totals->notes,
    };
    char *left_behind = NULL;
    if (left_behind_oids(pipeline->options->target, migration->name, &left_behind, error) != 0) {
        return -1;
    }
    receiver.skip_relations = left_behind;
    int opened = load_safe(pipeline, &receiver.safe, error) == 0 &&
                         load_known(pipeline, lanes, receiver.safe, &receiver.known, error) == 0
                     ? intake_open(&pipeline->intake, &receiver, &decoder, error)
                     : -1;
    free(left_behind);
    if (opened != 0) {
        return -1;
    }
    *pipeline->options->read_by = receiver_session(pipeline->intake.receiver);
    return remember_timeline(pipeline, error);
}

/*
 * The target's table of locks has room for max_locks_per_transaction for each session that may be there, whoever needs them
 * (storage/lmgr/lock.c, NLOCKENTS). All workers together may take half of it.
 */
static int share_locks(Pipeline *pipeline, Error *error)
{
    char *text = NULL;
    if (*pipeline->options->batch_locks != 0) {
        return 0;
    }
    if (database_value(pipeline->options->target, &text, error,
                       "SELECT current_setting('max_locks_per_transaction')::int8 * "
                       "(current_setting('max_connections')::int8 + "
                       "current_setting('max_prepared_transactions')::int8)",
                       0) != 0) {
        return error_context(error, "asking for the room in the target's table of locks");
    }
    size_t locks = (size_t)strtoull(text, NULL, 10) / 2 / (size_t)pipeline->applier->workers;
    *pipeline->options->batch_locks = locks > 0 ? locks : 1;
    free(text);
    return 0;
}

static int start_workers(Pipeline *pipeline, Error *error)
{
    const Migration *migration = pipeline->options->migration;
    const ApplierOptions *applier = pipeline->applier;
    DispatcherOptions options = {
        .worker = {.target = applier->target,
                   .migration = migration->name,
                   .epoch = pipeline->epoch,
                   .encoding = migration->source_encoding,
                   .policies = &applier->policies,
                   .copy_rows = applier->copy_rows,
                   .session_tables = applier->session_tables,
                   .session_memory = session_memory(applier),
                   .log = &applier->log},
        .workers = applier->workers < migration->lanes ? applier->workers : migration->lanes,
        .wake = loop_wake,
        .context = pipeline,
    };
    pipeline->outbox.totals = pipeline->totals;
    return outbox_open(&pipeline->outbox, &options, error);
}

static Lsn furthest_lane(const Migration *migration, const LanePosition *lanes)
{
    Lsn furthest = LSN_INVALID;
    for (int lane = 0; lane < migration->lanes; lane++) {
        furthest = lanes[lane].commit_lsn > furthest ? lanes[lane].commit_lsn : furthest;
    }
    return furthest;
}

static int start_resolver(Pipeline *pipeline, const LanePosition *lanes, Error *error)
{
    const Migration *migration = pipeline->options->migration;
    const ApplierOptions *applier = pipeline->applier;
    ResolverOptions options = {
        .source = applier->source,
        .target = applier->target,
        .migration = migration->name,
        .encoding = migration->source_encoding,
        .types = catalog_types(pipeline->options->catalog),
        .lossy = &applier->lossy,
        .log = &applier->log,
        .wake = loop_wake,
        .context = pipeline,
    };
    pipeline->resolve =
        (Resolve){.catalog = pipeline->options->catalog, .log = &applier->log, .recopy = applier->recopy};
    if (state_load_bound(pipeline->options->target, migration->name, &pipeline->resolve.bound, error) != 0) {
        return -1;
    }
    if (resolve_open(&pipeline->resolve, &options, error) != 0) {
        return -1;
    }
    meet_open(&pipeline->meet, pipeline->resolve.resolver, furthest_lane(migration, lanes), &applier->log);
    return state_point_abandon(pipeline->options->target, migration->name, error);
}

static int start_confirm(Pipeline *pipeline, Error *error)
{
    pipeline->confirm = (Confirm){.intake = &pipeline->intake,
                                  .outbox = &pipeline->outbox,
                                  .reporter = pipeline->options->reporter,
                                  .totals = pipeline->totals};
    return confirm_open(&pipeline->confirm, pipeline->applier->source, &pipeline->applier->log, error);
}

static int make(Pipeline *pipeline, Error *error)
{
    const Migration *migration = pipeline->options->migration;
    LanePosition *lanes = calloc((size_t)migration->lanes, sizeof *lanes);
    if (lanes == NULL) {
        return error_set(error, ERROR_SYSTEM, "no memory for %d lanes", migration->lanes);
    }
    int status = -1;
    if (state_take_lanes(pipeline->options->target, migration, lanes, &pipeline->epoch, error) == 0 &&
        state_silence_again(pipeline->options->target, migration->name, error) == 0 &&
        share_locks(pipeline, error) == 0 && start_resolver(pipeline, lanes, error) == 0 &&
        start_workers(pipeline, error) == 0 && open_source(pipeline, lanes, error) == 0 &&
        state_check_lanes(pipeline->options->target, migration, lanes, pipeline->epoch, error) == 0) {
        begin_outbox(pipeline, lanes);
        status = start_confirm(pipeline, error);
    }
    free(lanes);
    return status;
}

static void unmake(Pipeline *pipeline, bool streamed)
{
    Error ignored;
    outbox_stop(&pipeline->outbox);
    if (streamed) {
        (void)!outbox_collect(&pipeline->outbox, &ignored);
        confirm_goodbye(&pipeline->confirm);
    }
    totals_end_run(pipeline->totals);
    resolve_close(&pipeline->resolve);
    meet_close(&pipeline->meet);
    confirm_close(&pipeline->confirm);
    loop_close(pipeline);
    intake_close(&pipeline->intake);
    outbox_close(&pipeline->outbox);
}

int pipeline_run(const PipelineOptions *options, PipelineTotals *totals, bool *streamed, Error *error)
{
    Pipeline *pipeline = calloc(1, sizeof *pipeline);
    if (pipeline == NULL) {
        return error_set(error, ERROR_SYSTEM, "no memory for the pipeline");
    }
    totals->runs++;
    pipeline->options = options;
    pipeline->applier = options->applier;
    pipeline->totals = totals;
    if (totals->counts == NULL) {
        totals->counts = counts_new(options->migration->lanes);
    }
    loop_init(pipeline);
    *streamed = make(pipeline, &pipeline->error) == 0;
    if (*streamed) {
        char lsn[LSN_TEXT_SIZE];
        log_line(&pipeline->applier->log, LOG_INFO, "streaming from slot \"%s\" at %s",
                 options->migration->slot_name,
                 lsn_format(receiver_confirmed(pipeline->intake.receiver), lsn));
        loop_run(pipeline);
    }
    unmake(pipeline, *streamed);
    *error = pipeline->error;
    free(pipeline);
    return error->code == ERROR_NONE ? 0 : -1;
}
