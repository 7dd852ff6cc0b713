/*
 * The receiver against a source that says whatever a test wants it to say.
 */
#include <endian.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "stand_in.h"

typedef struct Fixture {
    StandIn source;
    char uri[128];
    ReceiverOptions options;
    Receiver *receiver;
    Error error;
} Fixture;

static int set_up(void **state)
{
    Fixture *fixture = calloc(1, sizeof *fixture);
    fixture->source = (StandIn){.system = "77",
                                .database = "db",
                                .timeline = "1",
                                .end = "0/1000",
                                .plugin = "penstock",
                                .confirmed = "0/1000"};
    stand_in_start(&fixture->source, fixture->uri);
    fixture->options = (ReceiverOptions){.source = fixture->uri,
                                         .slot = "a \"slot\"",
                                         .system = "77",
                                         .database = "db",
                                         .on_undecodable = "error",
                                         .timeline = 1,
                                         .safe = 0x1000,
                                         .start = 0x900,
                                         .interrupt_fd = -1};
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *fixture = *state;
    receiver_close(fixture->receiver);
    stand_in_stop(&fixture->source);
    free(fixture);
    return 0;
}

static void open_stream(Fixture *fixture)
{
    if (stand_in_open(&fixture->source, &fixture->options, &fixture->receiver, &fixture->error) != 0) {
        fail_msg("%s", fixture->error.message);
    }
}

static void assert_refused(Fixture *fixture, ErrorCode code, const char *message, const char *hint)
{
    assert_int_equal(stand_in_open(&fixture->source, &fixture->options, &fixture->receiver, &fixture->error),
                     -1);
    assert_null(fixture->receiver);
    assert_int_equal(fixture->error.code, code);
    assert_non_null(strstr(fixture->error.message, message));
    assert_non_null(strstr(fixture->error.hint, hint));
}

/* The next message: one that has been read, or what comes of waiting for the source once. */
static int next(Fixture *fixture, Received *out)
{
    struct pollfd descriptor = {.fd = receiver_socket(fixture->receiver), .events = POLLIN};
    bool more;
    if (receiver_next(fixture->receiver, out, &fixture->error) != 0) {
        return -1;
    }
    if (out->kind != RECEIVED_NOTHING) {
        return 0;
    }
    poll(&descriptor, 1, -1);
    return receiver_read(fixture->receiver, &more, &fixture->error) != 0
               ? -1
               : receiver_next(fixture->receiver, out, &fixture->error);
}

static void stream_is_asked_for_where_it_should_begin(void **state)
{
    Fixture *fixture = *state;
    open_stream(fixture);
    assert_non_null(strstr(fixture->source.command,
                           "START_REPLICATION SLOT \"a \"\"slot\"\"\" LOGICAL 0/900 (\"wire_version\" '2'"));
    assert_int_equal(receiver_confirmed(fixture->receiver), 0x1000);
    assert_int_equal(receiver_timeline(fixture->receiver), 1);
}

static void another_server_is_refused(void **state)
{
    Fixture *fixture = *state;
    fixture->options.system = "78";
    assert_refused(fixture, ERROR_STATE, "its system identifier is 77", "--source");
}

static void wrong_database_is_refused(void **state)
{
    Fixture *fixture = *state;
    fixture->options.database = "other";
    assert_refused(fixture, ERROR_STATE, "leads to database \"db\", the migration is of \"other\"",
                   "--source");
}

static void source_that_ends_before_what_the_target_has_is_refused(void **state)
{
    Fixture *fixture = *state;
    fixture->options.known = 0x1001;
    assert_refused(fixture, ERROR_STATE,
                   "WAL ends at 0/1000, before 0/1001, up to where the target may have its changes",
                   "penstock copy again");
}

static void source_that_ends_where_the_target_is_is_read(void **state)
{
    Fixture *fixture = *state;
    fixture->options.known = 0x1000;
    open_stream(fixture);
}

static void stream_starts_at_the_slot_or_where_it_was_asked_to(void **state)
{
    Fixture *fixture = *state;
    open_stream(fixture);
    assert_int_equal(receiver_start(fixture->receiver), 0x1000);
}

static void promote(Fixture *fixture, const char *history)
{
    fixture->source.timeline = "3";
    fixture->source.history = history;
    fixture->options.known = 0x1100;
}

static void timeline_from_elsewhere_is_refused(void **state)
{
    Fixture *fixture = *state;
    promote(fixture, "2\t0/2000\tno recovery target specified\n");
    assert_refused(fixture, ERROR_STATE, "on timeline 1: the one does not go on from the other",
                   "penstock copy again");
}

static void timeline_that_lacks_changes_of_the_target_is_refused(void **state)
{
    Fixture *fixture = *state;
    promote(fixture, "# a comment\n1\t0/10FF\treason\n\n2\t0/2000\treason\n");
    assert_refused(fixture, ERROR_STATE,
                   "left the other at 0/10FF, and the target may have changes up to 0/1100",
                   "let --source lead to it");
}

static void timeline_that_goes_on_behind_the_target_is_read(void **state)
{
    Fixture *fixture = *state;
    promote(fixture, "1\t0/1100\treason\n2\t0/2000\treason\n");
    open_stream(fixture);
    assert_int_equal(receiver_timeline(fixture->receiver), 3);
}

static void slot_that_a_promotion_lost_is_refused(void **state)
{
    Fixture *fixture = *state;
    promote(fixture, "1\t0/1100\treason\n2\t0/2000\treason\n");
    fixture->source.plugin = NULL;
    assert_refused(fixture, ERROR_STATE,
                   "a standby was promoted (it is on timeline 3, the migration on timeline 1)",
                   "penstock copy again");
}

static void own_lost_connection_is_asked_to_end(void **state)
{
    Fixture *fixture = *state;
    fixture->source.active = 1000;
    fixture->options.earlier_session = 4711;
    fixture->options.slot_wait_ms = 60000;
    open_stream(fixture);
}

static void missing_slot_is_refused(void **state)
{
    Fixture *fixture = *state;
    fixture->source.plugin = NULL;
    assert_refused(fixture, ERROR_STATE, "the source has no replication slot \"a \"slot\"\"",
                   "penstock copy again");
}

static void slot_of_another_plugin_is_refused(void **state)
{
    Fixture *fixture = *state;
    fixture->source.plugin = "pgoutput";
    assert_refused(fixture, ERROR_STATE, "belongs to the output plugin \"pgoutput\"", "penstock copy again");
}

static void slot_past_the_target_is_refused(void **state)
{
    Fixture *fixture = *state;
    fixture->options.safe = 0xfff;
    assert_refused(fixture, ERROR_STATE, "stands at 0/1000, past 0/FFF", "penstock copy again");
}

static void slot_in_use_is_waited_for(void **state)
{
    Fixture *fixture = *state;
    fixture->source.active = 2;
    fixture->options.slot_wait_ms = 1000;
    open_stream(fixture);
    assert_int_equal(fixture->source.active, -1);
}

static void slot_that_stays_in_use_names_its_process(void **state)
{
    Fixture *fixture = *state;
    fixture->source.active = 100;
    fixture->options.slot_wait_ms = 100;
    assert_refused(fixture, ERROR_STATE, "is read by process 4711", "pg_terminate_backend(4711)");
}

static void waiting_ends_when_asked(void **state)
{
    Fixture *fixture = *state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    fixture->source.active = 100;
    fixture->options.slot_wait_ms = 60000;
    fixture->options.interrupt_fd = ends[0];
    assert_refused(fixture, ERROR_INTERRUPTED, "stopped while waiting", "");
    close(ends[0]);
    close(ends[1]);
}

static void messages_come_as_they_were_sent(void **state)
{
    Fixture *fixture = *state;
    Received received;
    open_stream(fixture);
    stand_in_send(&fixture->source, "w1234567812345678........a\0b", 28);
    stand_in_send(&fixture->source, "k\0\0\0\1\0\0\0\2\0\0\0\0\0\0\0\0\1", 18);
    assert_int_equal(next(fixture, &received), 0);
    assert_int_equal(received.kind, RECEIVED_DATA);
    assert_int_equal(received.data.size, 3);
    assert_memory_equal(received.data.data, "a\0b", 3);
    assert_int_equal(next(fixture, &received), 0);
    assert_int_equal(received.kind, RECEIVED_KEEPALIVE);
    assert_true(received.wal_end == 0x100000002);
    assert_true(received.reply_requested);
    assert_int_equal(receiver_next(fixture->receiver, &received, &fixture->error), 0);
    assert_int_equal(received.kind, RECEIVED_NOTHING);
}

static void part_of_a_message_is_nothing_yet(void **state)
{
    Fixture *fixture = *state;
    static const char message[] = "w1234567812345678........payload";
    Received received;
    open_stream(fixture);
    stand_in_send_part(&fixture->source, message, 32, 0, 10);
    assert_int_equal(next(fixture, &received), 0);
    assert_int_equal(received.kind, RECEIVED_NOTHING);
    stand_in_send_part(&fixture->source, message, 32, 10, 32);
    assert_int_equal(next(fixture, &received), 0);
    assert_int_equal(received.kind, RECEIVED_DATA);
    assert_memory_equal(received.data.data, "payload", 7);
}

static void other_messages_are_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *message;
    } cases[] = {
        {"x", 1, "1 bytes that starts with byte 120"},
        {"w1234567812345678.......", 24, "24 bytes that starts with byte 119"},
        {"k1234567812345678", 17, "17 bytes that starts with byte 107"},
        {"k1234567812345678..", 19, "19 bytes that starts with byte 107"},
    };
    Fixture *fixture = *state;
    Received received;
    open_stream(fixture);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        stand_in_send(&fixture->source, cases[i].bytes, cases[i].size);
        assert_int_equal(next(fixture, &received), -1);
        assert_int_equal(fixture->error.code, ERROR_PROTOCOL);
        assert_non_null(strstr(fixture->error.message, cases[i].message));
    }
}

static uint64_t number(const char *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return be64toh(value);
}

static void send_status(Fixture *fixture, Lsn written, Lsn durable, bool reply, char out[64])
{
    bool pending;
    assert_int_equal(receiver_send_status(fixture->receiver, written, durable, reply, &fixture->error), 0);
    assert_int_equal(receiver_flush(fixture->receiver, &pending, &fixture->error), 0);
    assert_false(pending);
    assert_int_equal(stand_in_read(&fixture->source, out, 64), 34);
    assert_int_equal(out[0], 'r');
    assert_int_equal(out[33], reply);
}

/* What the source may forget is the second and third position; the first is never below them. */
static void status_says_what_is_durable(void **state)
{
    Fixture *fixture = *state;
    char status[64];
    open_stream(fixture);
    send_status(fixture, 0x500000000, 0x100000002, false, status);
    assert_true(number(status + 1) == 0x500000000);
    assert_true(number(status + 9) == 0x100000002 && number(status + 17) == 0x100000002);
    send_status(fixture, 5, 9, true, status);
    assert_true(number(status + 1) == 9 && number(status + 9) == 9 && number(status + 17) == 9);
}

static void lost_connection_may_be_made_again(void **state)
{
    Fixture *fixture = *state;
    Received received;
    open_stream(fixture);
    stand_in_send_part(&fixture->source, "w1234567812345678........payload", 32, 0, 20);
    close(fixture->source.connection);
    fixture->source.connection = -1;
    int status = 0;
    for (int i = 0; i < 3 && status == 0; i++) {
        status = next(fixture, &received);
        assert_true(status != 0 || received.kind == RECEIVED_NOTHING);
    }
    assert_int_equal(status, -1);
    assert_true(error_is_retryable(&fixture->error));
    /* libpq has closed its descriptor by now, and whoever comes next gets its number; the one that is polled is ours. */
    int socket = receiver_socket(fixture->receiver), next_one = open("/dev/null", O_RDONLY);
    assert_true(socket >= 0 && fcntl(socket, F_GETFD) >= 0);
    assert_int_not_equal(socket, next_one);
    close(next_one);
}

static void errors_of_the_source_end_the_stream(void **state)
{
    Fixture *fixture = *state;
    static const char shutdown[] = "SFATAL\0C57P01\0Mterminating connection\0";
    Received received;
    open_stream(fixture);
    stand_in_say(&fixture->source, 'E', shutdown, sizeof shutdown);
    assert_int_equal(next(fixture, &received), -1);
    assert_true(error_is_retryable(&fixture->error));
    assert_string_equal(fixture->error.sqlstate, "57P01");
    assert_non_null(strstr(fixture->error.message, "the source ended the stream"));
    assert_non_null(strstr(fixture->error.message, "terminating connection"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(stream_is_asked_for_where_it_should_begin),
        CASE(another_server_is_refused),
        CASE(wrong_database_is_refused),
        CASE(source_that_ends_before_what_the_target_has_is_refused),
        CASE(source_that_ends_where_the_target_is_is_read),
        CASE(stream_starts_at_the_slot_or_where_it_was_asked_to),
        CASE(timeline_from_elsewhere_is_refused),
        CASE(timeline_that_lacks_changes_of_the_target_is_refused),
        CASE(timeline_that_goes_on_behind_the_target_is_read),
        CASE(slot_that_a_promotion_lost_is_refused),
        CASE(own_lost_connection_is_asked_to_end),
        CASE(missing_slot_is_refused),
        CASE(slot_of_another_plugin_is_refused),
        CASE(slot_past_the_target_is_refused),
        CASE(slot_in_use_is_waited_for),
        CASE(slot_that_stays_in_use_names_its_process),
        CASE(waiting_ends_when_asked),
        CASE(messages_come_as_they_were_sent),
        CASE(part_of_a_message_is_nothing_yet),
        CASE(other_messages_are_refused),
        CASE(status_says_what_is_durable),
        CASE(lost_connection_may_be_made_again),
        CASE(errors_of_the_source_end_the_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
