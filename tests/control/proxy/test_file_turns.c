/*
 * Who shares a file waits, by whatever name he knows it, in whatever process; who shares none does not. Nothing is left behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "clock.h"
#include "file_turns.h"

#define LIMIT_MS 20000

static char folder[] = "/tmp/penstock-turns.XXXXXX";
static char file[64], way[64], other[64], lock[96];

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    snprintf(file, sizeof file, "%s/shared.ini", folder);
    snprintf(way, sizeof way, "%s/way.ini", folder);
    snprintf(other, sizeof other, "%s/other.ini", folder);
    snprintf(lock, sizeof lock, "%s.penstock-lock", file);
    fclose(fopen(file, "w"));
    return symlink(file, way);
}

/* A lock that stays would keep the folder. */
static int remove_folder(void **state)
{
    (void)state;
    unlink(way);
    unlink(file);
    return rmdir(folder);
}

static FileTurn *take(const char *one, const char *two)
{
    const char *const paths[] = {one, two};
    FileTurn *turn;
    Error error;
    assert_int_equal(file_turn_take(paths, two != NULL ? 2 : 1, LIMIT_MS, NULL, &turn, &error), 0);
    return turn;
}

static void strangers_do_not_wait(void **state)
{
    (void)state;
    FileTurn *one = take(file, way); /* the same twice, which is one */
    FileTurn *stranger = take(other, NULL);
    file_turn_give(one);
    file_turn_give(take(way, NULL));
    file_turn_give(stranger);
    file_turn_give(NULL);
}

static bool at_once(void)
{
    return true;
}

static void a_wait_has_an_end(void **state)
{
    (void)state;
    const char *const paths[] = {other, way};
    char own[32];
    FileTurn *turn = take(file, NULL), *none;
    Error error;
    snprintf(own, sizeof own, "process %d ", (int)getpid());
    assert_int_equal(file_turn_take(paths, 2, 30, NULL, &none, &error), -1);
    assert_int_equal(error.code, ERROR_LIMIT);
    assert_null(none);
    assert_non_null(strstr(error.message, own));
    assert_non_null(strstr(error.message, lock));
    assert_int_equal(file_turn_take(paths, 2, LIMIT_MS, at_once, &none, &error), -1);
    assert_int_equal(error.code, ERROR_INTERRUPTED);
    file_turn_give(take(other, NULL)); /* what had been taken of them was given back */
    file_turn_give(turn);
}

/* A process that has the turn until it is killed. */
static pid_t start_owner(void)
{
    int ready[2];
    char byte = 0;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        FileTurn *turn;
        Error error;
        const char *const paths[] = {file};
        int status = file_turn_take(paths, 1, LIMIT_MS, NULL, &turn, &error);
        byte = status == 0 ? '+' : '-';
        (void)!write(ready[1], &byte, 1);
        pause();
        _exit(1);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, '+');
    close(ready[0]);
    close(ready[1]);
    return pid;
}

static void another_process_has_it_while_it_lives(void **state)
{
    (void)state;
    const char *const paths[] = {file};
    FileTurn *turn;
    Error error;
    pid_t pid = start_owner();
    assert_int_equal(file_turn_take(paths, 1, 30, NULL, &turn, &error), -1);
    assert_int_equal(error.code, ERROR_LIMIT);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_int_equal(access(lock, F_OK), 0); /* left by it, and no hindrance */
    file_turn_give(take(file, NULL));
    assert_int_equal(access(lock, F_OK), -1);
}

static void a_closed_folder_has_no_lock(void **state)
{
    (void)state;
    const char *const paths[] = {"/nowhere/at/all.ini"};
    FileTurn *turn;
    Error error;
    assert_int_equal(file_turn_take(paths, 1, LIMIT_MS, NULL, &turn, &error), 0);
    file_turn_give(turn);
}

#define ROUNDS 200
#define PARTIES 4

typedef struct Party {
    const char *paths[2];
    atomic_int *inside, *clashes;
} Party;

static void *take_turns(void *argument)
{
    Party *party = argument;
    for (int i = 0; i < ROUNDS; i++) {
        FileTurn *turn;
        Error error;
        if (file_turn_take(party->paths, 2, LIMIT_MS, NULL, &turn, &error) != 0) {
            atomic_fetch_add(party->clashes, 1);
            continue;
        }
        if (atomic_fetch_add(party->inside, 1) != 0) {
            atomic_fetch_add(party->clashes, 1);
        }
        sched_yield();
        atomic_fetch_sub(party->inside, 1);
        file_turn_give(turn);
    }
    return NULL;
}

/* Two ways to one file, and orders that would lock each other out; each turn makes the lock anew. */
static void who_shares_a_file_takes_turns(void **state)
{
    (void)state;
    atomic_int inside = 0, clashes = 0;
    Party parties[PARTIES] = {{{file, other}, &inside, &clashes},
                              {{other, way}, &inside, &clashes},
                              {{way, other}, &inside, &clashes},
                              {{other, file}, &inside, &clashes}};
    pthread_t threads[PARTIES];
    for (int i = 0; i < PARTIES; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, take_turns, &parties[i]), 0);
    }
    for (int i = 0; i < PARTIES; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(clashes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strangers_do_not_wait),
        cmocka_unit_test(a_wait_has_an_end),
        cmocka_unit_test(another_process_has_it_while_it_lives),
        cmocka_unit_test(a_closed_folder_has_no_lock),
        cmocka_unit_test(who_shares_a_file_takes_turns),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
