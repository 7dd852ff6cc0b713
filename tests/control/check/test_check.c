/*
 * The preflight without servers: the tables are sound, the verdict follows from the outcomes, long lists are cut.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "check.h"

static const CheckGroup *const groups[] = {
    &check_server_rows, &check_role_rows, &check_target_rows, &check_both_rows,
    &check_table_rows,  &check_data_rows, &check_object_rows,
};

#define GROUPS (sizeof groups / sizeof groups[0])

bool interrupted(void)
{
    return false;
}

static void every_row_can_be_run_and_says_what_to_do(void **unused)
{
    (void)unused;
    for (size_t g = 0; g < GROUPS; g++) {
        for (size_t i = 0; i < groups[g]->count; i++) {
            const CheckRow *row = &groups[g]->rows[i];
            assert_true((row->sql != NULL) != (row->function != NULL));
            assert_true(row->gather == NULL || (row->side == ON_TARGET && strstr(row->sql, "$1") != NULL));
            assert_true(row->severity == CHECK_NOTE || row->severity == CHECK_WARNING ||
                        row->severity == CHECK_PROBLEM);
            assert_non_null(row->title);
            assert_non_null(row->advice);
        }
    }
}

static void no_two_rows_have_the_same_id(void **unused)
{
    json_t *seen = json_object();
    (void)unused;
    for (size_t g = 0; g < GROUPS; g++) {
        for (size_t i = 0; i < groups[g]->count; i++) {
            assert_null(json_object_get(seen, groups[g]->rows[i].id));
            json_object_set_new(seen, groups[g]->rows[i].id, json_true());
        }
    }
    json_decref(seen);
}

static json_t *outcome(const char *status, int findings, const char *error)
{
    json_t *list = json_array();
    for (int i = 0; i < findings; i++) {
        char name[32];
        snprintf(name, sizeof name, "public.t%d", i);
        finding_add(list, name, "a detail", i == 0 ? "ALTER TABLE t" : NULL);
    }
    return json_pack("{s:s, s:s, s:s, s:s, s:i, s:o, s:s, s:s?}", "id", "x", "group", "Group", "title",
                     "Title", "status", status, "count", findings, "findings", list, "advice", "Do this.",
                     "error", error);
}

static ExitStatus verdict(const char *status)
{
    json_t *outcomes = json_pack("[o]", outcome(status, 0, NULL));
    ExitStatus result = check_exit_status(outcomes);
    json_decref(outcomes);
    return result;
}

static void only_problems_and_errors_say_no(void **unused)
{
    (void)unused;
    assert_int_equal(verdict("ok"), EXIT_DONE);
    assert_int_equal(verdict("note"), EXIT_DONE);
    assert_int_equal(verdict("warning"), EXIT_DONE);
    assert_int_equal(verdict("skipped"), EXIT_DONE);
    assert_int_equal(verdict("problem"), EXIT_ANSWER_NO);
    assert_int_equal(verdict("error"), EXIT_ANSWER_NO);
}

static char *printed(json_t *outcomes, CheckExtent extent)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    check_print(out, outcomes, extent);
    fclose(out);
    json_decref(outcomes);
    return text;
}

static void long_lists_are_cut_and_counted(void **unused)
{
    (void)unused;
    char *text = printed(json_pack("[o]", outcome("problem", 25, NULL)), CHECK_USUAL);
    assert_non_null(strstr(text, "public.t0: a detail\n"));
    assert_non_null(strstr(text, "ALTER TABLE t;\n"));
    assert_non_null(strstr(text, "public.t19"));
    assert_null(strstr(text, "public.t20"));
    assert_non_null(strstr(text, "and 5 more, 25 in all"));
    assert_non_null(strstr(text, "Do this."));
    assert_non_null(strstr(text, "problem    Title (25)  [x]\n"));
    assert_non_null(strstr(text, "1 problem."));
    free(text);
}

static void what_could_not_be_checked_says_why(void **unused)
{
    (void)unused;
    char *text = printed(json_pack("[o]", outcome("error", 0, "permission denied")), CHECK_USUAL);
    assert_non_null(strstr(text, "not checked: permission denied"));
    assert_non_null(strstr(text, "solve the problems"));
    free(text);
}

static void skipped_checks_show_when_verbose(void **unused)
{
    (void)unused;
    char *text = printed(json_pack("[o]", outcome("skipped", 0, "no source")), CHECK_USUAL);
    assert_null(strstr(text, "no source"));
    assert_non_null(strstr(text, "1 skipped"));
    free(text);
    text = printed(json_pack("[o]", outcome("skipped", 0, "no source")), CHECK_EVERYTHING);
    assert_non_null(strstr(text, "skipped: no source"));
    free(text);
}

static void quiet_prints_problems_alone(void **unused)
{
    (void)unused;
    char *text = printed(json_pack("[o, o, o]", outcome("warning", 1, NULL), outcome("problem", 1, NULL),
                                   outcome("ok", 0, NULL)),
                         CHECK_PROBLEMS_ONLY);
    assert_null(strstr(text, "  warning "));
    assert_null(strstr(text, "  ok "));
    assert_non_null(strstr(text, "  problem "));
    assert_non_null(strstr(text, "1 ok, 0 notes, 1 warning, 1 problem.\n"));
    free(text);
}

static void findings_are_one_line_of_valid_text(void **unused)
{
    (void)unused;
    json_t *list = json_array();
    finding_add(list, "two\nlines", "\xff", NULL);
    const json_t *finding = json_array_get(list, 0);
    assert_string_equal(json_string_value(json_object_get(finding, "object")), "two lines");
    assert_true(json_is_string(json_object_get(finding, "detail")));
    assert_true(json_is_null(json_object_get(finding, "fix")));
    finding_add(list, "t", NULL, "ALTER TABLE t; DROP TABLE u");
    assert_string_equal(json_string_value(json_object_get(json_array_get(list, 1), "fix")),
                        "ALTER TABLE t; DROP TABLE u;");
    json_decref(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_can_be_run_and_says_what_to_do),
        cmocka_unit_test(no_two_rows_have_the_same_id),
        cmocka_unit_test(only_problems_and_errors_say_no),
        cmocka_unit_test(long_lists_are_cut_and_counted),
        cmocka_unit_test(what_could_not_be_checked_says_why),
        cmocka_unit_test(skipped_checks_show_when_verbose),
        cmocka_unit_test(quiet_prints_problems_alone),
        cmocka_unit_test(findings_are_one_line_of_valid_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
