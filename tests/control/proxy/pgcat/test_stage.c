/*
 * Pools of ours beside those that move: each a copy with one connection that leads elsewhere; what was there stays byte for byte,
 * and a plan does not see them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pgcat/plan.h"
#include "pgcat/stage.h"
#include "toml.h"

static const BlockKey key = {"r1"};
static const Endpoint target = {.host = "10.0.0.2", .port = "5414"};

static const char file[] =
    "[general]\nport = 6433 # ours\n\n"
    "[pools.app]\npool_mode = \"transaction\"\nconnect_timeout = 9000\n"
    "[pools.app.users.0]\nusername = \"app\"\npassword = \"a]pp\"\npool_size = 20\nmin_pool_size = 3\n"
    "[pools.other]\npool_mode = \"session\"\n"
    "[pools.other.shards.0]\ndatabase = \"other\"\nservers = [[\"10.0.0.9\", 5411, \"primary\"]]\n"
    "[pools.app.shards.0]\ndatabase = \"app\"\nservers = [\n  [\"10.0.0.1\", 5411, \"primary\"] # here\n]\n";

static char *stage(const char *text)
{
    Error error;
    json_t *plan;
    char *staged;
    assert_int_equal(pgcat_plan(text, "app", NULL, &plan, &error), 0);
    assert_int_equal(pgcat_stage(text, &key, plan, &target, &staged, &error), 0);
    json_decref(plan);
    return staged;
}

static void assert_text(const char *text, const char *const *table, const char *key, const char *value)
{
    char *found = toml_text(text, table, key);
    if (value == NULL) {
        assert_null(found);
    } else {
        assert_string_equal(found, value);
    }
    free(found);
}

static void test_copy(void **state)
{
    (void)state;
    char *staged = stage(file);
    assert_int_equal(strncmp(staged, file, strlen(file)), 0);
    assert_text(staged, (const char *const[]){"pools", "penstock_rehearsal_r1_0", NULL}, "pool_mode",
                "transaction");
    assert_text(staged, (const char *const[]){"pools", "penstock_rehearsal_r1_0", NULL}, "connect_timeout",
                "3000");
    const char *const user[] = {"pools", "penstock_rehearsal_r1_0", "users", "0", NULL};
    assert_text(staged, user, "password", "a]pp");
    assert_text(staged, user, "pool_size", "1");
    assert_text(staged, user, "min_pool_size", NULL);
    const char *const shard[] = {"pools", "penstock_rehearsal_r1_0", "shards", "0", NULL};
    assert_text(staged, shard, "database", "app");
    char *servers = toml_raw(staged, shard, "servers");
    assert_non_null(strstr(servers, "\"10.0.0.2\", 5414"));
    free(servers);
    free(staged);
}

static void test_gone_without_a_trace(void **state)
{
    (void)state;
    char without_end[sizeof file];
    snprintf(without_end, sizeof without_end, "%s", file);
    without_end[strlen(without_end) - 1] = '\0';
    const char *const texts[] = {file, without_end};
    for (size_t i = 0; i < 2; i++) {
        char *staged = stage(texts[i]), *again = stage(staged);
        assert_string_equal(again, staged);
        char *struck = pgcat_strike(staged, &key);
        assert_string_equal(struck, texts[i]);
        free(struck);
        free(again);
        free(staged);
    }
    char *same = pgcat_strike(file, &key);
    assert_string_equal(same, file);
    free(same);
}

/* The switch reads and edits the file while they are there. */
static void test_unseen_by_the_plan(void **state)
{
    Error error;
    json_t *plan;
    char *staged = stage(file), *pointed;
    (void)state;
    assert_int_equal(pgcat_plan(staged, "app", NULL, &plan, &error), 0);
    assert_int_equal(json_array_size(json_object_get(plan, "pools")), 1);
    assert_string_equal(json_string_value(json_object_get(plan, "host")), "10.0.0.1");
    assert_int_equal(pgcat_point(staged, plan, &target, 0, &pointed, &error), 0);
    char *struck = pgcat_strike(pointed, &key), *alone;
    assert_int_equal(pgcat_point(file, plan, &target, 0, &alone, &error), 0);
    assert_string_equal(struck, alone);
    free(alone);
    free(struck);
    free(pointed);
    free(staged);
    json_decref(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_gone_without_a_trace),
        cmocka_unit_test(test_unseen_by_the_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
