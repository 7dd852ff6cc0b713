/*
 * When a session is idle, told from its bytes: whole, byte by byte, and sent ahead.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "watch.h"

/* A literal with its zeros. */
#define BYTES(text) (text), sizeof(text) - 1

#define STARTUP BYTES("\0\0\0\022\0\003\0\0user\0app\0\0")
#define AUTH_OK "R\0\0\0\010\0\0\0\0"
#define READY(state) "Z\0\0\0\005" state
#define QUERY BYTES("Q\0\0\0\007S;\0")
#define COMPLETE "C\0\0\0\010SET\0"

static void client(Watch *watch, const char *data, size_t size, size_t piece)
{
    for (size_t at = 0; at < size; at += piece) {
        watch_client(watch, data + at, piece < size - at ? piece : size - at);
    }
}

static void server(Watch *watch, const char *data, size_t size, size_t piece)
{
    for (size_t at = 0; at < size; at += piece) {
        watch_server(watch, data + at, piece < size - at ? piece : size - at);
    }
}

static Watch logged_in(size_t piece)
{
    Watch watch = {0};
    client(&watch, STARTUP, piece);
    assert_false(watch_is_idle(&watch));
    server(&watch, BYTES(AUTH_OK READY("I")), piece);
    return watch;
}

static void a_session_is_idle_between_its_queries(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 20; piece++) {
        Watch watch = logged_in(piece);
        assert_true(watch_is_idle(&watch));
        client(&watch, QUERY, piece);
        assert_false(watch_is_idle(&watch));
        server(&watch, BYTES(COMPLETE), piece);
        assert_false(watch_is_idle(&watch));
        server(&watch, BYTES(READY("I")), piece);
        assert_true(watch_is_idle(&watch));
    }
}

static void an_open_transaction_is_not_idle(void **state)
{
    (void)state;
    Watch watch = logged_in(100);
    client(&watch, QUERY, 100);
    server(&watch, BYTES(COMPLETE READY("T")), 100);
    assert_false(watch_is_idle(&watch));
    client(&watch, QUERY, 100);
    server(&watch, BYTES(READY("E")), 100);
    assert_false(watch_is_idle(&watch));
}

static void what_was_sent_ahead_is_waited_for(void **state)
{
    (void)state;
    Watch watch = logged_in(100);
    client(&watch, QUERY, 100);
    client(&watch, BYTES("P\0\0\0\010\0\0\0\0S\0\0\0\004"), 3);
    server(&watch, BYTES(READY("I")), 100);
    assert_false(watch_is_idle(&watch));
    server(&watch, BYTES("1\0\0\0\004" READY("I")), 100);
    assert_true(watch_is_idle(&watch));
}

static void half_a_message_is_not_idle(void **state)
{
    (void)state;
    Watch watch = logged_in(100);
    watch_client(&watch, "Q\0", 2);
    assert_false(watch_is_idle(&watch));
}

static void what_is_encrypted_is_never_called_idle(void **state)
{
    (void)state;
    Watch watch = {0};
    client(&watch, BYTES("\0\0\0\010\004\322\026\057"), 1);
    server(&watch, "S", 1, 1);
    server(&watch, BYTES(READY("I")), 100);
    assert_int_equal(watch.state, WATCH_OPAQUE);
    assert_false(watch_is_idle(&watch));
}

static void a_refused_encryption_is_followed(void **state)
{
    (void)state;
    Watch watch = {0};
    client(&watch, BYTES("\0\0\0\010\004\322\026\057"), 3);
    server(&watch, "N", 1, 1);
    client(&watch, STARTUP, 4);
    server(&watch, BYTES(AUTH_OK READY("I")), 2);
    assert_true(watch_is_idle(&watch));
}

static void nonsense_is_opaque(void **state)
{
    (void)state;
    Watch watch = logged_in(100);
    server(&watch, BYTES("Z\0\0\0\001I"), 100);
    assert_int_equal(watch.state, WATCH_OPAQUE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_is_idle_between_its_queries),
        cmocka_unit_test(an_open_transaction_is_not_idle),
        cmocka_unit_test(what_was_sent_ahead_is_waited_for),
        cmocka_unit_test(half_a_message_is_not_idle),
        cmocka_unit_test(what_is_encrypted_is_never_called_idle),
        cmocka_unit_test(a_refused_encryption_is_followed),
        cmocka_unit_test(nonsense_is_opaque),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
