/*
 * The machine of steps, with four steps that write down what is done to them and fail where they are told to.
 *
 * a and c can be undone, b cannot, c's result dies with the process, d is the point of no return.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "machine.h"

#define STEPS 4

typedef struct Script {
    char log[1024];
    char fail;       /* the step whose perform fails */
    char fail_begin; /* the step whose begin cannot be journaled */
    char fail_undo;  /* the step whose undo fails */
    int undo_fails;  /* how often it does; 0: always */
    int again_ms;    /* how long safety is tried again */
    char stop;       /* the operator stops when this step has been done */
    int prepared;
} Script;

static void put(Script *script, const char *word, char step)
{
    size_t used = strlen(script->log);
    snprintf(script->log + used, sizeof script->log - used, "%s%s %c", used == 0 ? "" : ", ", word, step);
}

static int perform(Script *script, char step, Error *error)
{
    put(script, "do", step);
    return script->fail == step ? error_set(error, ERROR_LIMIT, "no") : 0;
}

static int undo(Script *script, char step, const json_t *detail, Error *error)
{
    put(script, "undo", step);
    if (step == 'a') {
        assert_int_equal(json_integer_value(json_object_get(detail, "number")), 1);
    }
    bool fails = script->fail_undo == step;
    if (fails && script->undo_fails > 0 && --script->undo_fails == 0) {
        script->fail_undo = '\0';
    }
    return fails ? error_set(error, ERROR_PROXY, "no way back") : 0;
}

#define STEP(letter)                                                                                         \
    static int do_##letter(void *context, json_t *detail, Error *error)                                      \
    {                                                                                                        \
        (void)detail;                                                                                        \
        return perform(context, #letter[0], error);                                                          \
    }
STEP(a)
STEP(b)
STEP(c)
STEP(d)

#define UNDO(letter)                                                                                         \
    static int undo_##letter(void *context, const json_t *detail, Error *error)                              \
    {                                                                                                        \
        return undo(context, #letter[0], detail, error);                                                     \
    }
UNDO(a)
UNDO(c)

static int prepare_a(void *context, json_t *detail, Error *error)
{
    Script *script = context;
    (void)error;
    json_object_set_new(detail, "number", json_integer(++script->prepared));
    return 0;
}

static const Step steps[STEPS] = {
    {.name = "a", .prepare = prepare_a, .perform = do_a, .undo = undo_a, .safety = true},
    {.name = "b", .perform = do_b},
    {.name = "c", .perform = do_c, .undo = undo_c, .safety = true, .volatile_result = true},
    {.name = "d", .perform = do_d, .commits = true},
};

static int retract_d(void *context, const json_t *detail, Error *error)
{
    Script *script = context;
    (void)detail;
    put(script, "retract", 'd');
    return script->fail_undo == 'd' ? error_set(error, ERROR_STATE, "3 rows were written") : 0;
}

static void advise_c(void *context, const json_t *detail, char *out, size_t size)
{
    (void)context;
    (void)detail;
    snprintf(out, size, "ALTER c");
}

/* a holds the clients, b makes something, c leads them, d lets them go, e looks. */
static int do_e(void *context, json_t *detail, Error *error)
{
    (void)detail;
    return perform(context, 'e', error);
}

static int undo_b(void *context, const json_t *detail, Error *error)
{
    return undo(context, 'b', detail, error);
}

static int undo_d(void *context, const json_t *detail, Error *error)
{
    (void)detail;
    (void)error;
    put(context, "undo", 'd');
    return 0;
}

#define ROAD 5

static const Step road[ROAD] = {
    {.name = "a", .prepare = prepare_a, .perform = do_a, .undo = undo_a, .safety = true, .lets_go = true},
    {.name = "b", .perform = do_b, .undo = undo_b},
    {.name = "c", .perform = do_c, .undo = undo_c, .advise = advise_c, .safety = true},
    {.name = "d", .perform = do_d, .undo = undo_d, .retract = retract_d, .commits = true},
    {.name = "e", .perform = do_e, .proves = true},
};

static int journal(void *context, const Step *step, StepEvent event, const json_t *detail, Error *error)
{
    const Script *script = context;
    (void)detail;
    put(context, step_event_name(event), step->name[0]);
    return event == STEP_BEGIN && script->fail_begin == step->name[0] ? error_set(error, ERROR_TARGET, "gone")
                                                                      : 0;
}

static void tell(void *context, const Step *step, StepEvent event, double elapsed, const Error *error)
{
    (void)context;
    (void)step;
    (void)event;
    (void)elapsed;
    (void)error;
}

static int reached(void *context, const Step *step, bool undoes, bool fresh, Error *error)
{
    (void)error;
    if (undoes && fresh) {
        put(context, "fresh", step->name[0]);
    }
    return 0;
}

static bool stop(void *context)
{
    const Script *script = context;
    char done[8] = "done ?";
    done[5] = script->stop;
    return script->stop != '\0' && strstr(script->log, done) != NULL;
}

static void fresh(StepRecord records[STEPS])
{
    for (int i = 0; i < STEPS; i++) {
        records[i] = (StepRecord){.state = STEP_UNTOUCHED};
    }
}

static void check(Script *script, StepRecord *records, MachineResult result, const char *log)
{
    Error error = {0};
    const MachineHooks hooks = {.context = script, .journal = journal, .tell = tell, .stop = stop};
    assert_int_equal(machine_run(steps, STEPS, records, &hooks, &error), result);
    assert_string_equal(script->log, log);
    step_records_free(records, STEPS);
}

static void every_step_is_journaled_before_it_is_done(void **state)
{
    (void)state;
    StepRecord records[STEPS];
    fresh(records);
    check(&(Script){0}, records, MACHINE_DONE,
          "begin a, do a, done a, begin b, do b, done b, begin c, do c, done c, begin d, do d, done d");
}

static void a_failure_undoes_in_reverse(void **state)
{
    (void)state;
    StepRecord records[STEPS];
    fresh(records);
    check(&(Script){.fail = 'a'}, records, MACHINE_UNDONE,
          "begin a, do a, failed a, undoing a, undo a, undone a");
    fresh(records);
    check(&(Script){.fail = 'b'}, records, MACHINE_UNDONE,
          "begin a, do a, done a, begin b, do b, failed b, undoing a, undo a, undone a, undone b");
    fresh(records);
    check(&(Script){.fail = 'c'}, records, MACHINE_UNDONE,
          "begin a, do a, done a, begin b, do b, done b, begin c, do c, failed c, undoing c, undo c, undone "
          "c, undoing a, undo a, undone a, undone b");
}

static void nothing_is_undone_past_the_point_of_no_return(void **state)
{
    (void)state;
    StepRecord records[STEPS];
    fresh(records);
    check(&(Script){.fail = 'd'}, records, MACHINE_STUCK,
          "begin a, do a, done a, begin b, do b, done b, begin c, do c, done c, begin d, do d, failed d");
}

/* Runs the road behind the begin and done of steps that went well; what is said after the failing perform is log. */
static void check_road(Script *script, MachineResult result, const char *log, Error *error)
{
    StepRecord records[ROAD] = {0};
    const MachineHooks hooks = {.context = script,
                                .journal = journal,
                                .tell = tell,
                                .stop = stop,
                                .reach = reached,
                                .again_ms = script->again_ms};
    char fails[16];
    *error = (Error){.code = ERROR_NONE};
    assert_int_equal(machine_run(road, ROAD, records, &hooks, error), result);
    snprintf(fails, sizeof fails, "failed %c, ", script->fail);
    const char *since = strstr(script->log, fails);
    assert_non_null(since);
    assert_string_equal(since + strlen(fails), log);
    step_records_free(records, ROAD);
}

static void clients_come_before_what_was_made(void **state)
{
    (void)state;
    Error error;
    check_road(&(Script){.fail = 'c'}, MACHINE_UNDONE,
               "undoing c, undo c, undone c, undoing a, undo a, undone a, undoing b, undo b, undone b",
               &error);
}

/* What clients must not meet is taken away before they go on; when it cannot be, they go on all the same. */
static void what_clients_must_not_meet_comes_first(void **state)
{
    (void)state;
    static const Step steps_first[] = {
        {.name = "a", .prepare = prepare_a, .perform = do_a, .undo = undo_a, .safety = true, .lets_go = true},
        {.name = "b", .perform = do_b, .undo = undo_b, .comes_first = true},
        {.name = "c", .perform = do_c},
    };
    StepRecord records[3] = {0};
    Script script = {.fail = 'c', .fail_undo = 'b'};
    Error error = {.code = ERROR_NONE};
    const MachineHooks hooks = {.context = &script, .journal = journal, .tell = tell, .stop = stop};
    assert_int_equal(machine_run(steps_first, 3, records, &hooks, &error), MACHINE_LEFT);
    assert_non_null(
        strstr(script.log, "undoing b, undo b, undo b, undo b, undoing a, undo a, undone a, undone c"));
    step_records_free(records, 3);
}

static void what_was_made_and_stays_keeps_nobody(void **state)
{
    (void)state;
    Error error;
    check_road(&(Script){.fail = 'c', .fail_undo = 'b'}, MACHINE_LEFT,
               "undoing c, undo c, undone c, undoing a, undo a, undone a, undoing b, undo b, fresh b, undo "
               "b, fresh b, undo b",
               &error);
    assert_non_null(strstr(error.message, "undoing b: no way back"));
}

/* Whose clients would be led wrong is for the step that lets them go to know: it may be one proxy of ten. */
static void what_cannot_be_led_back_holds_up_no_other_step(void **state)
{
    (void)state;
    Error error;
    check_road(&(Script){.fail = 'c', .fail_undo = 'c'}, MACHINE_STUCK,
               "undoing c, undo c, fresh c, undo c, fresh c, undo c, undoing a, undo a, undone a, "
               "undoing b, undo b, undone b",
               &error);
    assert_string_equal(error.hint, "By hand: ALTER c");
}

/* A server that is restarted is back after a while. */
static void safety_is_tried_again_later(void **state)
{
    (void)state;
    Error error;
    check_road(&(Script){.fail = 'c', .fail_undo = 'c', .undo_fails = 4, .again_ms = 10000}, MACHINE_UNDONE,
               "undoing c, undo c, fresh c, undo c, fresh c, undo c, undoing a, undo a, undone a, "
               "undoing c, undo c, fresh c, undo c, undone c, undoing b, undo b, undone b",
               &error);
}

/* Who would meet a closed door is kept while it is opened, and let go when that takes too long. */
static void nobody_is_let_go_to_a_door_that_is_being_opened(void **state)
{
    (void)state;
    static const Step door[] = {
        {.name = "a", .prepare = prepare_a, .perform = do_a, .undo = undo_a, .safety = true, .lets_go = true},
        {.name = "c", .perform = do_c, .undo = undo_c, .safety = true, .opens = true},
        {.name = "d", .perform = do_d},
    };
    static const struct {
        int fails;
        const char *log;
    } rows[] = {
        {4, "undo c, undo c, undo c, undoing c, undo c, undo c, undone c, undoing a, undo a, undone a"},
        {0, "undo c, undo c, undo c, undoing a, undo a, undone a"}};
    for (size_t i = 0; i < 2; i++) {
        StepRecord records[3] = {0};
        Script script = {.fail = 'd', .fail_undo = 'c', .undo_fails = rows[i].fails};
        Error error = {.code = ERROR_NONE};
        const MachineHooks hooks = {.context = &script,
                                    .journal = journal,
                                    .tell = tell,
                                    .stop = stop,
                                    .again_ms = rows[i].fails > 0 ? 10000 : 300};
        assert_int_equal(machine_run(door, 3, records, &hooks, &error),
                         rows[i].fails > 0 ? MACHINE_UNDONE : MACHINE_STUCK);
        assert_non_null(strstr(script.log, rows[i].log));
        step_records_free(records, 3);
    }
}

static void a_failed_proof_goes_back_when_nothing_was_written(void **state)
{
    (void)state;
    Error error;
    check_road(&(Script){.fail = 'e'}, MACHINE_UNDONE,
               "retract d, undoing d, undoing c, undo c, undone c, undoing a, undo a, undone a, undone e, "
               "undoing d, undo d, "
               "undone d, undoing b, undo b, undone b",
               &error);
    check_road(&(Script){.fail = 'e', .fail_undo = 'd'}, MACHINE_STUCK, "retract d", &error);
    assert_non_null(strstr(error.hint, "3 rows were written"));
}

/* Its begin may stand in the journal all the same, which is why it is called undone there; nothing is undone of it. */
static void a_begin_that_is_not_journaled_is_taken_back(void **state)
{
    (void)state;
    StepRecord records[STEPS];
    fresh(records);
    check(&(Script){.fail_begin = 'c'}, records, MACHINE_UNDONE,
          "begin a, do a, done a, begin b, do b, done b, begin c, undone c, undoing a, undo a, undone a, "
          "undone b");
    fresh(records);
    check(&(Script){.fail_begin = 'd'}, records, MACHINE_UNDONE,
          "begin a, do a, done a, begin b, do b, done b, begin c, do c, done c, begin d, undoing c, undo c, "
          "undone c, undoing "
          "a, undo a, undone a, undone d, undone b");
}

static void a_stop_between_steps_undoes(void **state)
{
    (void)state;
    StepRecord records[STEPS];
    fresh(records);
    check(&(Script){.stop = 'b'}, records, MACHINE_UNDONE,
          "begin a, do a, done a, begin b, do b, done b, undoing a, undo a, undone a, undone b");
}

static void a_failing_undo_is_tried_again_and_holds_up_no_other(void **state)
{
    (void)state;
    StepRecord records[STEPS];
    fresh(records);
    check(&(Script){.fail = 'c', .fail_undo = 'c'}, records, MACHINE_STUCK,
          "begin a, do a, done a, begin b, do b, done b, begin c, do c, failed c, undoing c, undo c, undo c, "
          "undo c, "
          "undoing a, undo a, undone a, undone b");
}

/* Records as a killed run leaves them: the first `begun` steps are done, the one after has begun. */
static void killed(StepRecord records[STEPS], int begun)
{
    fresh(records);
    for (int i = 0; i <= begun && i < STEPS; i++) {
        records[i].state = i < begun ? STEP_COMPLETE : STEP_BEGUN;
        records[i].detail = i == 0 ? json_pack("{s:i}", "number", 1) : json_object();
    }
}

static void a_killed_run_is_carried_on(void **state)
{
    (void)state;
    StepRecord records[STEPS];
    Script script = {.prepared = 7};
    killed(records, 0);
    check(&script, records, MACHINE_DONE,
          "begin a, do a, done a, begin b, do b, done b, begin c, do c, done c, begin d, do d, done d");
    assert_int_equal(script.prepared, 7); /* what undo needs is what the first begin found */
    killed(records, 1);
    check(&(Script){0}, records, MACHINE_DONE,
          "begin b, do b, done b, begin c, do c, done c, begin d, do d, done d");
}

static void what_died_with_the_process_is_done_again(void **state)
{
    (void)state;
    StepRecord records[STEPS];
    killed(records, 3);
    records[3].state = STEP_UNTOUCHED;
    check(&(Script){0}, records, MACHINE_DONE, "begin c, do c, done c, begin d, do d, done d");
    killed(records, 3); /* d has begun: from there on only forward */
    check(&(Script){0}, records, MACHINE_DONE, "begin d, do d, done d");
}

/* An undo that was cut short had let the clients go (a); what b found before is not true any more. */
static void what_lies_behind_a_step_is_done_again(void **state)
{
    (void)state;
    StepRecord records[STEPS];
    killed(records, 3);
    records[0].state = STEP_UNTOUCHED;
    records[3].state = STEP_UNTOUCHED;
    check(&(Script){0}, records, MACHINE_DONE,
          "begin a, do a, done a, begin b, do b, done b, begin c, do c, done c, begin d, do d, done d");
}

/* c is undone, the undo of a was cut short: a looks neither done nor untouched, and is done again on the way forward. */
static void a_killed_undo_is_carried_on_either_way(void **state)
{
    (void)state;
    StepRecord records[STEPS];
    Script script = {.prepared = 7};
    Error error;
    const MachineHooks hooks = {.context = &script, .journal = journal, .tell = tell, .stop = stop};
    killed(records, 0);
    records[0].state = STEP_RETREATING;
    assert_int_equal(machine_undo(steps, STEPS, records, &hooks, &error), MACHINE_UNDONE);
    assert_string_equal(script.log, "undoing a, undo a, undone a");
    step_records_free(records, STEPS);
    killed(records, 0);
    records[0].state = STEP_RETREATING;
    check(&(Script){.prepared = 7}, records, MACHINE_DONE,
          "begin a, do a, done a, begin b, do b, done b, begin c, do c, done c, begin d, do d, done d");
}

static void every_move_has_its_place(void **state)
{
    (void)state;
    static const struct {
        StepState from;
        StepEvent event;
        StepState to; /* STEP_STATES: it cannot happen */
    } rows[] = {
        {STEP_UNTOUCHED, STEP_BEGIN, STEP_BEGUN},
        {STEP_UNTOUCHED, STEP_DONE, STEP_STATES},
        {STEP_UNTOUCHED, STEP_UNDOING, STEP_RETREATING},
        {STEP_UNTOUCHED, STEP_UNDONE, STEP_UNTOUCHED},
        {STEP_UNTOUCHED, STEP_FAILED, STEP_STATES},
        {STEP_COMPLETE, STEP_FAILED, STEP_BEGUN},
        {STEP_BEGUN, STEP_BEGIN, STEP_BEGUN},
        {STEP_BEGUN, STEP_DONE, STEP_COMPLETE},
        {STEP_BEGUN, STEP_FAILED, STEP_BEGUN},
        {STEP_BEGUN, STEP_UNDOING, STEP_RETREATING},
        {STEP_BEGUN, STEP_UNDONE, STEP_UNTOUCHED},
        {STEP_COMPLETE, STEP_BEGIN, STEP_BEGUN},
        {STEP_COMPLETE, STEP_DONE, STEP_STATES},
        {STEP_COMPLETE, STEP_UNDOING, STEP_RETREATING},
        {STEP_RETREATING, STEP_BEGIN, STEP_BEGUN},
        {STEP_RETREATING, STEP_DONE, STEP_STATES},
        {STEP_RETREATING, STEP_UNDONE, STEP_UNTOUCHED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        StepState at = rows[i].from;
        assert_int_equal(step_move(&at, rows[i].event), rows[i].to != STEP_STATES);
        assert_int_equal(at, rows[i].to != STEP_STATES ? rows[i].to : rows[i].from);
    }
}

static void a_killed_run_is_undone(void **state)
{
    (void)state;
    StepRecord records[STEPS];
    Script script = {0};
    Error error;
    const MachineHooks hooks = {.context = &script, .journal = journal, .tell = tell, .stop = stop};
    killed(records, 2);
    assert_true(machine_has_begun(records, STEPS));
    assert_false(machine_has_committed(steps, records, STEPS));
    assert_int_equal(machine_undo(steps, STEPS, records, &hooks, &error), MACHINE_UNDONE);
    assert_string_equal(script.log, "undoing c, undo c, undone c, undoing a, undo a, undone a, undone b");
    assert_false(machine_has_begun(records, STEPS));
    step_records_free(records, STEPS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_step_is_journaled_before_it_is_done),
        cmocka_unit_test(a_failure_undoes_in_reverse),
        cmocka_unit_test(nothing_is_undone_past_the_point_of_no_return),
        cmocka_unit_test(a_begin_that_is_not_journaled_is_taken_back),
        cmocka_unit_test(a_stop_between_steps_undoes),
        cmocka_unit_test(a_failing_undo_is_tried_again_and_holds_up_no_other),
        cmocka_unit_test(clients_come_before_what_was_made),
        cmocka_unit_test(what_clients_must_not_meet_comes_first),
        cmocka_unit_test(what_was_made_and_stays_keeps_nobody),
        cmocka_unit_test(what_cannot_be_led_back_holds_up_no_other_step),
        cmocka_unit_test(safety_is_tried_again_later),
        cmocka_unit_test(nobody_is_let_go_to_a_door_that_is_being_opened),
        cmocka_unit_test(a_failed_proof_goes_back_when_nothing_was_written),
        cmocka_unit_test(a_killed_run_is_carried_on),
        cmocka_unit_test(what_died_with_the_process_is_done_again),
        cmocka_unit_test(a_killed_run_is_undone),
        cmocka_unit_test(what_lies_behind_a_step_is_done_again),
        cmocka_unit_test(a_killed_undo_is_carried_on_either_way),
        cmocka_unit_test(every_move_has_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
