/*
 * The values of --on-conflict: which are taken, and which rule counts for a table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "policy.h"

static ConflictPolicy of(const Policies *policies, const char *schema, const char *name)
{
    SourceRelation source = {.schema = (char *)schema, .name = (char *)name};
    ApplyRelation relation = {.source = &source};
    return policies_of(policies, &relation);
}

static void add(Policies *policies, const char *text)
{
    Error error;
    assert_int_equal(policies_add(policies, text, &error), 0);
}

static void the_rule_of_a_table_goes_before_the_one_for_all(void **state)
{
    (void)state;
    Policies policies = {0};
    assert_int_equal(of(&policies, "public", "a"), POLICY_STOP);
    add(&policies, "public.a=skip");
    add(&policies, "overwrite");
    assert_int_equal(of(&policies, "public", "a"), POLICY_SKIP);
    assert_int_equal(of(&policies, "public", "ab"), POLICY_OVERWRITE);
    assert_int_equal(of(&policies, "publi", "c.a"), POLICY_OVERWRITE);
    add(&policies, "public.a=stop");
    assert_int_equal(of(&policies, "public", "a"), POLICY_STOP);
    policies_free(&policies);
}

static void odd_names_are_taken_as_they_are(void **state)
{
    (void)state;
    Policies policies = {0};
    add(&policies, "Odd.Na=me=skip");
    assert_int_equal(of(&policies, "Odd", "Na=me"), POLICY_SKIP);
    assert_int_equal(of(&policies, "odd", "na=me"), POLICY_STOP);
    policies_free(&policies);
}

static void what_is_no_policy_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "ignore", "a=skip", "public.a=", "public.a", "skip=public.a"};
    Policies policies = {0};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        Error error;
        assert_int_equal(policies_add(&policies, texts[i], &error), -1);
        assert_int_equal(error.code, ERROR_USAGE);
    }
    assert_int_equal(policies.count, 0);
}

static void only_the_named_transaction_is_left_out(void **state)
{
    (void)state;
    Change change = {.position = {.commit_lsn = 5, .sequence = 1}};
    assert_false(policies_skip_change(&(Policies){0}, &change));
    assert_false(policies_skip_change(&(Policies){.skip_lsn = 4}, &change));
    assert_true(policies_skip_change(&(Policies){.skip_lsn = 5}, &change));
    Batch batch = {.kind = BATCH_TRUNCATE, .last = {.commit_lsn = 5, .sequence = 2}};
    assert_true(policies_skip_truncate(&(Policies){.skip_lsn = 5}, &batch));
    batch.kind = BATCH_ROWS;
    assert_false(policies_skip_truncate(&(Policies){.skip_lsn = 5}, &batch));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rule_of_a_table_goes_before_the_one_for_all),
        cmocka_unit_test(odd_names_are_taken_as_they_are),
        cmocka_unit_test(what_is_no_policy_is_refused),
        cmocka_unit_test(only_the_named_transaction_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
