/*
 * Snapshots as tests on transactions: by their set, by an LSN, over the end of an epoch; and texts that are none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "snapshot.h"

#define END ((Lsn)5000)

static bool sees(const char *text, uint32_t xid, Lsn commit_lsn)
{
    Snapshot snapshot;
    Error error;
    assert_int_equal(snapshot_parse(text, END, &snapshot, &error), 0);
    bool seen = snapshot_sees(&snapshot, xid, commit_lsn);
    snapshot_free(&snapshot);
    return seen;
}

static void a_transaction_is_seen_by_the_set(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t xid;
        bool seen;
    } cases[] = {
        {"100:100:", 99, true},
        {"100:100:", 100, false},
        {"100:110:100,104,109", 99, true},
        {"100:110:100,104,109", 100, false},
        {"100:110:100,104,109", 101, true},
        {"100:110:100,104,109", 103, true},
        {"100:110:100,104,109", 104, false},
        {"100:110:100,104,109", 105, true},
        {"100:110:100,104,109", 109, false},
        {"100:110:100,104,109", 110, false},
        {"100:110:100,104,109", 4000, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(sees(cases[i].text, cases[i].xid, END - 1), cases[i].seen);
    }
}

/* Both commit before the LSN that was read: the one that still waited for its flush is not seen. */
static void the_order_of_commits_does_not_matter(void **state)
{
    (void)state;
    assert_false(sees("100:110:104", 104, 1000));
    assert_true(sees("100:110:104", 105, 2000));
}

static void what_commits_behind_the_end_is_not_seen(void **state)
{
    (void)state;
    assert_true(sees("100:110:", 99, END - 1));
    assert_false(sees("100:110:", 99, END));
    assert_false(sees("100:110:", 99, END + 1));
}

static void ids_of_the_stream_get_the_nearest_epoch(void **state)
{
    (void)state;
    const char *over =
        "4294967290:4294967300:4294967295,4294967298"; /* the second epoch begins at 4294967296 */
    assert_true(sees(over, UINT32_C(4294967289), 1));
    assert_true(sees(over, UINT32_C(4294967294), 1));
    assert_false(sees(over, UINT32_C(4294967295), 1));
    assert_true(sees(over, 1, 1));
    assert_false(sees(over, 2, 1));
    assert_true(sees(over, 3, 1));
    assert_false(sees(over, 4, 1));
    assert_false(sees(over, 1000000, 1));
    assert_true(sees("30064771172:30064771172:", 99, 1)); /* 7 × 2^32 + 100 */
    assert_false(sees("30064771172:30064771172:", 100, 1));
    assert_true(sees("30064771172:30064771172:", UINT32_MAX, 1));
    assert_true(sees("2147483748:2147483748:", 101, 1)); /* less than 2^31 below */
}

static void by_lsn_it_sees_what_committed_before(void **state)
{
    (void)state;
    Snapshot snapshot = snapshot_by_lsn(END);
    assert_true(snapshot_sees(&snapshot, 7, END - 1));
    assert_false(snapshot_sees(&snapshot, 7, END));
    assert_false(snapshot_sees(&snapshot, 6, END + 1));
}

static void it_is_past_what_had_ended(void **state)
{
    (void)state;
    Snapshot snapshot;
    Error error;
    assert_int_equal(snapshot_parse("100:110:100,104", END, &snapshot, &error), 0);
    assert_true(snapshot_is_past(&snapshot, 100));
    assert_false(snapshot_is_past(&snapshot, 101));
    snapshot_free(&snapshot);
}

static void other_texts_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        ":",
        "100",
        "100:",
        "100:110",
        "100:110:,",
        "100:110:1",
        "110:100:",
        "100:110:110",
        "100:110:104,",
        "100:110:104,103",
        "100:110:104,104",
        "0:0:",
        " 100:110:",
        "100:110:104 ",
        "-1:110:",
        "100:110:x",
        "99999999999999999999999:1:",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        Snapshot snapshot;
        Error error;
        assert_int_equal(snapshot_parse(texts[i], END, &snapshot, &error), -1);
        assert_int_equal(error.code, ERROR_PROTOCOL);
        assert_null(snapshot.running);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_transaction_is_seen_by_the_set),
        cmocka_unit_test(the_order_of_commits_does_not_matter),
        cmocka_unit_test(what_commits_behind_the_end_is_not_seen),
        cmocka_unit_test(ids_of_the_stream_get_the_nearest_epoch),
        cmocka_unit_test(by_lsn_it_sees_what_committed_before),
        cmocka_unit_test(it_is_past_what_had_ended),
        cmocka_unit_test(other_texts_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
