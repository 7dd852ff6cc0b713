/*
 * The journal's second place: what is written is there for the next process, and a line cut short is not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "ledger.h"

static char folder[] = "/tmp/test-ledger-XXXXXX";

static int make_home(void **state)
{
    (void)state;
    return mkdtemp(folder) != NULL ? setenv("XDG_STATE_HOME", folder, 1) : -1;
}

static int remove_home(void **state)
{
    (void)state;
    char path[96];
    snprintf(path, sizeof path, "%s/penstock", folder);
    return rmdir(path) == 0 ? rmdir(folder) : -1;
}

static Ledger *opened(void)
{
    Ledger *ledger;
    Error error;
    assert_int_equal(ledger_open("default", "712", &ledger, &error), 0);
    return ledger;
}

static void begin(Ledger *ledger, const char *round)
{
    Error error;
    json_t *head = json_pack("{s:s}", "round", round);
    json_t *detail = json_pack("{s:i}", "connection_limit", -1);
    assert_int_equal(ledger_begin(ledger, head, &error), 0);
    assert_int_equal(ledger_add(ledger, "fence", "begin", detail, &error), 0);
    assert_int_equal(ledger_add(ledger, "fence", "done", NULL, &error), 0);
    json_decref(head);
    json_decref(detail);
}

static void collect(void *context, const char *step, const char *event, const char *detail)
{
    char *text = context;
    size_t used = strlen(text);
    snprintf(text + used, 200 - used, "%s %s %s;", step, event, detail);
}

static void what_is_written_is_there_for_the_next(void **state)
{
    (void)state;
    char text[200] = "";
    Error error;
    Ledger *ledger = opened();
    assert_null(ledger_head(ledger));
    begin(ledger, "first");
    begin(ledger, "second");
    ledger_close(ledger);
    ledger = opened();
    assert_string_equal(json_string_value(json_object_get(ledger_head(ledger), "round")), "second");
    assert_int_equal(ledger_lines(ledger), 2);
    ledger_read(ledger, 0, collect, text);
    assert_string_equal(text, "fence begin {\"connection_limit\":-1};fence done {};");
    text[0] = '\0';
    ledger_read(ledger, 1, collect, text);
    assert_string_equal(text, "fence done {};");
    assert_int_equal(ledger_remove(ledger, &error), 0);
    assert_null(ledger_head(ledger));
    ledger_close(ledger);
}

static void only_the_owner_reads_it_and_one_run_has_it(void **state)
{
    (void)state;
    struct stat found;
    Ledger *ledger = opened(), *other;
    Error error;
    begin(ledger, "first");
    assert_int_equal(stat(ledger_path(ledger), &found), 0);
    assert_int_equal(found.st_mode & 0777, 0600);
    assert_int_equal(ledger_open("default", "712", &other, &error), -1);
    assert_int_equal(error.code, ERROR_STATE);
    assert_int_equal(ledger_remove(ledger, &error), 0);
    ledger_close(ledger);
}

static void a_line_that_was_cut_short_is_left_out(void **state)
{
    (void)state;
    Error error;
    Ledger *ledger = opened();
    begin(ledger, "first");
    assert_int_equal(truncate(ledger_path(ledger), 60), 0);
    ledger_close(ledger);
    ledger = opened();
    assert_int_equal(ledger_lines(ledger), 0);
    assert_non_null(ledger_head(ledger));
    assert_int_equal(ledger_remove(ledger, &error), 0);
    ledger_close(ledger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_there_for_the_next),
        cmocka_unit_test(only_the_owner_reads_it_and_one_run_has_it),
        cmocka_unit_test(a_line_that_was_cut_short_is_left_out),
    };
    return cmocka_run_group_tests(tests, make_home, remove_home);
}
