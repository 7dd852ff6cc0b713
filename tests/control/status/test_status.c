/*
 * What status says comes next, for each situation, and how it prints what it knows and what it does not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "status.h"

bool interrupted(void)
{
    return false;
}

/* A copied migration whose applier runs close behind, with the members of change over it. */
static json_t *situation(const char *change)
{
    static const char base[] =
        "{\"name\": \"default\", \"phase\": \"copied\", \"source\": {\"reachable\": true, \"version\": "
        "\"11.22\","
        " \"current_lsn\": \"0/2\"}, \"slot\": {\"name\": \"penstock_default\", \"exists\": true, "
        "\"active\": true,"
        " \"confirmed_lsn\": \"0/1\", \"lag_bytes\": 2048, \"kept_bytes\": 3145728},"
        " \"applier\": {\"state\": \"streaming\", \"pid\": 7, \"host\": \"h\", \"workers\": 2},"
        " \"running\": {\"applier\": true, \"control\": false}, \"lag\": {\"bytes\": 2048, \"seconds\": 0.1,"
        " \"seconds_by\": \"commit\", \"catch_up_seconds\": 0},"
        " \"copy\": {\"tables\": 4, \"tables_copied\": 2, \"bytes\": 4096, \"bytes_copied\": 1024},"
        " \"lanes\": {\"count\": 16}, \"journal\": []}";
    json_t *document = json_loads(base, 0, NULL);
    json_t *members = json_loads(change, 0, NULL);
    assert_non_null(document);
    assert_non_null(members);
    json_object_update(document, members);
    json_decref(members);
    return document;
}

static void each_situation_has_its_next_step(void **unused)
{
    static const struct {
        const char *change;
        const char *next;
    } rows[] = {
        {"{\"phase\": \"none\"}", "`penstock check`"},
        {"{\"phase\": \"none\", \"others\": [\"shop\"]}", "with --migration"},
        {"{\"phase\": \"created\"}", "goes on where it stopped"},
        {"{\"phase\": \"copying\", \"running\": {\"control\": true}}", "the copy is running"},
        {"{\"phase\": \"copying\"}", "goes on where it stopped"},
        {"{\"slot\": {\"exists\": false}}", "The slot is gone"},
        {"{\"source\": {\"reachable\": false}, \"slot\": {\"exists\": null}}", "source cannot be reached"},
        {"{\"running\": {\"applier\": false}}", "`penstock follow`: the applier is not running"},
        {"{\"running\": {\"applier\": false}, \"applier\": {\"state\": \"failed\"}}", "Solve what"},
        {"{\"running\": {\"applier\": false}, \"applier\": null}",
         "`penstock follow`: the applier is not running"},
        {"{\"applier\": {\"state\": \"waiting\"}}", "waits for a server"},
        {"{\"lag\": {\"bytes\": 100000000}}", "Wait until the lag is small"},
        {"{\"lag\": {\"seconds\": 60}}", "Wait until the lag is small"},
        {"{}", "`penstock cutover`, when you are ready"},
        {"{\"journal\": [{\"operation\": \"cutover\", \"event\": \"done\"}]}", "cutover was cut short"},
        {"{\"journal\": [{\"operation\": \"cutover\", \"event\": \"begin\"}], \"running\": {\"control\": "
         "true}}",
         "the cutover is running"},
        {"{\"journal\": [{\"operation\": \"cutover\", \"event\": \"undone\"}]}", "when you are ready"},
        {"{\"phase\": \"switched\", \"slot\": {\"exists\": false}}", "`penstock finish`"},
        {"{\"phase\": \"finished\"}", "finished"},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        json_t *document = situation(rows[i].change);
        if (strstr(view_next(document), rows[i].next) == NULL) {
            fail_msg("%s: \"%s\" does not say \"%s\"", rows[i].change, view_next(document), rows[i].next);
        }
        json_decref(document);
    }
}

static char *printed(const char *change)
{
    char *text = NULL;
    size_t size = 0;
    json_t *document = situation(change);
    FILE *out = open_memstream(&text, &size);
    status_print(out, document, false);
    fclose(out);
    json_decref(document);
    return text;
}

/* The first reason, or "" when nothing needs attention. */
static const char *worst(const json_t *health)
{
    return view_text(json_array_get(health, 0), "id");
}

static void what_needs_attention_is_said_worst_first(void **unused)
{
    static const struct {
        const char *change;
        const char *id;
    } rows[] = {
        {"{}", ""},
        {"{\"phase\": \"none\"}", ""},
        {"{\"phase\": \"copying\", \"running\": {\"control\": true}}", ""},
        {"{\"phase\": \"copying\"}", "copy-stopped"},
        {"{\"held\": {\"operation\": \"cutover\", \"since\": \"x\", \"seconds\": 3}, \"running\": "
         "{\"applier\": false}}",
         "clients-held"},
        {"{\"journal\": [{\"operation\": \"cutover\", \"event\": \"done\"}]}", "cut-short"},
        {"{\"journal\": [{\"operation\": \"cutover\", \"event\": \"done\"}], \"running\": {\"control\": "
         "true, "
         "\"applier\": true}}",
         ""},
        {"{\"slot\": {\"exists\": false}}", "slot-lost"},
        {"{\"slot\": {\"exists\": null}, \"source\": {\"reachable\": false}}", "source-unreachable"},
        {"{\"running\": {\"applier\": false}}", "applier-not-running"},
        {"{\"running\": {\"applier\": false}, \"applier\": {\"state\": \"failed\"}}", "applier-failed"},
        {"{\"applier\": {\"state\": \"streaming\", \"report_age_seconds\": 31}}", "applier-silent"},
        {"{\"applier\": {\"state\": \"waiting\"}}", "applier-waiting"},
        {"{\"applier\": {\"state\": \"streaming\", \"blocked\": [{\"pid\": 71}]}}", "applier-blocked"},
        {"{\"copy\": {\"again\": [{\"table\": \"public.a\"}]}}", "copy-again"},
        {"{\"phase\": \"switched\", \"slot\": {\"exists\": false}, \"applier\": {\"state\": \"failed\"}, "
         "\"running\": "
         "{\"applier\": false}, \"reverse\": {\"slot\": {\"active\": true}}}",
         ""},
        {"{\"phase\": \"switched\", \"reverse\": {\"slot\": {\"active\": false}}}", "way-back-stopped"},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        json_t *document = situation(rows[i].change);
        json_t *health = view_health(document);
        if (strcmp(worst(health), rows[i].id) != 0) {
            fail_msg("%s: \"%s\" instead of \"%s\"", rows[i].change, worst(health), rows[i].id);
        }
        json_decref(health);
        json_decref(document);
    }
}

/* An error of the applier may be long, and cut in the middle of a character. */
static void a_long_reason_is_cut_not_lost(void **unused)
{
    char error[4001];
    (void)unused;
    for (size_t shift = 0; shift < 2; shift++) {
        memset(error, 'x', sizeof error);
        for (size_t i = shift; i + 1 < sizeof error - 1; i += 2) {
            memcpy(error + i, "\xc3\xa9", 2);
        }
        error[sizeof error - 1 - shift] = '\0';
        json_t *document = situation("{\"running\": {\"applier\": false}}");
        json_object_set_new(document, "applier",
                            json_pack("{s:s, s:{s:s}}", "state", "failed", "error", "message", error));
        json_t *health = view_health(document);
        assert_string_equal(worst(health), "applier-failed");
        assert_true(strlen(view_text(json_array_get(health, 0), "reason")) > 1000);
        json_decref(health);
        json_decref(document);
    }
}

static void the_first_line_says_the_worst(void **unused)
{
    (void)unused;
    char *text = printed("{\"health\": [{\"reason\": \"CLIENTS ARE HELD\"}, {\"reason\": \"and more\"}]}");
    assert_int_equal(strncmp(text, "ATTENTION   CLIENTS ARE HELD\n            and more\nmigration ", 52), 0);
    free(text);
    text = printed("{\"health\": []}");
    assert_int_equal(strncmp(text, "health      good: nothing needs attention\n", 42), 0);
    free(text);
}

static void nothing_reads_like_a_failure_after_the_switch(void **unused)
{
    (void)unused;
    char *text =
        printed("{\"phase\": \"switched\", \"health\": [], \"slot\": {\"name\": \"s\", \"exists\": false}, "
                "\"running\": {\"applier\": false}, \"applier\": {\"state\": \"failed\", \"error\": "
                "{\"message\": \"the slot is gone\"}}}");
    assert_non_null(strstr(text, "\nslot        s: dropped with the switch\n"));
    assert_non_null(strstr(text, "\napplier     has ended with the switch\n"));
    assert_null(strstr(text, "fail"));
    assert_null(strstr(text, "the slot is gone"));
    free(text);
}

static void sizes_and_shares_are_printed(void **unused)
{
    (void)unused;
    char *text = printed("{}");
    assert_non_null(
        strstr(text, "penstock_default, active, confirmed 0/1, 2.0 kB behind, keeps 3.0 MB of WAL"));
    assert_non_null(strstr(text, "2 of 4 tables, 1.0 kB of 4.0 kB (25 %)"));
    assert_non_null(strstr(text, "2.0 kB of WAL, 0.1 s by commit time"));
    free(text);
}

static void what_the_decoder_cannot_do_is_said(void **unused)
{
    (void)unused;
    char *text = printed("{\"applier\": {\"state\": \"streaming\", \"statistics\": {\"plugin\": \"read_ahead "
                         "is off: new\"}}}");
    assert_non_null(strstr(text, "\ndecoder     read_ahead is off: new\n"));
    free(text);
    text = printed("{\"applier\": {\"state\": \"streaming\", \"statistics\": {\"plugin\": \"\"}}}");
    assert_null(strstr(text, "\ndecoder "));
    free(text);
}

static void an_applier_that_ended_is_said_to_be_so(void **unused)
{
    (void)unused;
    char *text = printed("{\"running\": {\"applier\": false}}");
    assert_non_null(strstr(text, "streaming (not running), pid 7 on h"));
    free(text);
}

static void what_is_not_known_is_not_guessed(void **unused)
{
    (void)unused;
    char *text = printed("{\"source\": {\"reachable\": false, \"error\": \"refused\"},"
                         " \"slot\": {\"name\": \"s\", \"exists\": null}, \"applier\": null, \"lag\": {}}");
    assert_non_null(strstr(text, "not reachable: refused"));
    assert_non_null(strstr(text, "s: not known"));
    assert_non_null(strstr(text, "has not run yet"));
    assert_null(strstr(text, "\nlag "));
    free(text);
}

static void numbers_are_made_for_people(void **unused)
{
    char text[48];
    (void)unused;
    assert_string_equal(view_count(0, text, sizeof text), "0");
    assert_string_equal(view_count(999, text, sizeof text), "999");
    assert_string_equal(view_count(1234567, text, sizeof text), "1,234,567");
    assert_string_equal(view_count(1e30, text, sizeof text), "1,000,000,000,000,000,000");
    assert_string_equal(view_duration(0.4, text, sizeof text), "0 s");
    assert_string_equal(view_duration(59.6, text, sizeof text), "1 min");
    assert_string_equal(view_duration(200, text, sizeof text), "3 min 20 s");
    assert_string_equal(view_duration(7260, text, sizeof text), "2 h 1 min");
    assert_string_equal(view_duration(86399, text, sizeof text), "23 h 59 min");
    assert_string_equal(view_duration(200000, text, sizeof text), "2 d 7 h");
}

/* What is said of the lag, and of when it will be gone. */
static void the_lag_and_its_end_are_put_in_words(void **unused)
{
    static const struct {
        const char *change;
        const char *says;
    } rows[] = {
        {"{\"lag\": {\"bytes\": 0, \"seconds\": 0, \"catch_up_seconds\": 0}}",
         "\nlag         none: the target has all that the source has\n"},
        {"{}", "\ncaught up   yes\n"},
        {"{\"lag\": {\"bytes\": 1048576, \"seconds\": 75, \"seconds_by\": \"heartbeat\"}}",
         "\nlag         1.0 MB of WAL, 1 min 15 s by heartbeat\n"},
        {"{\"lag\": {\"bytes\": 8, \"seconds\": 75, \"catch_up_seconds\": 200}, \"rates\": "
         "{\"applied_bytes_per_second\": 2048, \"source_bytes_per_second\": 1024}}",
         "\ncaught up   in 3 min 20 s at this rate: 2.0 kB/s of WAL are applied, the source writes 1.0 "
         "kB/s\n"},
        {"{\"lag\": {\"bytes\": 8, \"seconds\": 75}, \"rates\": {\"window_seconds\": 5, "
         "\"applied_bytes_per_second\": 1024, \"source_bytes_per_second\": 2048, \"rows_per_second\": 1}}",
         "\ncaught up   not at this rate: 1.0 kB/s of WAL are applied, the source writes 2.0 kB/s\n"},
        {"{\"lag\": {\"bytes\": 8, \"seconds\": 75}, \"rates\": {\"window_seconds\": 5, "
         "\"applied_bytes_per_second\": 0, \"rows_per_second\": 1}}",
         "\ncaught up   not known: a large transaction is being applied\n"},
        {"{\"lag\": {\"bytes\": 8, \"seconds\": 75}, \"rates\": {\"window_seconds\": 0}}",
         "\ncaught up   not known yet\n"},
        {"{\"lag\": {\"bytes\": 8, \"seconds\": 75}, \"running\": {\"applier\": false}}",
         "\ncaught up   no: nothing is being applied\n"},
        {"{\"rates\": {\"transactions_per_second\": 2013.4, \"rows_per_second\": 8052}}",
         "\nrate        2,013 transactions/s, 8,052 rows/s\n"},
        {"{}", "\nblocked     by nobody\n"},
        {"{\"lag\": {\"bytes\": 8, \"seconds\": 75}, \"applier\": {\"state\": \"streaming\", \"blocked\": "
         "[{\"pid\": 71}]}}",
         "\ncaught up   not known: a lock is in the way\n"},
        {"{\"applier\": {\"state\": \"streaming\", \"blocked\": [{\"pid\": 71, \"relation\": "
         "\"public.orders\", \"seconds\": 75, \"user\": \"dba\", \"application\": \"psql\", \"state\": "
         "\"active\", \"query\": \"LOCK orders\"}, {\"pid\": 71}]}}",
         "\nblocked     on public.orders for 1 min 15 s by process 71 of the target (dba, psql, active): "
         "LOCK "
         "orders\n"},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *text = printed(rows[i].change);
        if (strstr(text, rows[i].says) == NULL) {
            fail_msg("%s: \"%s\" does not say \"%s\"", rows[i].change, text, rows[i].says);
        }
        free(text);
    }
}

static void tables_are_listed_with_lane_and_reason(void **unused)
{
    (void)unused;
    char *text = printed(
        "{\"tables\": [{\"table\": \"public.a\", \"lane_class\": \"spread\", \"lane\": \"all\", \"why\": "
        "\"so\", "
        "\"rows_per_second\": 1500, \"rows_applied\": 12345}, {\"table\": \"public.b\", \"lane_class\": "
        "\"whole\", \"lane\": \"7\", \"why\": \"it has no replica identity\", \"rows_per_second\": 0, "
        "\"rows_applied\": 1}, {\"table\": \"public.c\", \"rows_per_second\": 0, \"rows_applied\": 0}]}");
    assert_non_null(strstr(text, "The 3 busiest of 4 tables; --all lists the others.\n"));
    assert_non_null(strstr(text, "\n      1,500          12,345  all   public.a  (so)\n"));
    assert_non_null(
        strstr(text, "\n          0               1  7     public.b  (it has no replica identity)\n"));
    assert_non_null(strstr(text, "\n          0               0  -     public.c  (no change yet)\n"));
    free(text);
}

static void who_watches_sees_what_moves(void **unused)
{
    char *text = NULL;
    size_t size = 0;
    (void)unused;
    json_t *document =
        situation("{\"copy\": {\"tables\": 4, \"tables_copied\": 4}, \"journal\": [{\"at\": \"x\"}]}");
    FILE *out = open_memstream(&text, &size);
    status_print(out, document, true);
    fclose(out);
    json_decref(document);
    assert_non_null(strstr(text, "\nmigration   default: copied, applier streaming\nlag "));
    assert_null(strstr(text, "\njournal"));
    assert_null(strstr(text, "\ncopy"));
    free(text);
}

/* What a screen of that size has; the caller frees it. */
static char *screen(const json_t *document, const StatusTrail *trail, int width, int height)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    status_screen(out, document, trail, width, height);
    fclose(out);
    return text;
}

static void a_screen_fits_and_breaks_between_words(void **unused)
{
    (void)unused;
    StatusTrail trail = {.lag = {0, 500, -1, 1000}, .count = 4};
    json_t *document =
        situation("{\"next\": \"a sentence of many words that does not fit into the width of a narrow "
                  "terminal and is broken\", \"health\": []}");
    setenv("LC_ALL", "C", 1);
    char *text = screen(document, &trail, 60, 40);
    for (const char *at = text; *at != '\0'; at += strcspn(at, "\n") + 1) {
        assert_true(strcspn(at, "\n") <= 60);
    }
    assert_non_null(strstr(text, "lag so far  _- # 1000 bytes at most"));
    assert_non_null(strstr(text, "copied      [#######                       ] 25.0 %"));
    assert_non_null(
        strstr(text, "\nnext:       a sentence of many words that does not fit into\n            the width"));
    free(text);
    text = screen(document, &trail, 60, 5);
    int lines = 0;
    for (const char *at = text; *at != '\0'; at++) {
        lines += *at == '\n';
    }
    assert_int_equal(lines, 4);
    free(text);
    json_decref(document);
}

static void clients_that_are_held_are_said_first_and_loudly(void **unused)
{
    (void)unused;
    const StatusTrail trail = {.count = 0};
    json_t *document = situation(
        "{\"health\": [{\"id\": \"clients-held\", \"reason\": \"CLIENTS ARE HELD at the proxy\"}]}");
    char *text = screen(document, &trail, 80, 24);
    assert_non_null(strstr(text, "ends it\n\033[1;7mCLIENTS ARE HELD at the proxy\033[0m\n"));
    free(text);
    json_decref(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_situation_has_its_next_step),
        cmocka_unit_test(what_needs_attention_is_said_worst_first),
        cmocka_unit_test(a_long_reason_is_cut_not_lost),
        cmocka_unit_test(the_first_line_says_the_worst),
        cmocka_unit_test(nothing_reads_like_a_failure_after_the_switch),
        cmocka_unit_test(sizes_and_shares_are_printed),
        cmocka_unit_test(what_the_decoder_cannot_do_is_said),
        cmocka_unit_test(an_applier_that_ended_is_said_to_be_so),
        cmocka_unit_test(what_is_not_known_is_not_guessed),
        cmocka_unit_test(numbers_are_made_for_people),
        cmocka_unit_test(the_lag_and_its_end_are_put_in_words),
        cmocka_unit_test(tables_are_listed_with_lane_and_reason),
        cmocka_unit_test(who_watches_sees_what_moves),
        cmocka_unit_test(a_screen_fits_and_breaks_between_words),
        cmocka_unit_test(clients_that_are_held_are_said_first_and_loudly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
