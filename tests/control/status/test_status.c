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
        " \"running\": {\"applier\": true, \"control\": false}, \"lag\": {\"bytes\": 2048, \"seconds\": 0.1},"
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
        if (strstr(status_next(document), rows[i].next) == NULL) {
            fail_msg("%s: \"%s\" does not say \"%s\"", rows[i].change, status_next(document), rows[i].next);
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
    status_print(out, document);
    fclose(out);
    json_decref(document);
    return text;
}

static void sizes_and_shares_are_printed(void **unused)
{
    (void)unused;
    char *text = printed("{}");
    assert_non_null(
        strstr(text, "penstock_default, active, confirmed 0/1, 2.0 kB behind, keeps 3.0 MB of WAL"));
    assert_non_null(strstr(text, "2 of 4 tables, 1.0 kB of 4.0 kB (25 %)"));
    assert_non_null(strstr(text, "2.0 kB, 0.1 s"));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_situation_has_its_next_step),
        cmocka_unit_test(sizes_and_shares_are_printed),
        cmocka_unit_test(an_applier_that_ended_is_said_to_be_so),
        cmocka_unit_test(what_is_not_known_is_not_guessed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
