/*
 * The tables of both roads, and the one loop that runs them.
 */
#include "preflight.h"

#include "preflight_rows.h"

#include <stdio.h>
#include <stdlib.h>

#include "hand_over.h"
#include "kept.h"
#include "left.h"
#include "losses.h"
#include "named.h"
#include "ticker.h"
#include "unlike.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *skip_without_way_back(const Cutover *cutover)
{
    return cutover->options->no_reverse ? "as --no-reverse says" : NULL;
}

/* Only superusers make subscriptions. */
static const char *skip_login(const Cutover *cutover)
{
    bool super = false;
    Error ignored;
    if (cutover->options->no_reverse) {
        return skip_without_way_back(cutover);
    }
    return database_is_superuser(cutover->source, &super, &ignored) == 0 && super
               ? NULL
               : "it takes a superuser as --source to try it";
}

static const PreflightRow cutover_rows[] = {
    {.id = "switch-phase", .check = check_phase, .ends = true},
    {.id = "switch-left-behind", .check = left_check},
    {.id = "switch-tables", .check = check_nothing_missing},
    {.id = "switch-drift", .check = check_drift},
    {.id = "switch-verified", .check = check_verified},
    {.id = "server-settings",
     .title = "Settings that applications would find different",
     .advice =
         "Settings of the servers themselves are not moved; those of the database, and of roles that are "
         "made, are.",
     .early = EARLY,
     .check = unlike_settings},
    {.id = "source-superuser",
     .title = "Right to fence the source",
     .advice = "Copy and follow work without it; the cutover takes a superuser, who closes the source to "
               "other writers. Only a superuser sees what else it needs: run the check once as that role.",
     .early = EARLY_AS_A_WARNING,
     .check = check_leaving},
    {.id = "switch-prepared",
     .title = "Prepared transactions that no fence would stop",
     .advice = "Applications that use two-phase commit have to rest for the moment of the switch.",
     .early = EARLY_AS_A_WARNING,
     .check = check_prepared},
    {.id = "subscriptions",
     .title = "Subscriptions that write to the source",
     .advice = "What they bring is moved like other writes; on the target they have to be created again "
               "after the switch.",
     .early = EARLY,
     .check = check_writers},
    {.id = "switch-slot", .check = check_slot, .stream = true},
    {.id = "switch-stream-role", .check = check_stream_role},
    {.id = "switch-lag", .check = check_lag, .stream = true},
    {.id = "hand-over-slots",
     .title = "Slots of other consumers that are to be handed over (--hand-over-slot)",
     .advice = "Name slots that are on the source, and whose names are free on the target.",
     .early = EARLY,
     .check = hand_over_check},
    {.id = "way-back-servers",
     .title = "What the way back needs of both servers",
     .advice =
         "The restart is cheaper now than on the night of the switch. --no-reverse goes without a way back, "
         "and so without a rollback.",
     .early = EARLY,
     .skip = skip_without_way_back,
     .check = check_reverse_servers},
    {.id = "event-triggers",
     .title = "Event triggers that would refuse what the switch defines",
     .advice = "Switch them off until the migration is finished, or make them ENABLE: such do not act on "
               "what Penstock defines.",
     .early = EARLY,
     .skip = skip_login,
     .check = check_definitions},
    {.id = "target-replication",
     .title = "Right to make the slot of the way back",
     .advice = "Copy and follow work without it; the cutover needs it.",
     .early = EARLY_AS_A_WARNING,
     .skip = skip_without_way_back,
     .check = check_reverse_role},
    {.id = "way-back-connection",
     .title = "Connection of the source's server to the target, for the way back",
     .advice =
         "--reverse-conninfo says how the source's server reaches the target, with its user, password and "
         "TLS; pg_hba.conf of the target has to let it in. --no-reverse goes without.",
     .early = EARLY,
     .skip = skip_login,
     .check = check_reverse_login},
    {.id = "way-back-tables",
     .title = "Tables of which not everything would come back in a rollback",
     .advice = "Give them a primary key, or a replica identity that can be compared, while that is easy.",
     .early = EARLY,
     .skip = skip_without_way_back,
     .check = name_reverse_limits},
    {.id = "old-transactions",
     .title = "Transactions older than the switch would wait for",
     .advice = "Clients that leave transactions open for so long block the drain: let them end, or raise "
               "--max-transaction-age.",
     .early = EARLY_AS_A_WARNING,
     .check = check_transactions},
    {.id = "switch-superusers",
     .title = "Superusers at work in the database",
     .advice = "Let applications connect as a role that is no superuser.",
     .early = EARLY,
     .check = name_superusers},
    {.id = "switch-passers",
     .title = "Background workers, and roles with a read-only default of their own",
     .advice = "Nothing to do, if you know them.",
     .early = EARLY,
     .check = name_passers},
    {.id = "switch-others",
     .title = "Others whom the switch touches: standbys, consumers of changes, listeners",
     .advice = "Know beforehand where each of them goes.",
     .early = EARLY,
     .check = named_others},
    {.id = "switch-statistics", .check = name_without_statistics},
    {.id = "proxy",
     .title = "Proxies: reachable, changeable, patient, and their users at the target",
     .advice = "Otherwise clients of the proxy would see errors, or wait for ever.",
     .early = EARLY,
     .check = check_proxies},
    {.id = "probe",
     .title = "The connection through the proxy that looks after the switch (--probe)",
     .advice = "Without it, the switch cannot know that it succeeded.",
     .early = EARLY,
     .check = check_probe},
};

static const PreflightRow rollback_rows[] = {
    {.id = "source-superuser", .check = check_entering},
    {.id = "target-superuser", .check = check_leaving},
    {.id = "switch-prepared", .check = check_prepared},
    {.id = "subscriptions", .check = check_writers},
    {.id = "switch-fence", .check = check_fence},
    {.id = "switch-drift", .check = check_drift},
    {.id = "way-back-losses", .check = losses_check},
    {.id = "event-triggers", .check = check_definitions},
    {.id = "way-back-stream", .check = check_way_back, .stream = true},
    {.id = "switch-stream-role", .check = check_stream_role},
    {.id = "server-settings", .check = unlike_settings},
    {.id = "old-transactions", .check = check_transactions},
    {.id = "switch-superusers", .check = name_superusers},
    {.id = "switch-passers", .check = name_passers},
    {.id = "switch-others", .check = named_others},
    {.id = "proxy", .check = check_proxies},
    {.id = "probe", .check = check_probe},
};

/* --- telling --- */

static void tell(Preflight *preflight, const PreflightFinding *finding)
{
    preflight->tell(preflight->context, preflight->row, finding);
}

static void tell_words(Preflight *preflight, PreflightWeight weight, const char *words)
{
    tell(preflight, &(PreflightFinding){.weight = weight, .words = words, .hint = ""});
}

static void tell_error(Preflight *preflight, PreflightWeight weight, const Error *error, const char *fix)
{
    tell(preflight,
         &(PreflightFinding){
             .weight = weight, .words = error->message, .hint = error->hint, .fix = fix, .error = error});
}

bool preflight_is_early(const Cutover *cutover)
{
    return cutover->preflight != NULL && cutover->preflight->early;
}

void preflight_warning(Cutover *cutover, const char *words)
{
    tell_words(cutover->preflight, PREFLIGHT_WARNING, words);
}

void preflight_problem(Cutover *cutover, const Error *problem, const char *fix)
{
    Preflight *preflight = cutover->preflight;
    bool mild = preflight_is_early(cutover) && preflight->row->early == EARLY_AS_A_WARNING;
    preflight->problems++;
    tell_error(preflight, mild ? PREFLIGHT_WARNING : PREFLIGHT_PROBLEM, problem, fix);
}

/* What a server refused to tell is no answer; all else that a check ends with is what it has found. */
static void tell_failure(Cutover *cutover, const Error *failure)
{
    bool unknown =
        failure->code == ERROR_CONNECTION || failure->code == ERROR_TRANSIENT ||
        failure->code == ERROR_SYSTEM ||
        ((failure->code == ERROR_SOURCE || failure->code == ERROR_TARGET) && failure->sqlstate[0] != '\0');
    if (!unknown) {
        preflight_problem(cutover, failure, NULL);
        return;
    }
    cutover->preflight->problems++;
    tell_error(cutover->preflight, PREFLIGHT_UNKNOWN, failure, NULL);
}

/* --- one run --- */

/* True when the rest has to be left. */
static bool run_row(Cutover *cutover, const PreflightRow *row, bool *stream_refused)
{
    Preflight *preflight = cutover->preflight;
    Error failure = {.code = ERROR_NONE};
    size_t before = preflight->problems;
    if (row->stream && *stream_refused) {
        return false;
    }
    preflight->row = row;
    tell_words(preflight, PREFLIGHT_BEGINS, "");
    if (row->check(cutover, &failure) != 0 && !interrupted()) {
        tell_failure(cutover, &failure);
    }
    bool refused = preflight->problems > before;
    *stream_refused = *stream_refused || (row->stream && refused);
    return interrupted() || (refused && row->ends) || failure.code == ERROR_CONNECTION;
}

static void run_rows(Cutover *cutover, const PreflightRow *rows, size_t count)
{
    bool stream_refused = false;
    for (size_t i = 0; i < count; i++) {
        if (run_row(cutover, &rows[i], &stream_refused)) {
            return;
        }
    }
}

/* --- before a switch --- */

typedef struct Said {
    Cutover *cutover;
    Error first; /* the problem that the run ends with; the others are said when they are found */
    size_t more;
} Said;

static void say(void *context, const PreflightRow *row, const PreflightFinding *finding)
{
    Said *said = context;
    const Log *log = &said->cutover->settings->log;
    (void)row;
    if (finding->weight == PREFLIGHT_BEGINS) {
        return;
    }
    ticker_interrupt(said->cutover->ticker);
    if (finding->weight == PREFLIGHT_WARNING) {
        log_line(log, LOG_WARNING, "%s", finding->words);
        return;
    }
    Error problem = *finding->error; /* with its number */
    problem.code = ERROR_STATE;
    error_hint(&problem, "%s%s%s", finding->hint, *finding->hint != '\0' && finding->fix != NULL ? " " : "",
               finding->fix != NULL ? finding->fix : "");
    if (said->first.code == ERROR_NONE) {
        said->first = problem;
        return;
    }
    said->more++;
    log_error(log, &problem);
}

static int run(Cutover *cutover, const PreflightRow *rows, size_t count, Error *error)
{
    Said said = {.cutover = cutover, .first = {.code = ERROR_NONE}};
    Preflight preflight = {.tell = say, .context = &said};
    cutover->preflight = &preflight;
    run_rows(cutover, rows, count);
    cutover->preflight = NULL;
    if (interrupted()) {
        return error_set(error, ERROR_INTERRUPTED, "interrupted");
    }
    if (preflight.problems == 0) {
        return 0;
    }
    *error = said.first;
    return said.more > 0 ? error_context(error, "%zu problems, this and those above", said.more + 1) : -1;
}

int cutover_preflight(Cutover *cutover, Error *error)
{
    return run(cutover, cutover_rows, COUNT(cutover_rows), error);
}

int rollback_preflight(Cutover *cutover, Error *error)
{
    return run(cutover, rollback_rows, COUNT(rollback_rows), error);
}

/* --- before the copy --- */

static const char *reason_to_skip(const Cutover *cutover, const PreflightRow *row)
{
    return cutover->source == NULL   ? "the source is not reachable"
           : cutover->target == NULL ? "the target is not reachable"
           : row->skip != NULL       ? row->skip(cutover)
                                     : NULL;
}

/* What keeps a proxy from being opened is told with what is found of the others. */
static void open_proxies(Cutover *cutover)
{
    const CutoverOptions *options = cutover->options;
    if (options->proxy_count == 0) {
        tell(
            cutover->preflight,
            &(PreflightFinding){.weight = PREFLIGHT_NOTE,
                                .words = "no --proxy is named: what the switch needs of it was not looked at",
                                .hint = "Name it with --proxy, or say --proxy none."});
    }
    for (size_t i = 0; i < options->proxy_count; i++) {
        Error failure;
        if (cutover_open_proxy(cutover, options->proxies[i], &failure) != 0) {
            preflight_problem(cutover, &failure, NULL);
        }
    }
}

static void run_early(Cutover *cutover, const PreflightRow *row)
{
    Preflight *preflight = cutover->preflight;
    Error failure = {.code = ERROR_NONE};
    preflight->row = row;
    tell_words(preflight, PREFLIGHT_BEGINS, "");
    const char *skip = reason_to_skip(cutover, row);
    if (skip != NULL) {
        tell_words(preflight, PREFLIGHT_SKIPPED, skip);
        return;
    }
    if (row->check == check_proxies) {
        open_proxies(cutover);
    }
    if (row->check(cutover, &failure) != 0 && !interrupted()) {
        tell_failure(cutover, &failure);
    }
}

/* A migration that is to be, or is under way. */
static void name_migration(Cutover *cutover)
{
    Migration *migration = &cutover->migration;
    migration->phase = PHASE_COPIED;
    snprintf(migration->name, sizeof migration->name, "%s", cutover->settings->migration);
    snprintf(migration->slot_name, sizeof migration->slot_name, "penstock_%.54s", migration->name);
}

void preflight_early(const Settings *settings, CutoverOptions *options, Database *source, Database *target,
                     PreflightTell tell_one, void *context)
{
    Preflight preflight = {.tell = tell_one, .context = context, .early = true};
    Cutover cutover = {.settings = settings,
                       .options = options,
                       .road = &road_cutover,
                       .source = source,
                       .target = target,
                       .preflight = &preflight};
    Error failure;
    kept_fill(NULL, options);
    name_migration(&cutover);
    cutover_assign_sides(&cutover);
    cutover.context.before_copy = true;
    bool sides = source == NULL || target == NULL || cutover_choose_sides(&cutover, &failure) == 0;
    for (size_t i = 0; i < COUNT(cutover_rows) && !interrupted(); i++) {
        if (cutover_rows[i].early != NOT_EARLY) {
            run_early(&cutover, &cutover_rows[i]);
        }
        if (!sides) { /* a wrong --target-address: said with the first row, and the rest cannot be known */
            tell_failure(&cutover, &failure);
            break;
        }
    }
    cutover_close_proxies(&cutover);
    free(cutover.reverse_conninfo);
}
