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

static void a_name_is_given_at_the_second_use(void **state)
{
    (void)state;
    World world;
    open_world(&world);
    CachedStatement first = use(&world, 1, true), second = use(&world, 1, true), third = use(&world, 1, true);
    assert_string_equal(first.name, "");
    assert_true(first.fresh);
    assert_string_equal(second.name, "p1");
    assert_true(second.fresh);
    assert_string_equal(third.name, "p1");
    assert_false(third.fresh);
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
    assert_string_equal(cache_use(world.cache, &world.relation, &one).name, "p1");
    cache_free(world.cache);
}

/* However many a round trip made, it ends with no more than the limit. */
static void all_above_the_limit_are_closed_at_once(void **state)
{
    (void)state;
    World world;
    open_world(&world);
    for (int pass = 0; pass < 2; pass++) {
        for (uint64_t table = 0; table < 5 * NAMED; table++) {
            use(&world, table, true);
        }
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
        use(&world, table, true);
        use(&world, table, true);
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
        cmocka_unit_test(a_name_is_given_at_the_second_use),
        cmocka_unit_test(shapes_and_relations_have_their_own),
        cmocka_unit_test(all_above_the_limit_are_closed_at_once),
        cmocka_unit_test(the_least_recently_used_is_closed_first),
        cmocka_unit_test(what_is_used_once_is_forgotten),
        cmocka_unit_test(unconfirmed_names_are_prepared_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
