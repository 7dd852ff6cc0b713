/*
 * Which statements get a name, and when names are let go of.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "statement_cache.h"

#define NAMED 8

typedef struct World {
    SourceRelation source;
    ApplyRelation relation;
    ColumnWord columns;
    StatementCache *cache;
    size_t closed;
    char last_closed[24];
} World;

static void open_world(World *world)
{
    *world = (World){.source = {.column_count = 1}, .columns = 1, .cache = cache_new(NAMED)};
    world->relation.source = &world->source;
}

/* Uses the insert of table number `table`; its Parse goes through when confirm is true. */
static CachedStatement use(World *world, uint64_t table, bool confirm)
{
    static const ColumnWord none = 0;
    Shape shape = {.kind = CHANGE_INSERT, .set = &world->columns, .find = &none};
    world->relation.serial = table;
    CachedStatement statement = cache_use(world->cache, &world->relation, &shape);
    if (confirm && statement.confirmed != NULL) {
        *statement.confirmed = true;
    }
    return statement;
}

static void note_closed(void *context, const char *name)
{
    World *world = context;
    world->closed++;
    strcpy(world->last_closed, name);
}

static void end_round(World *world)
{
    world->closed = 0;
    cache_end_round(world->cache, note_closed, world);
}

/* The statement is used, and comes again. */
static void use_twice(World *world, uint64_t table)
{
    use(world, table, true);
    cache_interrupt(world->cache);
    use(world, table, true);
}

static void a_name_is_given_when_it_comes_again(void **state)
{
    (void)state;
    World world;
    open_world(&world);
    CachedStatement first = use(&world, 1, true);
    use(&world, 2, true);
    CachedStatement second = use(&world, 1, true);
    use(&world, 2, true);
    CachedStatement third = use(&world, 1, true);
    assert_string_equal(first.name, "");
    assert_true(first.fresh);
    assert_string_equal(second.name, "p1");
    assert_true(second.fresh);
    assert_string_equal(third.name, "p1");
    assert_false(third.fresh);
    assert_false(third.again);
    cache_free(world.cache);
}

/* Row after row goes by what is there; BEGIN, COMMIT and the like take the unnamed statement. */
static void rows_in_a_row_share_one_parse(void **state)
{
    (void)state;
    World world;
    open_world(&world);
    use(&world, 1, true);
    CachedStatement unnamed = use(&world, 1, true);
    assert_string_equal(unnamed.name, "");
    assert_false(unnamed.fresh);
    assert_true(unnamed.again);
    cache_interrupt(world.cache);
    assert_true(use(&world, 1, true).fresh);
    CachedStatement named = use(&world, 1, true);
    assert_string_equal(named.name, "p1");
    assert_false(named.fresh);
    assert_true(named.again);
    cache_free(world.cache);
}

/* Behind an error the server did not take the Parse. */
static void a_failure_takes_the_unnamed_statement_too(void **state)
{
    (void)state;
    World world;
    open_world(&world);
    use(&world, 1, true);
    cache_forget_unconfirmed(world.cache);
    assert_true(use(&world, 1, true).fresh);
    cache_free(world.cache);
}

/* More in turn than may have a name: each would be closed before it comes again. */
static void very_many_in_turn_get_no_name(void **state)
{
    (void)state;
    World world;
    open_world(&world);
    for (int turn = 0; turn < 3; turn++) {
        for (uint64_t table = 1; table <= NAMED + 1; table++) {
            assert_string_equal(use(&world, table, true).name, "");
        }
        end_round(&world);
    }
    assert_int_equal(cache_named(world.cache), 0);
    cache_free(world.cache);
}

static void shapes_and_relations_have_their_own(void **state)
{
    (void)state;
    World world;
    open_world(&world);
    static const ColumnWord none = 0;
    Shape one = {.kind = CHANGE_INSERT, .set = &world.columns, .find = &none};
    Shape other = {.kind = CHANGE_INSERT, .single = true, .set = &world.columns, .find = &none};
    cache_use(world.cache, &world.relation, &one);
    assert_string_equal(cache_use(world.cache, &world.relation, &other).name, "");
    assert_string_equal(use(&world, 7, true).name, "");
    cache_interrupt(world.cache);
    assert_string_equal(cache_use(world.cache, &world.relation, &one).name, "p1");
    cache_free(world.cache);
}

/* However many a round trip made, it ends with no more than the limit. */
static void all_above_the_limit_are_closed_at_once(void **state)
{
    (void)state;
    World world;
    open_world(&world);
    for (uint64_t table = 0; table < 5 * NAMED; table++) {
        use_twice(&world, table);
    }
    assert_int_equal(cache_named(world.cache), 5 * NAMED);
    end_round(&world);
    assert_int_equal(cache_named(world.cache), NAMED - NAMED / 4);
    assert_int_equal(world.closed, 5 * NAMED - (NAMED - NAMED / 4));
    end_round(&world);
    assert_int_equal(world.closed, 0);
    cache_free(world.cache);
}

static void the_least_recently_used_is_closed_first(void **state)
{
    (void)state;
    World world;
    open_world(&world);
    for (uint64_t table = 0; table <= NAMED; table++) {
        use_twice(&world, table);
    }
    use(&world, 0, true);
    end_round(&world);
    assert_false(use(&world, 0, true).fresh);
    assert_true(use(&world, 1, true).fresh);
    cache_free(world.cache);
}

/* A hundred thousand tables that change once each leave nothing in the server, and not much here. */
static void what_is_used_once_is_forgotten(void **state)
{
    (void)state;
    World world;
    open_world(&world);
    for (uint64_t table = 1; table <= 100000; table++) {
        assert_string_equal(use(&world, table, true).name, "");
        if (table % 1000 == 0) {
            end_round(&world);
            assert_int_equal(world.closed, 0);
        }
    }
    assert_string_equal(use(&world, 1, true).name, "");
    assert_int_equal(cache_named(world.cache), 0);
    cache_free(world.cache);
}

static void unconfirmed_names_are_prepared_anew(void **state)
{
    (void)state;
    World world;
    open_world(&world);
    use(&world, 1, true);
    use(&world, 2, true);
    use(&world, 1, true);
    use(&world, 2, false);
    cache_forget_unconfirmed(world.cache);
    assert_false(use(&world, 1, true).fresh);
    assert_true(use(&world, 2, true).fresh);
    assert_int_equal(cache_named(world.cache), 1);
    cache_free(world.cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_given_when_it_comes_again),
        cmocka_unit_test(rows_in_a_row_share_one_parse),
        cmocka_unit_test(a_failure_takes_the_unnamed_statement_too),
        cmocka_unit_test(very_many_in_turn_get_no_name),
        cmocka_unit_test(shapes_and_relations_have_their_own),
        cmocka_unit_test(all_above_the_limit_are_closed_at_once),
        cmocka_unit_test(the_least_recently_used_is_closed_first),
        cmocka_unit_test(what_is_used_once_is_forgotten),
        cmocka_unit_test(unconfirmed_names_are_prepared_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
