/*
 * What `penstock proxy set` makes of pgcat's file: lists of servers that grow and shrink where they stand, refusals, and
 * changes that can be taken back to the byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "change.h"
#include "pgcat/servers.h"
#include "pgcat/wish.h"

static const PgcatServer three[] = {
    {"a", "1", "primary"}, {"b", "2", "replica"}, {"c \"x\"", "3", "replica"}};

static void check_written(const char *raw, size_t count, const char *expected)
{
    Error error;
    char *out;
    assert_int_equal(pgcat_servers_write(raw, three, count, &out, &error), 0);
    assert_string_equal(out, expected);
    free(out);
}

static void lists_grow(void **state)
{
    (void)state;
    check_written("[[\"a\", 1, \"primary\"]]", 2, "[[\"a\", 1, \"primary\"], [\"b\", 2, \"replica\"]]");
    check_written("[\n  ['a', 1, 'primary'] # old\n]", 3,
                  "[\n  ['a', 1, 'primary'], # old\n  [\"b\", 2, \"replica\"],\n  [\"c \\\"x\\\"\", 3, "
                  "\"replica\"],\n]");
    check_written("[\r\n\t[\"z\", 9, \"primary\"],\r\n]", 2,
                  "[\r\n\t[\"a\", 1, \"primary\"],\r\n\t[\"b\", 2, \"replica\"],\r\n]");
}

static void lists_shrink(void **state)
{
    (void)state;
    check_written("[[\"a\", 1, \"primary\"], [\"b\", 2, \"replica\"], [\"c\", 3, \"replica\"]]", 1,
                  "[[\"a\", 1, \"primary\"]]");
    check_written("[\n  [\"q\", 7, \"primary\"], # one\n  [\"b\", 2, \"replica\"], # two\n]", 1,
                  "[\n  [\"a\", 1, \"primary\"], # one\n]");
}

static void entries_change_where_they_stand(void **state)
{
    (void)state;
    check_written("[ ['a',2 , \"replica\"], # ] one\n ['b', 2, 'replica'] ]", 2,
                  "[ ['a',1 , \"primary\"], # ] one\n ['b', 2, 'replica'] ]");
}

static void what_is_no_list_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"[]", "[[\"a\", 1]]", "\"a\"", "[[\"a\", 1, \"primary\"]",
                                        "[[\"a\", 1, \"b\", 2]]"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        Error error;
        char *out;
        assert_int_equal(pgcat_servers_write(texts[i], three, 1, &out, &error), -1);
        assert_null(out);
    }
}

#define POOL "[pools.app]\n"
#define SHARD "[pools.app.shards.0]\ndatabase = \"app\"\nservers = [[\"s\", 1, \"primary\"]]\n"

static const Endpoint primary = {.host = "p", .port = "1"}, replica = {.host = "r", .port = "2"};

static int change_of(const char *text, const ProxyWish *wish, json_t **change, Error *error)
{
    PgcatPlace place;
    *change = NULL;
    return pgcat_find_place(text, "app", NULL, &place, error) != 0
               ? -1
               : pgcat_wish_change(text, "f", &place, wish, change, error);
}

static void check_refused(const char *text, const ProxyWish *wish, const char *reason)
{
    Error error = {0};
    json_t *change;
    assert_int_equal(change_of(text, wish, &change, &error), -1);
    if (strstr(error.message, reason) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", error.message, reason);
    }
}

static void what_leads_writes_astray_is_refused(void **state)
{
    (void)state;
    ProxyWish plain = {.primary = primary};
    ProxyWish split = {.primary = primary, .replicas = {replica}, .replica_count = 1, .split = SPLIT_ON};
    ProxyWish kept = {.primary = primary, .replicas = {replica}, .replica_count = 1};
    ProxyWish alone = {.primary = primary, .split = SPLIT_ON};
    ProxyWish mirror = {.primary = primary, .mirrors = {primary}, .mirror_count = 1};
    check_refused(POOL "default_role = \"any\"\n" SHARD, &plain, "\"any\"");
    check_refused(POOL "default_role = \"replica\"\n" SHARD, &plain, "\"replica\"");
    check_refused(POOL SHARD, &alone, "without a replica");
    check_refused(POOL "query_parser_read_write_splitting = true\n" SHARD, &plain, "without a replica");
    check_refused(POOL "query_parser_read_write_splitting = true\n" SHARD, &kept,
                  "without query_parser_enabled");
    check_refused("[general]\nprepared_statements_cache_size = 5\n" POOL SHARD, &split,
                  "prepared statements");
    check_refused(POOL "prepared_statements_cache_size = 5\n" SHARD, &split, "prepared statements");
    check_refused(POOL SHARD, &mirror, "its own mirror");
    check_refused(POOL SHARD "[pools.app.shards.1]\ndatabase = \"app\"\n", &plain, "cannot be edited");
    check_refused(POOL SHARD "[pools.b]\n[pools.b.shards.0]\ndatabase = \"app\"\n", &plain, "2 pools");
    check_refused("[pools.b]\n", &plain, "0 pools");
}

static void check_there_and_back(const char *before, const ProxyWish *wish, const char *after)
{
    Error error;
    json_t *change;
    char *text, *back;
    assert_int_equal(change_of(before, wish, &change, &error), 0);
    assert_int_equal(pgcat_change_text(before, change, &text, &error), 0);
    assert_string_equal(text, after);
    json_t *reversed = change_reversed(change);
    assert_int_equal(pgcat_change_text(text, reversed, &back, &error), 0);
    assert_string_equal(back, before);
    free(back);
    assert_int_equal(pgcat_change_text(before, reversed, &back, &error), -1);
    json_decref(change);
    json_decref(reversed);
    free(text);
}

static void a_change_can_be_taken_back(void **state)
{
    (void)state;
    ProxyWish wish = {.primary = primary,
                      .replicas = {replica},
                      .replica_count = 1,
                      .mirrors = {{.host = "m", .port = "3"}},
                      .mirror_count = 1,
                      .split = SPLIT_ON};
    check_there_and_back(
        "# first\n" POOL "pool_mode = \"transaction\" # mode\n" SHARD "# last", &wish,
        "# first\n[pools.app]\nquery_parser_read_write_splitting = true\nquery_parser_enabled = "
        "true\ndefault_role = \"primary\"\npool_mode = \"transaction\" # mode\n"
        "[pools.app.shards.0]\nmirrors = [[\"m\", 3, 0]]\ndatabase = \"app\"\n"
        "servers = [[\"p\", 1, \"primary\"], [\"r\", 2, \"replica\"]]\n# last");
}

static void what_is_not_named_goes(void **state)
{
    (void)state;
    ProxyWish wish = {.primary = primary, .split = SPLIT_OFF};
    check_there_and_back(
        POOL "default_role = \"primary\"\nquery_parser_enabled = true\n"
             "query_parser_read_write_splitting = true # reads\n"
             "[pools.app.shards.0]\nservers = [[\"p\", 1, \"primary\"], [\"r\", 2, \"replica\"]]\n"
             "database = \"app\"\n",
        &wish,
        POOL "default_role = \"primary\"\nquery_parser_enabled = true\n"
             "query_parser_read_write_splitting = false # reads\n"
             "[pools.app.shards.0]\nservers = [[\"p\", 1, \"primary\"]]\ndatabase = \"app\"\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_grow),
        cmocka_unit_test(lists_shrink),
        cmocka_unit_test(entries_change_where_they_stand),
        cmocka_unit_test(what_is_no_list_is_refused),
        cmocka_unit_test(what_leads_writes_astray_is_refused),
        cmocka_unit_test(a_change_can_be_taken_back),
        cmocka_unit_test(what_is_not_named_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
