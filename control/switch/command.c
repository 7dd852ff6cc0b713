/*
 * penstock cutover and penstock rollback: lets the machine run forward, carry on, or go back. What a run that was killed
 * had begun is in the journal; a new one refuses to start over it.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "allowed.h"
#include "clock.h"
#include "confirm.h"
#include "cutover.h"
#include "ending.h"
#include "ledger.h"
#include "ours.h"
#include "records.h"
#include "steps.h"
#include "ticker.h"
#include "watchdog.h"

/* A server that has crashed is back by then, as a rule. */
#define UNDO_AGAIN_MS 20000

static bool machine_stop(void *context)
{
    (void)context;
    return interrupted();
}

/* Whoever is asked knows what was found. The checks are made again as the first step: an answer may take its time. */
static int confirm_plan(Cutover *cutover, Error *error)
{
    if (cutover->options->yes || cutover->options->mode == CUTOVER_UNDO ||
        cutover->options->mode == CUTOVER_RESUME) {
        return 0;
    }
    if (confirm_possible(cutover->settings)) {
        if (cutover->road->preflight(cutover, error) != 0) {
            return error_context(error, "preflight");
        }
        if (!cutover->settings->json) {
            cutover_print_plan(cutover);
            printf("\nAll checks passed: %s.\n", cutover->note);
        }
    }
    return confirm(cutover->settings, cutover->road->operation, "\nGo on?",
                   "Give --yes if it is meant; --plan and --dry-run show what it would do.", error);
}

/* --- what became of it --- */

/* The journal's places are made one again; what is missing then is said, for clients it makes no difference. */
static void close_round(Cutover *cutover, bool over)
{
    Error failure;
    if (records_close_round(cutover, over, &failure) != 0) {
        cutover_warn(cutover, "%s", failure.message);
    }
}

/* One more thing that was not shown. */
static void not_shown(Cutover *cutover, const char *what, const char *why)
{
    size_t used = strlen(cutover->unproven);
    snprintf(cutover->unproven + used, sizeof cutover->unproven - used, "%s%s: %s", used > 0 ? "; " : "",
             what, why);
}

/* The moment that this run has kept, or the one before it, whose keeper may have outlived it. */
static bool find_moment(Cutover *cutover, Error *why)
{
    const StepRecord *record = records_of(cutover->road, cutover->records, "snapshot");
    if (cutover->moment.source[0] != '\0') {
        return true;
    }
    cutover->regime = REGIME_AFTER;
    return record != NULL && cutover_source_answers(cutover) &&
           cutover_reach_end(cutover, DATABASE_TARGET, false, why) == 0 &&
           moment_read(cutover->source, cutover->target, record->detail, &cutover->moment, why);
}

/* Compares, and lets the moment go, which keeps vacuum from its work. */
static int verify(Cutover *cutover, json_t **comparison, bool *different, Error *error)
{
    Error why = {.message = "the source does not answer"}, ignored;
    if (!find_moment(cutover, &why)) {
        not_shown(cutover, "the moment of the switch cannot be compared any more", why.message);
        return 0;
    }
    int status = cutover_verify(cutover, comparison, different, error);
    const StepRecord *record = records_of(cutover->road, cutover->records, "snapshot");
    if (status == 0 && record != NULL && step_forget_moment(cutover, record->detail, &ignored) != 0) {
        cutover_warn(cutover, "the snapshots of the switch are kept for two hours: %s", ignored.message);
    }
    return status;
}

static ExitStatus finish_forward(Cutover *cutover, Error *error)
{
    json_t *comparison = NULL;
    bool different = false;
    int status = cutover->options->verify && cutover->road == &road_cutover && !cutover->options->unproven
                     ? verify(cutover, &comparison, &different, error)
                     : 0;
    ending_print(cutover, ENDING_THERE, comparison);
    if (status == 0 && cutover->unproven[0] != '\0') {
        cutover_warn(cutover, "not shown: %s", cutover->unproven);
        return EXIT_ANSWER_NO;
    }
    return status != 0 ? (ExitStatus)error_exit_status(error) : different ? EXIT_ANSWER_NO : EXIT_DONE;
}

/* Adds to the error's hint. */
static void hint_more(Error *error, const char *format, const char *first, const char *second)
{
    char before[sizeof error->hint], more[200];
    snprintf(before, sizeof before, "%s", error->hint);
    snprintf(more, sizeof more, format, first, second);
    error_hint(error, "%.300s%s%s", before, *before != '\0' ? " " : "", more);
}

static ExitStatus stuck(Cutover *cutover, Error *error)
{
    const Road *road = cutover->road;
    ending_print(cutover, ENDING_STUCK, NULL);
    if (machine_has_committed(road->steps, cutover->records, (size_t)road->count)) {
        hint_more(error, "Clients have been released to the %s. See to the cause, then: penstock %s --resume",
                  road->to, road->operation);
        if (road == &road_cutover) {
            hint_more(error, "; or, back: penstock %s%s", "rollback", "");
        }
    } else {
        hint_more(error, "Clients may still be held%s! See to the cause, then at once: penstock %s --undo",
                  cutover->helper_goes_on ? " (a helper goes on trying for ten minutes)" : "",
                  road->operation);
    }
    return EXIT_FAILED;
}

/* Clients go on. What was made is still there, and the next run of this road is refused until it is not. */
static ExitStatus left(Cutover *cutover, Error *error)
{
    ending_print(cutover, ENDING_UNDONE, NULL);
    hint_more(error, "Clients go on at the %s. What is left: penstock %s --undo, when it can be done",
              cutover->road->from, cutover->road->operation);
    return EXIT_FAILED;
}

static ExitStatus conclude(Cutover *cutover, MachineResult result, Error *error)
{
    bool undo = cutover->options->mode == CUTOVER_UNDO;
    if (result == MACHINE_TAKEN) { /* nor is the journal ours */
        return EXIT_FAILED;
    }
    close_round(cutover, result == MACHINE_DONE || result == MACHINE_UNDONE);
    switch (result) {
    case MACHINE_DONE:
        return finish_forward(cutover, error);
    case MACHINE_LEFT:
        return left(cutover, error);
    case MACHINE_STUCK:
        return stuck(cutover, error);
    default:
        ending_print(cutover, ENDING_UNDONE, NULL);
        return undo ? EXIT_DONE : (ExitStatus)error_exit_status(error);
    }
}

/* --- the machine --- */

static MachineResult undo(Cutover *cutover, const MachineHooks *hooks, Error *error)
{
    const Road *road = cutover->road;
    size_t count = (size_t)road->count;
    if (machine_has_committed(road->steps, cutover->records, count)) {
        Error why;
        if (machine_retract(road->steps, count, cutover->records, hooks, &why) != 0) {
            allowed_refuse_undo(cutover, &why, error);
            return MACHINE_STUCK;
        }
    }
    return machine_undo(road->steps, count, cutover->records, hooks, error);
}

/* Where a run that carries on stands. */
static void take_up(Cutover *cutover)
{
    const Road *road = cutover->road;
    cutover->hold_started = clock_ms();
    cutover->released = machine_has_committed(road->steps, cutover->records, (size_t)road->count);
    for (int i = 0; i < road->count; i++) {
        if (road->steps[i].lets_go && cutover->records[i].state != STEP_UNTOUCHED) {
            cutover->is_holding = true;
        }
    }
}

/* --- the helper that ends a hold --- */

typedef struct Undoing {
    Settings settings;
    CutoverOptions options;
    const Road *road;
} Undoing;

static ExitStatus run(const Settings *settings, const CutoverOptions *given, const Road *road,
                      bool *needs_end, Error *error);

/* In the helper's process. */
static int undo_round(void *context, const char *round)
{
    Undoing *undoing = context;
    Error error = {.code = ERROR_NONE};
    bool ignored, over = false;
    undoing->options.only_round = round;
    undoing->options.over = &over;
    log_line(&undoing->settings.log, LOG_WARNING, "the command that held the clients is gone: undoing");
    ExitStatus status = run(&undoing->settings, &undoing->options, undoing->road, &ignored, &error);
    if (error.code != ERROR_NONE) {
        log_error(&undoing->settings.log, &error);
    }
    return status == EXIT_DONE || over ? 0 : -1;
}

static void start_watchdog(Cutover *cutover)
{
    char log_path[PATH_MAX] = "";
    Error error;
    Undoing undoing = {.settings = *cutover->settings, .options = *cutover->options, .road = cutover->road};
    undoing.settings.terminal = undoing.settings.json = false;
    undoing.options.mode = CUTOVER_UNDO;
    if (cutover->ledger != NULL) {
        snprintf(log_path, sizeof log_path, "%s.log", ledger_path(cutover->ledger));
    }
    const WatchdogWork work = {
        .undo = undo_round, .context = &undoing, .log_path = *log_path != '\0' ? log_path : NULL};
    cutover->watchdog = watchdog_start(&work, &error);
    if (cutover->watchdog == NULL) {
        cutover_warn(cutover, "if this command is killed, clients stay held until --undo: %s", error.message);
    } else if (cutover->is_holding && !cutover->released) {
        watchdog_holds(cutover->watchdog, cutover_round(cutover),
                       cutover->hold_started + (int64_t)(cutover->options->hold_limit * 1000));
    }
}

static ExitStatus run_machine(Cutover *cutover, Error *error)
{
    const MachineHooks hooks = {.context = cutover,
                                .journal = records_journal,
                                .tell = cutover_tell,
                                .stop = machine_stop,
                                .reach = cutover_reach,
                                .ours = ours_still,
                                .again_ms = UNDO_AGAIN_MS};
    const Road *road = cutover->road;
    bool draws = cutover->settings->terminal && !cutover->settings->json;
    cutover->told = json_array();
    take_up(cutover);
    if (cutover->options->only_round == NULL && !cutover->options->no_helper) {
        start_watchdog(cutover);
    }
    cutover->ticker = draws ? ticker_start() : NULL;
    MachineResult result =
        cutover->options->mode == CUTOVER_UNDO
            ? undo(cutover, &hooks, error)
            : machine_run(road->steps, (size_t)road->count, cutover->records, &hooks, error);
    ticker_stop(cutover->ticker);
    cutover->ticker = NULL;
    /* What we could not undo, the helper goes on trying; what is another's by now, it looks after at the limit of the hold. */
    bool held = !machine_has_committed(road->steps, cutover->records, (size_t)road->count);
    bool stuck = result == MACHINE_STUCK && held;
    bool taken = result == MACHINE_TAKEN && held && cutover->is_holding;
    (stuck || taken ? watchdog_leave : watchdog_end)(cutover->watchdog);
    cutover->helper_goes_on = stuck && cutover->watchdog != NULL;
    cutover->watchdog = NULL;
    return conclude(cutover, result, error);
}

/* The run that was killed had done everything, but for its last line in the target's journal, which is there now. */
static ExitStatus tell_over(Cutover *cutover, Error *error)
{
    bool ended = cutover->was_over == ROUND_ENDED, undo = cutover->options->mode == CUTOVER_UNDO;
    Error why = {.message = "it was brought to its end"};
    if (ended && undo) {
        allowed_refuse_undo(cutover, &why, error);
        return EXIT_FAILED;
    }
    if (!ended && !undo) {
        error_set(error, ERROR_STATE, "the %s that was under way has been undone", cutover->road->operation);
        return EXIT_FAILED;
    }
    cutover->told = json_array();
    close_round(cutover, true);
    ending_print(cutover, ended ? ENDING_THERE : ENDING_UNDONE, NULL);
    return EXIT_DONE;
}

static ExitStatus run_opened(Cutover *cutover, Error *error)
{
    CutoverMode mode = cutover->options->mode;
    if (mode == CUTOVER_PLAN) {
        cutover_print_plan(cutover);
        return EXIT_DONE;
    }
    if (cutover->was_over != ROUND_OPEN && (mode == CUTOVER_RESUME || mode == CUTOVER_UNDO)) {
        return tell_over(cutover, error);
    }
    if (allowed_check(cutover, error) != 0) {
        return (ExitStatus)error_exit_status(error);
    }
    if (mode == CUTOVER_DRY_RUN) {
        return cutover_dry_run(cutover, error);
    }
    return confirm_plan(cutover, error) == 0 ? run_machine(cutover, error)
                                             : (ExitStatus)error_exit_status(error);
}

/* *needs_end: nothing was done, since a cutover has to be brought to its end first. */
static ExitStatus run(const Settings *settings, const CutoverOptions *given, const Road *road,
                      bool *needs_end, Error *error)
{
    CutoverOptions options = *given;
    Cutover cutover = {.settings = settings, .options = &options, .road = road};
    ExitStatus status = EXIT_FAILED;
    int opened = cutover_open(&cutover, &options, error);
    *needs_end = opened == 0 && allowed_needs_end(&cutover);
    if (opened != 0) {
        status = (ExitStatus)error_exit_status(error);
    } else if (!*needs_end) {
        status = run_opened(&cutover, error);
    }
    cutover_close(&cutover);
    return status;
}

static ExitStatus run_cutover(const Settings *settings, void *options, Error *error)
{
    bool ignored;
    return run(settings, options, &road_cutover, &ignored, error);
}

/*
 * Back from a cutover that was never brought to its end, since the look through the proxy failed: the way back has to flow, so
 * the rest of its steps comes first.
 */
static ExitStatus run_rollback(const Settings *settings, void *input, Error *error)
{
    const CutoverOptions *options = input;
    bool needs_end;
    ExitStatus status = run(settings, options, &road_rollback, &needs_end, error);
    if (!needs_end) {
        return status;
    }
    CutoverOptions rest = {.mode = CUTOVER_RESUME, .unproven = true};
    status = run(settings, &rest, &road_cutover, &needs_end, error);
    return status == EXIT_DONE ? run(settings, options, &road_rollback, &needs_end, error) : status;
}

const Command command_cutover = {
    .name = "cutover",
    .summary = "Hold the clients, fence the source, and let them go on at the target",
    .argp = &cutover_argp,
    .options_size = sizeof(CutoverOptions),
    .run = run_cutover,
};

const Command command_rollback = {
    .name = "rollback",
    .summary = "The same way back, with everything that was written to the target",
    .argp = &rollback_argp,
    .options_size = sizeof(CutoverOptions),
    .run = run_rollback,
};
