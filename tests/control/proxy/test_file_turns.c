/*
 * Who shares a file waits, by whatever name he knows it; who shares none does not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "clock.h"
#include "file_turns.h"

static void strangers_do_not_wait(void **state)
{
    (void)state;
    const char *one[] = {"/tmp/one.ini", "/tmp/shared.ini"}, *other[] = {"/tmp/other.ini"};
    FileTurns *turns = file_turns_new();
    file_turns_take(turns, one, 2);
    file_turns_take(turns, other, 1); /* would wait for ever */
    file_turns_give(turns, one, 2);
    file_turns_take(turns, one, 2);
    file_turns_give(turns, other, 1);
    file_turns_give(turns, one, 2);
    file_turns_take(turns, NULL, 0);
    file_turns_give(turns, NULL, 0);
    file_turns_free(turns);
}

#define ROUNDS 200

typedef struct Party {
    FileTurns *turns;
    const char *paths[2];
    atomic_int *inside, *clashes;
} Party;

static void *take_turns(void *argument)
{
    Party *party = argument;
    for (int i = 0; i < ROUNDS; i++) {
        file_turns_take(party->turns, party->paths, 2);
        if (atomic_fetch_add(party->inside, 1) != 0) {
            atomic_fetch_add(party->clashes, 1);
        }
        sched_yield();
        atomic_fetch_sub(party->inside, 1);
        file_turns_give(party->turns, party->paths, 2);
    }
    return NULL;
}

/* Two ways to one file, and orders that would lock each other out. */
static void who_shares_a_file_takes_turns(void **state)
{
    (void)state;
    char folder[] = "/tmp/penstock-turns.XXXXXX", file[64], way[64];
    assert_non_null(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/shared.ini", folder);
    snprintf(way, sizeof way, "%s/way.ini", folder);
    fclose(fopen(file, "w"));
    assert_int_equal(symlink(file, way), 0);
    atomic_int inside = 0, clashes = 0;
    FileTurns *turns = file_turns_new();
    Party parties[] = {{turns, {file, "/a"}, &inside, &clashes}, {turns, {"/a", way}, &inside, &clashes}};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, take_turns, &parties[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(clashes, 0);
    /* And by the link alone. */
    const char *by_file[] = {file}, *by_way[] = {way, "/b"};
    file_turns_take(turns, by_file, 1);
    file_turns_give(turns, by_file, 1);
    file_turns_take(turns, by_way, 2);
    file_turns_give(turns, by_way, 2);
    file_turns_free(turns);
    unlink(way);
    unlink(file);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strangers_do_not_wait),
        cmocka_unit_test(who_shares_a_file_takes_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
