/*
 * The one call to a server, against a server that does as a script says: it answers late, or never, or only once it is asked
 * to cancel.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "clock.h"
#include "local_server.h"
#include "query.h"

#define LIMIT_MS 200
#define MESSAGE(text)                                                                                        \
    {                                                                                                        \
        text, sizeof text - 1                                                                                \
    }

/* What the server says, byte for byte. */
typedef struct Message {
    const char *bytes;
    size_t size;
} Message;

static const Message done = MESSAGE("C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I");
static const Message cancelled = MESSAGE("E\0\0\0\x1eSERROR\0C57014\0Mcancelled\0\0Z\0\0\0\x05I");
static const Message refused = MESSAGE("E\0\0\0\x1bSERROR\0C42601\0Msyntax\0\0Z\0\0\0\x05I");
static const Message ended = MESSAGE("E\0\0\0\x1aSFATAL\0C57P01\0Mgoing\0\0");

static const Message prepared = MESSAGE("1\0\0\0\x04Z\0\0\0\x05I");
static const Message executed = MESSAGE("2\0\0\0\x04n\0\0\0\x04"
                                        "C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I");

#define FURTHER 2

/*
 * The first answer comes at once, and what is further said, each when the client has asked once more; the last one when the
 * client asks to cancel. Without bytes: not at all.
 */
typedef struct Script {
    Message answer, further[FURTHER], when_cancelled;
    bool hang_up;
    bool keep_request; /* it answers, but has not yet done what the request to cancel asks for */
} Script;

typedef struct Server {
    Script script;
    LocalServer local;
    int client, request;
    pthread_t thread;
    Database *database;
    char asked[FURTHER + 2]; /* the kind of the first message of each question */
} Server;

static bool answer_further(Server *server)
{
    char heard[1024];
    for (int i = 0; i < FURTHER && server->script.further[i].size > 0; i++) {
        const Message *say = &server->script.further[i];
        if (read(server->client, heard, sizeof heard) <= 0) {
            return false;
        }
        server->asked[1 + i] = heard[0];
        if (write(server->client, say->bytes, say->size) != (ssize_t)say->size) {
            return false;
        }
    }
    return true;
}

static void *serve(void *argument)
{
    static const char welcome[] = "R\0\0\0\x08\0\0\0\0K\0\0\0\x0c\0\0\0\x07\0\0\0\x09Z\0\0\0\x05I";
    Server *server = argument;
    char heard[1024];
    server->client = accept(server->local.listener, NULL, NULL);
    if (read(server->client, heard, sizeof heard) <= 0 ||
        write(server->client, welcome, sizeof welcome - 1) != sizeof welcome - 1 ||
        read(server->client, heard, sizeof heard) <= 0) {
        return NULL;
    }
    server->asked[0] = heard[0];
    const Message *say = &server->script.answer;
    if (say->size > 0 && write(server->client, say->bytes, say->size) != (ssize_t)say->size) {
        return NULL;
    }
    if (!answer_further(server)) {
        return NULL;
    }
    if (server->script.hang_up) {
        shutdown(server->client, SHUT_RDWR);
    }
    say = &server->script.when_cancelled;
    if (say->size == 0) {
        return argument;
    }
    int other = accept(server->local.listener, NULL, NULL);
    bool said = read(other, heard, sizeof heard) == 16 &&
                write(server->client, say->bytes, say->size) == (ssize_t)say->size;
    if (server->script.keep_request) {
        server->request = other;
    } else {
        close(other);
    }
    return said ? argument : NULL;
}

static void start(Server *server, Script script)
{
    Error error;
    *server = (Server){.script = script, .client = -1, .request = -1};
    local_server_open(&server->local);
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
    assert_int_equal(database_connect(server->local.uri, DATABASE_PROXY, "test", &server->database, &error),
                     0);
}

static void end(Server *server)
{
    void *well;
    database_close(server->database);
    assert_int_equal(pthread_join(server->thread, &well), 0);
    assert_non_null(well);
    close(server->client);
    close(server->request);
    local_server_close(&server->local);
}

static bool lost(const Server *server)
{
    return PQstatus(database_connection(server->database)) == CONNECTION_BAD;
}

static int ask(Server *server, QueryLimits limits, Error *error)
{
    Query query = {.sql = "ALTER  ROLE app\n PASSWORD 's3cret'", .limits = limits};
    *error = (Error){.code = ERROR_NONE};
    return query_run(server->database, &query, NULL, error);
}

static bool at_once(void)
{
    return true;
}

static bool asked_a_second_time(void)
{
    static int looks;
    return ++looks > 1;
}

static void server_that_hangs_is_given_up_at_the_deadline(void **state)
{
    (void)state;
    Server server;
    Error error;
    start(&server, (Script){.hang_up = false});
    int64_t began = clock_ms();
    assert_int_equal(ask(&server, query_within(LIMIT_MS), &error), -1);
    assert_in_range(clock_ms() - began, LIMIT_MS, 10000);
    assert_int_equal(error.code, ERROR_LIMIT);
    assert_non_null(strstr(error.message, "ALTER ROLE app PASSWORD …"));
    assert_null(strstr(error.message, "s3cret"));
    assert_true(lost(&server));
    assert_int_equal(ask(&server, (QueryLimits){0}, &error), -1);
    assert_int_equal(error.code, ERROR_CONNECTION);
    end(&server);
}

static void limits_of_the_database_hold_for_every_call(void **state)
{
    (void)state;
    Server server;
    Error error;
    start(&server, (Script){.hang_up = false});
    database_limit(server.database, query_within(LIMIT_MS));
    assert_int_equal(database_execute(server.database, &error, "SELECT 1", 0), -1);
    assert_int_equal(error.code, ERROR_LIMIT);
    end(&server);
}

static void statement_that_is_cancelled_leaves_the_connection(void **state)
{
    (void)state;
    Server server;
    Error error;
    start(&server, (Script){.when_cancelled = cancelled});
    assert_int_equal(ask(&server, query_within(LIMIT_MS), &error), -1);
    assert_int_equal(error.code, ERROR_LIMIT);
    assert_non_null(strstr(error.message, "not done within "));
    assert_false(lost(&server));
    end(&server);
}

static void statement_that_was_done_before_the_cancellation_is_a_success(void **state)
{
    (void)state;
    Server server;
    Error error;
    start(&server, (Script){.when_cancelled = done});
    assert_int_equal(ask(&server, query_within(LIMIT_MS), &error), 0);
    assert_false(lost(&server));
    end(&server);
}

/* It would hit whatever is sent next. */
static void connection_is_not_used_while_a_cancellation_is_on_its_way(void **state)
{
    (void)state;
    Server server;
    Error error;
    start(&server, (Script){.when_cancelled = done, .keep_request = true});
    assert_int_equal(ask(&server, query_within(LIMIT_MS), &error), 0);
    assert_true(lost(&server));
    end(&server);
    start(&server, (Script){.when_cancelled = cancelled, .keep_request = true});
    assert_int_equal(ask(&server, query_within(LIMIT_MS), &error), -1);
    assert_int_equal(error.code, ERROR_LIMIT);
    assert_true(lost(&server));
    end(&server);
}

static void operator_ends_a_call(void **state)
{
    (void)state;
    Server server;
    Error error;
    start(&server, (Script){.when_cancelled = cancelled});
    assert_int_equal(ask(&server, (QueryLimits){.stop = at_once}, &error), -1);
    assert_int_equal(error.code, ERROR_INTERRUPTED);
    assert_int_equal(ask(&server, (QueryLimits){.stop = asked_a_second_time}, &error), -1);
    assert_int_equal(error.code, ERROR_INTERRUPTED);
    assert_false(lost(&server));
    end(&server);
}

static void deadline_that_has_passed_sends_nothing(void **state)
{
    (void)state;
    Server server;
    Error error;
    start(&server, (Script){.answer = done});
    assert_int_equal(ask(&server, query_within(0), &error), -1);
    assert_int_equal(error.code, ERROR_LIMIT);
    assert_int_equal(ask(&server, query_within(10000), &error), 0);
    end(&server);
}

static void errors_of_the_server_keep_their_class(void **state)
{
    (void)state;
    Server server;
    Error error;
    start(&server, (Script){.answer = refused});
    assert_int_equal(ask(&server, query_within(10000), &error), -1);
    assert_int_equal(error.code, ERROR_PROXY);
    assert_string_equal(error.sqlstate, "42601");
    assert_false(lost(&server));
    end(&server);
    start(&server, (Script){.answer = ended, .hang_up = true});
    assert_int_equal(ask(&server, query_within(10000), &error), -1);
    assert_int_equal(error.code, ERROR_CONNECTION);
    assert_string_equal(error.sqlstate, "57P01");
    end(&server);
}

static void statement_that_is_asked_often_is_prepared_once(void **state)
{
    (void)state;
    Server server;
    Error error;
    const Query query = {.sql = "SELECT 1", .often = true, .limits = query_within(10000)};
    start(&server, (Script){.answer = prepared, .further = {executed, executed}});
    assert_int_equal(query_run(server.database, &query, NULL, &error), 0);
    assert_int_equal(query_run(server.database, &query, NULL, &error), 0);
    assert_string_equal(server.asked, "PBB");
    end(&server);
}

/* Its name is not used again: the server may have prepared it all the same. */
static void statement_that_cannot_be_prepared_is_an_error(void **state)
{
    (void)state;
    Server server;
    Error error;
    const Query query = {.sql = "SELECT 1", .often = true, .limits = query_within(10000)};
    start(&server, (Script){.answer = refused, .further = {prepared, executed}});
    assert_int_equal(query_run(server.database, &query, NULL, &error), -1);
    assert_string_equal(error.sqlstate, "42601");
    assert_int_equal(query_run(server.database, &query, NULL, &error), 0);
    assert_string_equal(server.asked, "PPB");
    end(&server);
}

static void server_that_lets_nobody_in_is_not_waited_for(void **state)
{
    (void)state;
    LocalServer local;
    Database *database;
    Error error;
    local_server_open(&local);
    assert_int_equal(database_connect_within(local.uri, DATABASE_SOURCE, "test", query_within(LIMIT_MS),
                                             &database, &error),
                     -1);
    assert_int_equal(error.code, ERROR_CONNECTION);
    assert_int_equal(database_connect_within(local.uri, DATABASE_SOURCE, "test",
                                             (QueryLimits){.stop = at_once}, &database, &error),
                     -1);
    assert_int_equal(error.code, ERROR_INTERRUPTED);
    local_server_close(&local);
}

static void what_ends_first_ends_it(void **state)
{
    (void)state;
    QueryLimits none = {0}, soon = {.deadline = 5}, late = {.deadline = 9, .stop = at_once};
    assert_int_equal(query_sooner(none, none).deadline, 0);
    assert_int_equal(query_sooner(none, late).deadline, 9);
    assert_int_equal(query_sooner(late, none).deadline, 9);
    assert_int_equal(query_sooner(soon, late).deadline, 5);
    assert_int_equal(query_sooner(late, soon).deadline, 5);
    assert_ptr_equal(query_sooner(soon, late).stop, at_once);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(server_that_hangs_is_given_up_at_the_deadline),
        cmocka_unit_test(limits_of_the_database_hold_for_every_call),
        cmocka_unit_test(statement_that_is_cancelled_leaves_the_connection),
        cmocka_unit_test(statement_that_was_done_before_the_cancellation_is_a_success),
        cmocka_unit_test(connection_is_not_used_while_a_cancellation_is_on_its_way),
        cmocka_unit_test(operator_ends_a_call),
        cmocka_unit_test(deadline_that_has_passed_sends_nothing),
        cmocka_unit_test(errors_of_the_server_keep_their_class),
        cmocka_unit_test(statement_that_is_asked_often_is_prepared_once),
        cmocka_unit_test(statement_that_cannot_be_prepared_is_an_error),
        cmocka_unit_test(server_that_lets_nobody_in_is_not_waited_for),
        cmocka_unit_test(what_ends_first_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
