/*
 * What can be said of database.c without a server: classes of SQLSTATEs, connection strings without their
 * secrets, quoting, and connections that cannot be made.
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

#include "database.h"
#include "local_server.h"

static void sqlstates_have_classes(void **state)
{
    (void)state;
    static const struct {
        const char *sqlstate;
        ErrorCode code; /* ERROR_NONE: the end's own */
    } cases[] = {
        {"40001", ERROR_TRANSIENT},
        {"40P01", ERROR_TRANSIENT},
        {"40002", ERROR_NONE},
        {"55P03", ERROR_TRANSIENT},
        {"55006", ERROR_NONE},
        {"57P01", ERROR_TRANSIENT},
        {"57P02", ERROR_TRANSIENT},
        {"57P03", ERROR_TRANSIENT},
        {"57P04", ERROR_NONE},
        {"57014", ERROR_NONE},
        {"53100", ERROR_TRANSIENT},
        {"53300", ERROR_TRANSIENT},
        {"08000", ERROR_CONNECTION},
        {"08006", ERROR_CONNECTION},
        {"08P01", ERROR_CONNECTION},
        {"28P01", ERROR_NONE},
        {"42P01", ERROR_NONE},
        {"23505", ERROR_NONE},
        {"", ERROR_NONE},
        {NULL, ERROR_NONE},
    };
    static const ErrorCode ends[] = {
        [DATABASE_SOURCE] = ERROR_SOURCE, [DATABASE_TARGET] = ERROR_TARGET, [DATABASE_PROXY] = ERROR_PROXY};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (DatabaseEnd end = DATABASE_SOURCE; end <= DATABASE_PROXY; end++) {
            ErrorCode expected = cases[i].code != ERROR_NONE ? cases[i].code : ends[end];
            assert_int_equal(database_error_code(cases[i].sqlstate, end), expected);
        }
    }
}

static void passwords_are_left_out(void **state)
{
    (void)state;
    static const struct {
        const char *uri;
        const char *shown;
    } cases[] = {
        {"postgresql://app:s3cret@db.example:5433/shop", "user=app dbname=shop host=db.example port=5433"},
        {"postgres://app@db/shop?password=s3cret&sslmode=require",
         "user=app dbname=shop host=db sslmode=require"},
        {"host=db user=app password='s3cret with spaces'", "user=app host=db"},
        {"host=db sslpassword=s3cret password=s3cret", "host=db"},
        {"postgresql://app:s3cret%40x@db/with%20space", "user=app dbname='with space' host=db"},
        {"dbname='it\\'s' password=s3cret", "dbname='it\\'s'"},
        {"", ""},
        {NULL, ""},
        {"postgresql://app:s3cret@[::1/shop", "(unreadable connection string)"},
        {"password=s3cret nonsense", "(unreadable connection string)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *shown = database_redact(cases[i].uri);
        assert_string_equal(shown, cases[i].shown);
        assert_null(strstr(shown, "s3cret"));
        free(shown);
    }
}

static void replication_is_added_once(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", "replication=database"},
        {"postgresql://app:a%20b@db/shop",
         "user=app password='a b' dbname=shop host=db replication=database"},
        {"host=db replication=true", "host=db replication=database"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *conninfo = database_replication(cases[i][0]);
        assert_string_equal(conninfo, cases[i][1]);
        free(conninfo);
    }
    assert_null(database_replication("host"));
}

static void a_database_is_named_once(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"postgresql://app:a%20b@db/shop", "o'ne", "user=app password='a b' host=db dbname='o\\'ne'"},
        {"host=db", "shop", "host=db dbname=shop"},
        {"", "", "dbname=''"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *conninfo = conninfo_with_database(cases[i][0], cases[i][1]);
        assert_string_equal(conninfo, cases[i][2]);
        free(conninfo);
    }
    assert_null(conninfo_with_database("host", "shop"));
}

static void identifiers_are_quoted(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"t", "\"t\""}, {"", "\"\""}, {"Na\"me", "\"Na\"\"me\""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *quoted = database_quote(cases[i][0]);
        assert_string_equal(quoted, cases[i][1]);
        free(quoted);
    }
}

static void unreadable_uri_is_a_usage_error_without_its_secrets(void **state)
{
    (void)state;
    static const struct {
        const char *uri, *reason;
    } cases[] = {
        {"postgresql://app:s3cret@[::1/shop", "\"…\""},
        {"password=s3cret s3cret", "missing \"=\" after \"…\" in connection info string"},
        {"host=db s3cret=x", "invalid connection option \"…\""},
        {"password=s3\"cret \"s3cret\"", "missing \"=\" after \"…\""},
        {"password== \"s3cret=\"s3 x", "invalid connection option \"…\""},
        {"password=a\ns3cret\"b\ns3cret", "missing \"=\" after \"…\""},
        {"postgresql://app@db/shop?s3cret=x", "invalid URI query parameter: \"…\""},
        {"postgresql://app@db/shop?sslmode",
         "missing key/value separator \"=\" in URI query parameter: \"…\""},
        {"host='db", "unterminated quoted string in connection info string"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Database *database;
        Error error;
        assert_int_equal(database_connect(cases[i].uri, DATABASE_SOURCE, "test", &database, &error), -1);
        assert_null(database);
        assert_int_equal(error.code, ERROR_USAGE);
        if (strstr(error.message, cases[i].reason) == NULL) {
            fail_msg("%s", error.message);
        }
        assert_null(strstr(error.message, "s3"));
        assert_null(strstr(error.message, "cret"));
        assert_null(strstr(error.hint, "s3cret"));
    }
    database_close(NULL);
}

/* Not whatever answers at libpq's default socket. */
static void an_end_that_nobody_named_is_a_usage_error(void **state)
{
    (void)state;
    static const char *const uris[] = {"", NULL};
    for (size_t i = 0; i < 2; i++) {
        Database *database;
        Error error;
        assert_int_equal(database_connect(uris[i], DATABASE_TARGET, "test", &database, &error), -1);
        assert_int_equal(error.code, ERROR_USAGE);
        assert_non_null(strstr(error.hint, "--target URI"));
    }
}

static void server_that_is_not_there_is_worth_another_try(void **state)
{
    (void)state;
    Database *database;
    Error error;
    assert_int_equal(database_connect("host=/nowhere port=1 user=app password=s3cret", DATABASE_TARGET,
                                      "test", &database, &error),
                     -1);
    assert_int_equal(error.code, ERROR_CONNECTION);
    assert_true(error_is_retryable(&error));
    assert_string_equal(error.sqlstate, "");
    assert_ptr_equal(strstr(error.message, "cannot connect to the target: "), error.message);
    assert_non_null(strstr(error.hint, "--target says where"));
    assert_null(strstr(error.message, "s3cret"));
}

/* A server that lets one client in; the client's socket takes the place of the one that is given. */
static void *let_in(void *argument)
{
    static const char welcome[] = "R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";
    int *server = argument;
    char startup[1024];
    int client = accept(*server, NULL, NULL);
    bool welcomed = client >= 0 && read(client, startup, sizeof startup) > 0 &&
                    write(client, welcome, sizeof welcome - 1) == sizeof welcome - 1;
    close(*server);
    *server = client;
    return welcomed ? argument : NULL;
}

/* Listens there for one client; who lets it in closes the listener. */
static int listen_once(LocalServer *local)
{
    local_server_open(local);
    int server = local->listener;
    local->listener = -1;
    return server;
}

/* The write fails while a warning is still to be read: libpq calls such a connection good. */
static void server_that_left_with_a_warning_is_worth_another_try(void **state)
{
    (void)state;
    static const char last_words[] = "N\0\0\0\x1cSWARNING\0C57P02\0Mgoing\0\0";
    LocalServer local;
    int server = listen_once(&local);
    pthread_t thread;
    void *welcomed;
    Database *database;
    Error error;
    assert_int_equal(pthread_create(&thread, NULL, let_in, &server), 0);
    assert_int_equal(database_connect(local.uri, DATABASE_PROXY, "test", &database, &error), 0);
    assert_int_equal(pthread_join(thread, &welcomed), 0);
    assert_non_null(welcomed);
    assert_int_equal(write(server, last_words, sizeof last_words - 1), sizeof last_words - 1);
    close(server);
    assert_int_equal(database_execute(database, &error, "SELECT 1", 0), -1);
    assert_int_equal(error.code, ERROR_CONNECTION);
    database_close(database);
    local_server_close(&local);
}

/* Answers to one message; its length counts itself and what follows. */
static void answer(int client, const char *bytes, size_t size)
{
    assert_int_equal(write(client, bytes, size), (ssize_t)size);
}

static bool read_all(int client, void *out, size_t size)
{
    for (size_t got = 0; got < size;) {
        ssize_t now = read(client, (char *)out + got, size - got);
        if (now <= 0) {
            return false;
        }
        got += (size_t)now;
    }
    return true;
}

/* A walsender of 11.12: one statement in a message. *argument becomes how many it took, once the client has gone. */
static void *take_one_by_one(void *argument)
{
    static const char done[] = "C\0\0\0\x08SET\0Z\0\0\0\x05I";
    static const char refused[] = "E\0\0\0\x21SERROR\0C42601\0Msyntax error\0\0Z\0\0\0\x05I";
    int *server = argument, taken = 0;
    if (let_in(argument) == NULL) {
        return NULL;
    }
    int client = *server;
    uint8_t head[5];
    while (read_all(client, head, sizeof head) && head[0] == 'Q') {
        char text[8192];
        size_t size = (size_t)head[3] << 8 | head[4];
        assert_in_range(size - 4, 1, sizeof text);
        assert_true(read_all(client, text, size - 4));
        const char *end = strchr(text, ';');
        if (end != NULL && end[1] != '\0') {
            answer(client, refused, sizeof refused - 1);
        } else {
            taken++;
            answer(client, done, sizeof done - 1);
        }
    }
    close(client);
    *server = taken;
    return argument;
}

static void settings_go_one_by_one_where_they_have_to(void **state)
{
    (void)state;
    LocalServer local;
    int server = listen_once(&local);
    pthread_t thread;
    Database *database;
    Error error = {0};
    assert_int_equal(pthread_create(&thread, NULL, take_one_by_one, &server), 0);
    int status = database_connect(local.uri, DATABASE_SOURCE, "test", &database, &error);
    assert_string_equal(error.message, "");
    assert_int_equal(status, 0);
    database_close(database);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_in_range(server, 20, 100);
    local_server_close(&local);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sqlstates_have_classes),
        cmocka_unit_test(passwords_are_left_out),
        cmocka_unit_test(replication_is_added_once),
        cmocka_unit_test(a_database_is_named_once),
        cmocka_unit_test(identifiers_are_quoted),
        cmocka_unit_test(unreadable_uri_is_a_usage_error_without_its_secrets),
        cmocka_unit_test(an_end_that_nobody_named_is_a_usage_error),
        cmocka_unit_test(server_that_is_not_there_is_worth_another_try),
        cmocka_unit_test(server_that_left_with_a_warning_is_worth_another_try),
        cmocka_unit_test(settings_go_one_by_one_where_they_have_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
