/*
 * The editor of pgcat's file: the pools of one database move, every other byte stays; what cannot be held is refused.
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
#include "pgcat/settings.h"
#include "toml.h"

static const ProxyContext context = {.hold_limit_ms = 30000};
static const Endpoint target = {.host = "10.0.0.2", .port = "5414"};
static const Endpoint renamed = {.host = "10.0.0.2", .port = "5414", .database = "new \"app\""};

/* before pointed at where is after, and the plan brings before back. */
static void check_round_trip(const char *before, const Endpoint *where, int timeout_ms, const char *after)
{
    Error error;
    json_t *plan;
    char *pointed, *back;
    assert_int_equal(pgcat_plan(before, "app", NULL, &plan, &error), 0);
    assert_int_equal(pgcat_point(before, plan, where, timeout_ms, &pointed, &error), 0);
    assert_string_equal(pointed, after);
    assert_int_equal(pgcat_point_back(pointed, plan, &back, &error), 0);
    assert_string_equal(back, before);
    json_decref(plan);
    free(pointed);
    free(back);
}

static void check_refused(const char *text, const char *reason)
{
    Error error = {0};
    json_t *plan = NULL;
    int status = pgcat_plan(text, "app", NULL, &plan, &error);
    if (status == 0) {
        status = pgcat_check_settings(text, plan, &context, &error);
    }
    json_decref(plan);
    assert_int_equal(status, -1);
    if (strstr(error.message, reason) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", error.message, reason);
    }
}

#define APP "[pools.app]\n[pools.app.shards.0]\ndatabase = \"app\"\n"
#define SERVER "servers = [[\"a\", 5432, \"primary\"]]\n"

static void comments_and_formatting_stay(void **state)
{
    (void)state;
    check_round_trip(
        "# [pools.app.shards.0] servers = 1\r\n"
        "[general]\r\nconnect_timeout = 1 # not this one\r\n"
        "[ pools . \"app\" ] # ours\r\nconnect_timeout=5000 # ms\r\n"
        "[pools.app.shards.0]\r\n  servers = [ # \"primary\" ]\r\n"
        "    [ 'a', 5432,\"primary\" ], # ] the source\r\n  ]  # end\r\n  database = \"app\"\r\n",
        &target, 60000,
        "# [pools.app.shards.0] servers = 1\r\n"
        "[general]\r\nconnect_timeout = 1 # not this one\r\n"
        "[ pools . \"app\" ] # ours\r\nconnect_timeout=60000 # ms\r\n"
        "[pools.app.shards.0]\r\n  servers = [ # \"primary\" ]\r\n"
        "    [ \"10.0.0.2\", 5414,\"primary\" ], # ] the source\r\n  ]  # end\r\n  database = \"app\"\r\n");
}

static void a_timeout_that_was_not_set_comes_and_goes(void **state)
{
    (void)state;
    check_round_trip(APP SERVER, &target, 60000,
                     "[pools.app]\nconnect_timeout = 60000\n[pools.app.shards.0]\ndatabase = \"app\"\n"
                     "servers = [[\"10.0.0.2\", 5414, \"primary\"]]\n");
    check_round_trip(APP SERVER, &renamed, 0,
                     "[pools.app]\n[pools.app.shards.0]\ndatabase = \"new \\\"app\\\"\"\n"
                     "servers = [[\"10.0.0.2\", 5414, \"primary\"]]\n");
}

static void every_pool_and_shard_of_the_database_moves(void **state)
{
    (void)state;
    check_round_trip(APP SERVER
                     "[pools.app.shards.1]\ndatabase = \"other\"\nservers = [[\"b\", 1, \"primary\"]]\n"
                     "[pools.\"app.ro\"]\n[pools.\"app.ro\".shards.2]\n" SERVER "database = 'app'",
                     &target, 0,
                     APP "servers = [[\"10.0.0.2\", 5414, \"primary\"]]\n"
                         "[pools.app.shards.1]\ndatabase = \"other\"\nservers = [[\"b\", 1, \"primary\"]]\n"
                         "[pools.\"app.ro\"]\n[pools.\"app.ro\".shards.2]\n"
                         "servers = [[\"10.0.0.2\", 5414, \"primary\"]]\ndatabase = 'app'");
}

static void text_in_strings_is_no_structure(void **state)
{
    (void)state;
    check_round_trip(
        "[plugins]\nquery = \"\"\"\n[pools.app.shards.0]\nservers = [[\"x\", 1, \"primary\"]]\n\"\"\"\n"
        "tables = [\"a]\", 'b#']\n" APP SERVER,
        &target, 0,
        "[plugins]\nquery = \"\"\"\n[pools.app.shards.0]\nservers = [[\"x\", 1, \"primary\"]]\n\"\"\"\n"
        "tables = [\"a]\", 'b#']\n" APP "servers = [[\"10.0.0.2\", 5414, \"primary\"]]\n");
}

static void what_cannot_be_moved_is_refused(void **state)
{
    (void)state;
    check_refused(APP "servers = [[\"a\", 1, \"primary\"], [\"b\", 2, \"replica\"]]\n",
                  "not one [host, port, role]");
    check_refused(APP "servers = [[\"a\", 1, \"replica\"]]\n", "not primary");
    check_refused(APP SERVER "mirrors = [[\"b\", 1, 0]]\n", "mirrors");
    check_refused(APP SERVER
                  "[pools.b]\n[pools.b.shards.0]\ndatabase = \"app\"\nservers = [[\"b\", 1, \"primary\"]]\n",
                  "another of this database");
    check_refused("[pools.app.shards.0]\ndatabase = \"app\"\n" SERVER, "cannot be edited");
    check_refused("[pools.b]\n", "no pool has a shard of database \"app\"");
    check_refused("[pools.app]\nservers = [\n", "line 2 cannot be read");
}

static void settings_that_do_not_allow_a_hold_are_refused(void **state)
{
    (void)state;
    check_refused("[general]\nautoreload = 15000\n" APP SERVER, "autoreload");
    check_refused("[general]\nauth_query = \"SELECT 1\"\n" APP SERVER, "auth_query");
    check_refused("[general]\nverify_server_certificate = true\n" APP SERVER, "verify_server_certificate");
    check_refused(
        "[pools.app]\ncheckout_failure_limit = 3\n[pools.app.shards.0]\ndatabase = \"app\"\n" SERVER,
        "checkout_failure_limit");
    check_refused("[pools.app]\npool_mode = \"session\"\n[pools.app.shards.0]\ndatabase = \"app\"\n" SERVER,
                  "pool_mode");
    check_refused(APP SERVER "[pools.app.users.0]\npool_mode = \"session\"\n", "pool_mode");
    check_refused(APP SERVER "[pools.app.users.0]\nconnect_timeout = 3000\n", "connect_timeout");
    check_refused(APP SERVER "[pools.app.users.1]\nmin_pool_size = 2\n", "min_pool_size");
}

static void count(void *context, const Error *problem)
{
    (void)problem;
    ++*(int *)context;
}

static void whoever_listens_hears_of_each_setting(void **state)
{
    (void)state;
    static const char text[] = "[general]\nautoreload = 15000\nverify_server_certificate = true\n" APP SERVER
                               "[pools.app.users.0]\npool_mode = \"session\"\nmin_pool_size = 2\n";
    Error error;
    json_t *plan;
    int problems = 0;
    const ProxyContext listening = {.hold_limit_ms = 30000, .problem = count, .problem_context = &problems};
    assert_int_equal(pgcat_plan(text, "app", NULL, &plan, &error), 0);
    assert_int_equal(pgcat_check_settings(text, plan, &listening, &error), 0);
    assert_int_equal(problems, 4);
    json_decref(plan);
}

static void settings_that_do_no_harm_are_not(void **state)
{
    (void)state;
    static const char text[] =
        "[general]\nautoreload = 0\nvalidate_config = false\nauth_query_user = \"x\"\n" APP SERVER
        "[pools.app.users.0]\nmin_pool_size = 2\nconnect_timeout = 60000\n"
        "[pools.other]\npool_mode = \"session\"\n";
    Error error;
    json_t *plan;
    assert_int_equal(pgcat_plan(text, "app", NULL, &plan, &error), 0);
    assert_int_equal(pgcat_check_settings(text, plan, &context, &error), 0);
    json_decref(plan);
}

static void users_are_read(void **state)
{
    (void)state;
    PgcatUser user;
    static const char text[] = APP "[pools.app.users.0]\nusername = \"a\"\npassword = 'p\"'\n"
                                   "[pools.app.users.1]\nusername = \"b\"\nserver_username = \"c\"\n";
    assert_true(pgcat_user(text, "app", 0, &user));
    assert_string_equal(user.server_name, "a");
    assert_string_equal(user.server_password, "p\"");
    pgcat_user_free(&user);
    assert_true(pgcat_user(text, "app", 1, &user));
    assert_string_equal(user.server_name, "c");
    assert_null(user.password);
    pgcat_user_free(&user);
    assert_false(pgcat_user(text, "app", 2, &user));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comments_and_formatting_stay),
        cmocka_unit_test(a_timeout_that_was_not_set_comes_and_goes),
        cmocka_unit_test(every_pool_and_shard_of_the_database_moves),
        cmocka_unit_test(text_in_strings_is_no_structure),
        cmocka_unit_test(what_cannot_be_moved_is_refused),
        cmocka_unit_test(settings_that_do_not_allow_a_hold_are_refused),
        cmocka_unit_test(whoever_listens_hears_of_each_setting),
        cmocka_unit_test(settings_that_do_no_harm_are_not),
        cmocka_unit_test(users_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
