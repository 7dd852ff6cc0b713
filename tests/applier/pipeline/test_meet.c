/*
 * Where the applier stands to be compared: a stream in which transactions come in another order than snapshots see them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "meet.h"

/* What the resolver was asked last; in the test's place of it there is only this. */
typedef struct World {
    Meet meet;
    Question *asked;
    char *seen;
} World;

static World *world;

void __wrap_resolver_ask(Resolver *resolver, Question *question);
void __wrap_resolver_ask(Resolver *resolver, Question *question)
{
    (void)resolver;
    assert_null(world->asked);
    world->asked = question;
}

static int set_up(void **state)
{
    static const Log log = {.level = LOG_ERROR};
    world = calloc(1, sizeof *world);
    meet_open(&world->meet, NULL, 100, &log);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    question_free(world->asked);
    meet_close(&world->meet);
    free(world);
    world = NULL;
    return 0;
}

/* The answer to the question that is out: a point in that state, with that snapshot. */
static void answer_point(PointState point, const char *seen, Lsn end)
{
    Question *question = world->asked;
    assert_non_null(question);
    assert_int_equal(question->kind, ASK_POINT);
    world->asked = NULL;
    question->point = (StreamPoint){.number = 1, .state = point, .limit_ms = 1000};
    if (seen != NULL) {
        Error error;
        assert_int_equal(snapshot_parse(seen, end, &question->point.snapshot, &error), 0);
    }
    meet_answered(&world->meet, question, 2000000);
    question_free(question);
}

/* A move to that state was asked for, and is noted. */
static void answer_move(PointState to, bool noted)
{
    Question *question = world->asked;
    assert_non_null(question);
    assert_int_equal(question->kind, MOVE_POINT);
    assert_int_equal(question->point_to, to);
    world->asked = NULL;
    question->noted = noted;
    meet_answered(&world->meet, question, 2000000);
    question_free(question);
}

static Record begin_of(uint32_t xid, Lsn commit)
{
    return (Record){.kind = RECORD_BEGIN, .begin = {.commit_lsn = commit, .xid = xid}};
}

static Step step_at(const Record *record, Lsn received, bool quiet)
{
    const MeetCursor cursor = {.record = record, .received = received, .quiet = quiet, .now_usec = 1000000};
    return meet_step(&world->meet, &cursor);
}

static void pass(uint32_t xid, Lsn commit)
{
    Record begin = begin_of(xid, commit), end = {.kind = RECORD_COMMIT};
    meet_passed(&world->meet, &begin);
    meet_passed(&world->meet, &end);
}

/* Stands before the transaction, and S is taken. */
static void stand_with(uint32_t xid, Lsn commit, const char *seen, Lsn end)
{
    Record begin = begin_of(xid, commit);
    meet_look(&world->meet, 1000000);
    answer_point(POINT_WANTED, NULL, 0);
    assert_int_equal(step_at(&begin, 0, false), STEP_HELD);
    answer_move(POINT_HELD, true);
    assert_int_equal(step_at(&begin, 0, false), STEP_HELD);
    meet_look(&world->meet, 1000000);
    answer_point(POINT_TAKEN, seen, end);
}

static void what_a_snapshot_sees_is_passed_and_the_rest_waits(void **state)
{
    (void)state;
    Record seen = begin_of(10, 200), not_seen = begin_of(12, 400);
    stand_with(10, 200, "12:12:", 300);
    assert_int_equal(step_at(&seen, 0, false), STEP_TOOK);
    pass(10, 200);
    assert_int_equal(step_at(&not_seen, 0, false), STEP_NEEDS_QUIET);
    assert_int_equal(step_at(&not_seen, 0, true), STEP_HELD);
    answer_move(POINT_REACHED, true);
    assert_int_equal(step_at(&not_seen, 0, true), STEP_HELD);
    meet_look(&world->meet, 1000000);
    answer_point(POINT_RELEASED, "12:12:", 300);
    answer_move(POINT_OVER, true);
    assert_int_equal(step_at(&not_seen, 0, false), STEP_TOOK);
    assert_false(meet_is_busy(&world->meet));
}

static void another_order_is_refused(void **state)
{
    (void)state;
    /* 10 is not seen, 11, which committed behind it, is. */
    Record first = begin_of(10, 200), records[2] = {begin_of(10, 200), begin_of(11, 220)};
    DecodedFrame frame = {.records = records, .count = 2};
    stand_with(10, 200, "10:12:10", 300);
    assert_int_equal(step_at(&first, 0, false), STEP_LOOKS_AHEAD);
    assert_true(meet_wants_rest(&world->meet));
    meet_rest(&world->meet, &frame, 0);
    answer_move(POINT_REFUSED, true);
    assert_int_equal(step_at(&first, 0, false), STEP_HELD);
    meet_look(&world->meet, 1000000);
    answer_point(POINT_TAKEN, "12:12:", 300);
    assert_int_equal(step_at(&first, 0, false), STEP_TOOK);
}

static void an_order_that_fits_is_known_at_the_end_of_what_it_may_see(void **state)
{
    (void)state;
    Record first = begin_of(10, 200), behind = begin_of(13, 250), past = begin_of(14, 300);
    DecodedFrame one = {.records = &behind, .count = 1}, other = {.records = &past, .count = 1};
    stand_with(10, 200, "10:13:10", 300);
    assert_int_equal(step_at(&first, 0, false), STEP_LOOKS_AHEAD);
    meet_rest(&world->meet, NULL, 0);
    meet_ahead(&world->meet, &one, LSN_INVALID);
    assert_int_equal(step_at(&first, 0, false), STEP_LOOKS_AHEAD);
    meet_ahead(&world->meet, &other, LSN_INVALID);
    assert_int_equal(step_at(&first, 0, false), STEP_NEEDS_QUIET);
}

static void what_was_passed_before_it_was_visible_is_noticed(void **state)
{
    (void)state;
    pass(9, 150);
    stand_with(10, 200, "9:11:9", 300);
    answer_move(POINT_REFUSED, true);
}

static void an_idle_stream_is_at_the_point_when_all_was_sent(void **state)
{
    (void)state;
    meet_look(&world->meet, 1000000);
    answer_point(POINT_WANTED, NULL, 0);
    assert_int_equal(step_at(NULL, 100, false), STEP_TOOK); /* the furthest lane may stand further */
    assert_int_equal(step_at(NULL, 101, false), STEP_HELD);
    answer_move(POINT_HELD, true);
    meet_look(&world->meet, 1000000);
    answer_point(POINT_TAKEN, "12:12:", 300);
    assert_int_equal(step_at(NULL, 299, false), STEP_TOOK);
    assert_int_equal(step_at(NULL, 300, false), STEP_NEEDS_QUIET);
}

static void what_comes_again_after_a_restart_is_passed_first(void **state)
{
    (void)state;
    Record again = begin_of(5, 100), new = begin_of(6, 101);
    meet_look(&world->meet, 1000000);
    answer_point(POINT_WANTED, NULL, 0);
    assert_int_equal(step_at(&again, 0, false), STEP_TOOK);
    assert_int_equal(step_at(&new, 0, false), STEP_HELD);
}

static void a_transaction_is_never_left_in_its_middle(void **state)
{
    (void)state;
    Record begin = begin_of(10, 200), rows = {.kind = RECORD_ROWS};
    meet_look(&world->meet, 1000000);
    answer_point(POINT_WANTED, NULL, 0);
    meet_passed(&world->meet, &begin);
    assert_int_equal(step_at(&rows, 0, false), STEP_TOOK);
    assert_int_equal(step_at(NULL, 500, false), STEP_TOOK);
}

static void nobody_holds_it_for_ever(void **state)
{
    (void)state;
    Record begin = begin_of(10, 200);
    stand_with(10, 200, "12:12:", 300);
    meet_look(&world->meet, 1000000 + 1001 * 1000);
    answer_move(POINT_GIVEN_UP, false);
    assert_int_equal(step_at(&begin, 0, false), STEP_TOOK);
    assert_false(meet_is_busy(&world->meet));
}

static void a_wish_that_was_withdrawn_holds_nothing(void **state)
{
    (void)state;
    Record begin = begin_of(10, 200);
    meet_look(&world->meet, 1000000);
    answer_point(POINT_WANTED, NULL, 0);
    assert_int_equal(step_at(&begin, 0, false), STEP_HELD);
    answer_move(POINT_HELD, false);
    assert_int_equal(step_at(&begin, 0, false), STEP_TOOK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_a_snapshot_sees_is_passed_and_the_rest_waits),
        TEST(another_order_is_refused),
        TEST(an_order_that_fits_is_known_at_the_end_of_what_it_may_see),
        TEST(what_was_passed_before_it_was_visible_is_noticed),
        TEST(an_idle_stream_is_at_the_point_when_all_was_sent),
        TEST(what_comes_again_after_a_restart_is_passed_first),
        TEST(a_transaction_is_never_left_in_its_middle),
        TEST(nobody_holds_it_for_ever),
        TEST(a_wish_that_was_withdrawn_holds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
