/*
 * penstock cutover and penstock rollback: lets the machine run forward, carry on, or go back. What a run that was killed
 * had begun is in the journal; a new one refuses to start over it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "confirm.h"
#include "cutover.h"
#include "records.h"
#include "ticker.h"

static bool machine_stop(void *context)
{
    (void)context;
    return interrupted();
}

/* --- may it begin? --- */

static int refuse_switched(const Cutover *cutover, Error *error)
{
    error_set(error, ERROR_STATE, "migration \"%s\" has been switched already", cutover->migration.name);
    return error_hint(error, "penstock finish removes what the migration made; penstock rollback goes back.");
}

static int check_phase(const Cutover *cutover, bool begun, Error *error)
{
    Phase phase = cutover->migration.phase;
    const char *name = cutover->migration.name;
    bool carries_on = begun && cutover->options->mode == CUTOVER_RESUME;
    if (phase == PHASE_ROLLED_BACK && !carries_on) {
        error_set(error, ERROR_STATE, "migration \"%s\" has been rolled back", name);
        return error_hint(error,
                          "Clients are on the source. penstock finish removes what the migration made; "
                          "then it can begin anew.");
    }
    if (phase == PHASE_SWITCHED && cutover->road == &road_cutover && !carries_on) {
        return begun && cutover->options->mode == CUTOVER_UNDO ? 0 : refuse_switched(cutover, error);
    }
    if (phase != PHASE_SWITCHED && cutover->road == &road_rollback && !begun) {
        error_set(error, ERROR_STATE, "migration \"%s\" is in phase %s: there is nothing to go back from",
                  name, state_phase_name(phase));
        return error_hint(error, "A cutover that was cut short is undone by penstock cutover --undo.");
    }
    return 0;
}

/* The other road must have been gone to its end. */
static int check_other_road(const Cutover *cutover, Error *error)
{
    const Road *other = cutover->road == &road_cutover ? &road_rollback : &road_cutover;
    bool open;
    if (state_operation_open(cutover->target, cutover->migration.name, other->operation,
                             other->steps[other->count - 1].name, &open, error) != 0) {
        return -1;
    }
    if (!open) {
        return 0;
    }
    error_set(error, ERROR_STATE, "a %s of migration \"%s\" was begun and not ended", other->operation,
              cutover->migration.name);
    return error_hint(error, "First: penstock %s --resume, or --undo as long as it can be undone.",
                      other->operation);
}

/* Past the point of no return, what goes back is the other road. */
static int refuse_undo(const Cutover *cutover, Error *error)
{
    const Road *road = cutover->road;
    error_set(error, ERROR_STATE, "clients have been released to the %s: that cannot be undone", road->to);
    return road == &road_cutover
               ? error_hint(error, "End it with penstock cutover --resume; then penstock rollback takes the "
                                   "clients back, with all that they wrote.")
               : error_hint(error, "End it with penstock rollback --resume; then penstock cutover goes to "
                                   "the target again.");
}

static int check_mode(const Cutover *cutover, const StepRecord *records, Error *error)
{
    const Road *road = cutover->road;
    CutoverMode mode = cutover->options->mode;
    bool begun = machine_has_begun(records, (size_t)road->count);
    if (check_phase(cutover, begun, error) != 0 || check_other_road(cutover, error) != 0) {
        return -1;
    }
    if (begun && (mode == CUTOVER_RUN || mode == CUTOVER_DRY_RUN)) {
        error_set(error, ERROR_STATE, "a %s of migration \"%s\" was begun and not ended", road->operation,
                  cutover->migration.name);
        return machine_has_committed(road->steps, records, (size_t)road->count)
                   ? error_hint(error, "Clients have been released to the %s: carry on with --resume.",
                                road->to)
                   : error_hint(error, "Carry on with --resume, or go back with --undo.");
    }
    if (!begun && (mode == CUTOVER_RESUME || mode == CUTOVER_UNDO)) {
        return error_set(error, ERROR_STATE, "no %s of migration \"%s\" is under way: nothing to %s",
                         road->operation, cutover->migration.name,
                         mode == CUTOVER_RESUME ? "resume" : "undo");
    }
    return mode == CUTOVER_UNDO && machine_has_committed(road->steps, records, (size_t)road->count)
               ? refuse_undo(cutover, error)
               : 0;
}

static int confirm_plan(const Cutover *cutover, Error *error)
{
    if (cutover->options->yes || cutover->options->mode == CUTOVER_UNDO ||
        cutover->options->mode == CUTOVER_RESUME) {
        return 0;
    }
    if (confirm_possible(cutover->settings)) {
        cutover_print_plan(cutover);
    }
    return confirm(cutover->settings, cutover->road->operation, "\nGo on?",
                   "Give --yes if it is meant; --plan and --dry-run show what it would do.", error);
}

/* --- what became of it --- */

static void print_there(const Cutover *cutover, double held)
{
    const Endpoint *to = &cutover->context.to;
    bool forward = cutover->road == &road_cutover;
    printf("\n%s. %s%s:%s/%s is the database %s. The %s stays fenced; ", forward ? "Switched" : "Rolled back",
           cutover->holds ? ""
           : forward      ? "Point the applications at the target: "
                          : "Point the applications at the source: ",
           to->host, to->port, to->database,
           forward ? "now" : "again, with everything that was written to the target", cutover->road->from);
    printf("%s\n", cutover->migration.phase == PHASE_COPIED
                       ? "penstock follow brings it the source's changes again, for another cutover."
                       : "penstock finish ends the migration.");
    if (cutover->holds && held > 0) {
        printf("Clients were held for %.2f s.\n", held);
    }
}

/* When only preflight was told of, there was nothing to undo. */
static void print_undone(const Cutover *cutover)
{
    bool untouched = json_array_size(cutover->told) == 1 && cutover->options->mode == CUTOVER_RUN;
    printf("\n%s: clients go on as before, on the %s%s.\n", untouched ? "Nothing was changed" : "Undone",
           cutover->road->from, untouched || cutover->holds ? "" : ", which takes them again");
}

static void print_end(const Cutover *cutover, const char *result, json_t *comparison)
{
    double held = cutover->hold_ended > cutover->hold_started && cutover->hold_started > 0
                      ? (double)(cutover->hold_ended - cutover->hold_started) / 1000.0
                      : 0;
    if (cutover->settings->json) {
        json_t *all = json_pack("{s:s, s:s, s:s, s:f, s:O, s:O?}", "operation", cutover->road->operation,
                                "migration", cutover->migration.name, "result", result, "hold_seconds", held,
                                "steps", cutover->told, "comparison", comparison);
        json_dumpf(all, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
        printf("\n");
        json_decref(all);
    } else if (strcmp(result, "undone") == 0) {
        print_undone(cutover);
    } else if (strcmp(result, "stuck") != 0) {
        print_there(cutover, held);
    }
    json_decref(comparison);
}

static ExitStatus finish_forward(Cutover *cutover, Error *error)
{
    json_t *comparison = NULL;
    bool different = false;
    int status = 0;
    if (cutover->options->verify && cutover->snapshot[0] == '\0') {
        cutover_warn(cutover,
                     "the snapshot of the switch point died with the run that was killed: it cannot be "
                     "compared any more");
    } else if (cutover->options->verify) {
        status = cutover_verify(cutover, &comparison, &different, error);
    }
    print_end(cutover, cutover->road == &road_cutover ? "switched" : "rolled back", comparison);
    return status != 0 ? (ExitStatus)error_exit_status(error) : different ? EXIT_ANSWER_NO : EXIT_DONE;
}

static ExitStatus stuck(Cutover *cutover, const StepRecord *records, Error *error)
{
    const Road *road = cutover->road;
    print_end(cutover, "stuck", NULL);
    if (machine_has_committed(road->steps, records, (size_t)road->count)) {
        char before[sizeof error->hint];
        snprintf(before, sizeof before, "%s", error->hint);
        error_hint(error,
                   "%.250s%sClients have been released to the %s. See to the cause, then: penstock %s "
                   "--resume",
                   before, *before != '\0' ? " " : "", road->to, road->operation);
    } else {
        error_hint(error, "Clients may still be held! See to the cause, then at once: penstock %s --undo",
                   road->operation);
    }
    return EXIT_FAILED;
}

static ExitStatus run_machine(Cutover *cutover, StepRecord *records, Error *error)
{
    const MachineHooks hooks = {
        .context = cutover, .journal = records_journal, .tell = cutover_tell, .stop = machine_stop};
    const Road *road = cutover->road;
    bool undo = cutover->options->mode == CUTOVER_UNDO;
    bool draws = cutover->settings->terminal && !cutover->settings->json;
    cutover->told = json_array();
    cutover->hold_started = clock_ms();
    cutover->ticker = draws ? ticker_start() : NULL;
    MachineResult result = undo ? machine_undo(road->steps, (size_t)road->count, records, &hooks, error)
                                : machine_run(road->steps, (size_t)road->count, records, &hooks, error);
    ticker_stop(cutover->ticker);
    cutover->ticker = NULL;
    if (result == MACHINE_DONE) {
        return finish_forward(cutover, error);
    }
    if (result == MACHINE_STUCK) {
        return stuck(cutover, records, error);
    }
    print_end(cutover, "undone", NULL);
    return undo ? EXIT_DONE : (ExitStatus)error_exit_status(error);
}

/* A road that was gone to its end may be gone again. */
static int load_records(Cutover *cutover, StepRecord *records, Error *error)
{
    if (records_load(cutover, cutover->road, records, error) != 0) {
        return -1;
    }
    if (records_ended(cutover->road, records)) {
        step_records_free(records, MAX_STEPS);
    }
    return 0;
}

static ExitStatus run_opened(Cutover *cutover, StepRecord *records, Error *error)
{
    CutoverMode mode = cutover->options->mode;
    if (mode == CUTOVER_PLAN) {
        cutover_print_plan(cutover);
        return EXIT_DONE;
    }
    if (load_records(cutover, records, error) != 0 || check_mode(cutover, records, error) != 0) {
        return (ExitStatus)error_exit_status(error);
    }
    if (mode == CUTOVER_DRY_RUN) {
        return cutover_dry_run(cutover, error);
    }
    return confirm_plan(cutover, error) == 0 ? run_machine(cutover, records, error)
                                             : (ExitStatus)error_exit_status(error);
}

static ExitStatus run(const Settings *settings, const CutoverOptions *options, const Road *road, Error *error)
{
    Cutover cutover = {.settings = settings, .options = options, .road = road};
    StepRecord records[MAX_STEPS] = {0};
    ExitStatus status = cutover_open(&cutover, error) == 0 ? run_opened(&cutover, records, error)
                                                           : (ExitStatus)error_exit_status(error);
    step_records_free(records, MAX_STEPS);
    cutover_close(&cutover);
    return status;
}

static ExitStatus run_cutover(const Settings *settings, void *options, Error *error)
{
    return run(settings, options, &road_cutover, error);
}

static ExitStatus run_rollback(const Settings *settings, void *options, Error *error)
{
    return run(settings, options, &road_rollback, error);
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
