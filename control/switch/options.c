/*
 * Two argps over one parser: what both commands take, and what each has for itself.
 */
#include "options.h"

#include <stdlib.h>
#include <string.h>

#include "option.h"

#define MOST_JOBS 64

enum {
    OPTION_PROXY = 0x200,
    OPTION_PROBE,
    OPTION_DRAIN_LIMIT,
    OPTION_HOLD_LIMIT,
    OPTION_PREPARE_LIMIT,
    OPTION_MAX_AGE,
    OPTION_MAX_LAG,
    OPTION_JOBS,
    OPTION_YES,
    OPTION_PLAN,
    OPTION_DRY_RUN,
    OPTION_RESUME,
    OPTION_UNDO,
    OPTION_VERIFY,
    OPTION_WARM_UP,
    OPTION_WARM_UP_LIMIT,
    OPTION_REQUIRE_VERIFIED,
    OPTION_COMPARE_LIMIT,
    OPTION_TARGET_ADDRESS,
    OPTION_NO_REVERSE,
    OPTION_REVERSE_CONNINFO,
    OPTION_SOURCE_ADDRESS,
    OPTION_ACCEPT_LOSS,
    OPTION_END_WRITERS,
    OPTION_NO_HELPER,
    OPTION_ACCEPT_DRIFT,
    OPTION_ACCEPT_LEFT_BEHIND,
    OPTION_ACCEPT_SETTINGS,
    OPTION_LEAVE_READERS,
    OPTION_HAND_OVER,
};

/* What both roads, and the checks that come long before, depend on. */
static const struct argp_option look_options[] = {
    {"proxy", OPTION_PROXY, "KIND:...", 0,
     "What holds and leads the clients: pgbouncer:ADMIN_URI[,config=FILE][,database=NAME], the same with "
     "pgcat, or none. May be "
     "repeated",
     0},
    {"probe", OPTION_PROBE, "URI", 0,
     "A connection through the proxy, to look at the other side after the switch", 0},
    {"drain-limit", OPTION_DRAIN_LIMIT, "SECONDS", 0, "How long to wait for open transactions (10)", 0},
    {"hold-limit", OPTION_HOLD_LIMIT, "SECONDS", 0, "How long clients may be held in all (30)", 0},
    {"max-transaction-age", OPTION_MAX_AGE, "SECONDS", 0, "Do not start when a transaction is older (60)", 0},
    {"end-writers", OPTION_END_WRITERS, NULL, 0,
     "Stop who would go on writing behind the fence: disable subscriptions of the side that clients leave",
     0},
    {0}};

/* The same of the road there alone. */
static const struct argp_option way_options[] = {
    {"target-address", OPTION_TARGET_ADDRESS, "HOSTNAME:PORT", 0,
     "The target as the proxy reaches it (default: as --target says)", 0},
    {"reverse-conninfo", OPTION_REVERSE_CONNINFO, "CONNINFO", 0,
     "The target as the server of the source reaches it, for the way back; stays in pg_subscription there "
     "(default: as --target says)",
     0},
    {"no-reverse", OPTION_NO_REVERSE, NULL, 0, "Go without a way back: there will be no rollback", 0},
    {"hand-over-slot", OPTION_HAND_OVER, "NAME", 0,
     "Make a slot of that name on the target, for the consumer of that slot of the source; it begins where "
     "both sides are equal. "
     "May be repeated",
     0},
    {"accept-settings", OPTION_ACCEPT_SETTINGS, NULL, 0,
     "Switch although the servers, or roles, have other settings that applications notice, such as TimeZone",
     0},
    {0}};

static const struct argp_option common_options[] = {
    {"prepare-limit", OPTION_PREPARE_LIMIT, "SECONDS", 0,
     "How long to wait, before clients are held, for transactions that the slot of the next stream waits for "
     "(60)",
     0},
    {"max-lag", OPTION_MAX_LAG, "BYTES", 0, "Do not start when the other side is further behind (8388608)",
     0},
    {"leave-readers", OPTION_LEAVE_READERS, NULL, 0,
     "A fence that lets readers in, and those of hot standbys go on: whoever connects is read-only, but can "
     "say otherwise; "
     "what is written all the same is noticed, not prevented",
     0},
    {"no-helper", OPTION_NO_HELPER, NULL, 0,
     "Leave no process that ends the hold when this command is killed: clients wait until --resume or --undo",
     0},
    {"plan", OPTION_PLAN, NULL, 0, "Print what would be done, with all values", 1},
    {"dry-run", OPTION_DRY_RUN, NULL, 0,
     "Check everything, measure how long clients would be held, and end; nothing is changed", 1},
    {"yes", OPTION_YES, NULL, 0, "Do not ask", 1},
    {"resume", OPTION_RESUME, NULL, 0, "Carry on with one that was killed", 1},
    {"undo", OPTION_UNDO, NULL, 0, "Undo one that was killed, as long as clients were not released", 1},
    {0}};

static const struct argp_option cutover_options[] = {
    {"verify", OPTION_VERIFY, NULL, 0, "Compare both sides at the switch point, after the release", 0},
    {"jobs", OPTION_JOBS, "N", 0, "Tables compared at the same time (4)", 0},
    {"require-verified", OPTION_REQUIRE_VERIFIED, "AGE", 0,
     "Refuse unless penstock verify has compared everything within so long and found no difference: a number "
     "of seconds, or "
     "one with s, min, h or d",
     0},
    {"compare-limit", OPTION_COMPARE_LIMIT, "SECONDS", 0,
     "With --require-verified: while clients are held, compare the tables that have changed since that "
     "comparison, "
     "for so long at most (2)",
     0},
    {"warm-up", OPTION_WARM_UP, NULL, 0,
     "Before clients are held: ANALYZE of target tables that have no statistics, and pg_prewarm of what the "
     "source reads most",
     0},
    {"warm-up-limit", OPTION_WARM_UP_LIMIT, "SECONDS", 0, "How long that may take (60)", 0},
    {"accept-drift", OPTION_ACCEPT_DRIFT, NULL, 0,
     "Switch although tables, constraints, sequences or other objects are not defined on the target as they "
     "are at the "
     "source",
     0},
    {"accept-left-behind", OPTION_ACCEPT_LEFT_BEHIND, NULL, 0,
     "Switch although relations of the source stay behind, or their rows, by the choice that the copy was "
     "given",
     0},
    {0}};

static const struct argp_option rollback_options[] = {
    {"source-address", OPTION_SOURCE_ADDRESS, "HOSTNAME:PORT", 0,
     "The source as the proxy reaches it (default: as --source says)", 0},
    {"compare-limit", OPTION_COMPARE_LIMIT, "SECONDS", 0,
     "While clients are held, read tables of which not everything comes back, to see that they were not "
     "written to, for so long at most (2)",
     0},
    {"accept-loss", OPTION_ACCEPT_LOSS, NULL, 0,
     "Go back although updates and deletes of some tables cannot come back", 0},
    {"accept-drift", OPTION_ACCEPT_DRIFT, NULL, 0,
     "Go back although tables, constraints, functions or other objects are not defined at the source as they "
     "are on the target",
     0},
    {0}};

static double read_number(const char *text, const char *option, struct argp_state *state)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value > 0) || value > 1e15) {
        argp_error(state, "--%s wants a number above 0, not \"%s\"", option, text);
    }
    return value;
}

/* "90", "30min", "2h", "1d": in seconds. */
static double read_age(const char *text, struct argp_state *state)
{
    static const struct {
        const char *unit;
        double seconds;
    } units[] = {{"", 1}, {"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86400}};
    char *end;
    double value = strtod(text, &end);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (end != text && value > 0 && value < 1e9 && strcmp(end, units[i].unit) == 0) {
            return value * units[i].seconds;
        }
    }
    argp_error(state, "--require-verified wants an age such as 30min or 2h, not \"%s\"", text);
    return 0;
}

static void set_mode(CutoverOptions *options, CutoverMode mode, struct argp_state *state)
{
    if (options->mode != CUTOVER_RUN && options->mode != mode) {
        argp_error(state, "--plan, --dry-run, --resume and --undo exclude each other");
    }
    options->mode = mode;
}

static void add_proxy(CutoverOptions *options, const char *proxy, struct argp_state *state)
{
    if (options->proxy_count == MAX_PROXIES) {
        argp_error(state, "at most %d proxies", MAX_PROXIES);
        return;
    }
    options->proxies[options->proxy_count++] = proxy;
}

static void add_slot(CutoverOptions *options, const char *slot, struct argp_state *state)
{
    bool good = *slot != '\0' && strlen(slot) < 64 &&
                strspn(slot, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(slot);
    if (!good || options->hand_over_count == MAX_HAND_OVER) {
        argp_error(state, "--hand-over-slot wants the name of a slot, at most %d of them", MAX_HAND_OVER);
        return;
    }
    options->hand_over[options->hand_over_count++] = slot;
}

static const OptionField fields[] = {
    OPTION_TEXT(OPTION_TARGET_ADDRESS, CutoverOptions, address),
    OPTION_TEXT(OPTION_SOURCE_ADDRESS, CutoverOptions, address),
    OPTION_TEXT(OPTION_REVERSE_CONNINFO, CutoverOptions, reverse_conninfo),
    OPTION_TEXT(OPTION_PROBE, CutoverOptions, probe),
    OPTION_NUMBER(OPTION_JOBS, "jobs", CutoverOptions, jobs, 1, MOST_JOBS),
    OPTION_FLAG(OPTION_NO_REVERSE, CutoverOptions, no_reverse),
    OPTION_FLAG(OPTION_ACCEPT_LOSS, CutoverOptions, accept_loss),
    OPTION_FLAG(OPTION_ACCEPT_DRIFT, CutoverOptions, accept_drift),
    OPTION_FLAG(OPTION_ACCEPT_LEFT_BEHIND, CutoverOptions, accept_left_behind),
    OPTION_FLAG(OPTION_ACCEPT_SETTINGS, CutoverOptions, accept_settings),
    OPTION_FLAG(OPTION_WARM_UP, CutoverOptions, warm_up),
    OPTION_FLAG(OPTION_VERIFY, CutoverOptions, verify),
    OPTION_FLAG(OPTION_END_WRITERS, CutoverOptions, end_writers),
    OPTION_FLAG(OPTION_LEAVE_READERS, CutoverOptions, leave_readers),
    OPTION_FLAG(OPTION_NO_HELPER, CutoverOptions, no_helper),
    OPTION_FLAG(OPTION_YES, CutoverOptions, yes),
};

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
    CutoverOptions *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        if (state->child_inputs != NULL) { /* each has one child, or none */
            state->child_inputs[0] = options;
        }
        return 0;
    case OPTION_PROXY:
        add_proxy(options, argument, state);
        return 0;
    case OPTION_HAND_OVER:
        add_slot(options, argument, state);
        return 0;
    case OPTION_DRAIN_LIMIT:
        options->drain_limit = read_number(argument, "drain-limit", state);
        return 0;
    case OPTION_HOLD_LIMIT:
        options->hold_limit = read_number(argument, "hold-limit", state);
        return 0;
    case OPTION_PREPARE_LIMIT:
        options->prepare_limit = read_number(argument, "prepare-limit", state);
        return 0;
    case OPTION_MAX_AGE:
        options->max_transaction_age = read_number(argument, "max-transaction-age", state);
        return 0;
    case OPTION_MAX_LAG:
        options->max_lag = (int64_t)read_number(argument, "max-lag", state);
        return 0;
    case OPTION_REQUIRE_VERIFIED:
        options->require_verified = read_age(argument, state);
        return 0;
    case OPTION_COMPARE_LIMIT:
        options->compare_limit = read_number(argument, "compare-limit", state);
        return 0;
    case OPTION_WARM_UP_LIMIT:
        options->warm_up_limit = read_number(argument, "warm-up-limit", state);
        return 0;
    case OPTION_PLAN:
        set_mode(options, CUTOVER_PLAN, state);
        return 0;
    case OPTION_DRY_RUN:
        set_mode(options, CUTOVER_DRY_RUN, state);
        return 0;
    case OPTION_RESUME:
        set_mode(options, CUTOVER_RESUME, state);
        return 0;
    case OPTION_UNDO:
        set_mode(options, CUTOVER_UNDO, state);
        return 0;
    default:
        return option_take(fields, sizeof fields / sizeof *fields, key, argument, state, options)
                   ? 0
                   : ARGP_ERR_UNKNOWN;
    }
}

/* cutover and rollback ──► what both have ──► what the checks depend on, of the road there ──► ... of both roads. */
static const struct argp look_argp = {.options = look_options, .parser = parse_option};
static const struct argp_child look_children[] = {{.argp = &look_argp}, {0}};
const struct argp preflight_argp = {
    .options = way_options, .parser = parse_option, .children = look_children};
static const struct argp_child preflight_children[] = {{.argp = &preflight_argp}, {0}};
static const struct argp there_argp = {
    .options = common_options, .parser = parse_option, .children = preflight_children};
static const struct argp back_argp = {
    .options = common_options, .parser = parse_option, .children = look_children};
static const struct argp_child cutover_children[] = {{.argp = &there_argp}, {0}};
static const struct argp_child rollback_children[] = {{.argp = &back_argp}, {0}};

#define SWITCH_DOC                                                                                           \
    "Every step is journaled before it is done. Up to the release of the clients, whatever fails and "       \
    "Ctrl-C "                                                                                                \
    "undo all of it; behind it --resume goes on. Try --plan and --dry-run first: they change nothing."

const struct argp cutover_argp = {
    .options = cutover_options,
    .parser = parse_option,
    .children = cutover_children,
    .doc = "\vMoves the applications to the target: holds them at the proxy, closes the source for writes, "
           "waits "
           "for the last change, sets the sequences, and lets them go on. " SWITCH_DOC};
const struct argp rollback_argp = {.options = rollback_options,
                                   .parser = parse_option,
                                   .children = rollback_children,
                                   .doc = "\vMoves the applications back to the source after a cutover, with "
                                          "everything that was written to the "
                                          "target meanwhile. " SWITCH_DOC};
