/*
 * One row a path. libmicrohttpd's thread calls answer() for each request; nothing here is kept between two of them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "serve.h"
#include "kinds.h"

#define MOST_CONNECTIONS 64
#define IDLE_SECONDS 30
#define MOST_TABLES 500

extern const char serve_page_html[];

struct Http {
    struct MHD_Daemon *daemon;
    Board *board;
    const HttpOptions *options;
};

typedef struct Reply {
    unsigned status;
    const char *type;
    char *text; /* the caller frees it */
} Reply;

typedef void (*Route)(Http *http, struct MHD_Connection *connection, Reply *out);

static const char *argument(struct MHD_Connection *connection, const char *name)
{
    const char *value = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, name);
    return value != NULL ? value : "";
}

static int number(struct MHD_Connection *connection, const char *name, int fallback, int most)
{
    const char *text = argument(connection, name);
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    return *text == '\0' || *end != '\0' || errno != 0 || value < 0 ? fallback
           : value > most                                           ? most
                                                                    : (int)value;
}

static void put_json(Reply *out, char *text, const Error *error)
{
    out->type = "application/json";
    if (text != NULL) {
        out->text = text;
        return;
    }
    char number[ERROR_NUMBER_SIZE];
    json_t *failure = json_pack("{s:s, s:s}", "error", error->message, "number", error_number(error, number));
    out->status = MHD_HTTP_SERVICE_UNAVAILABLE;
    out->text = failure != NULL ? json_dumps(failure, 0) : NULL;
    json_decref(failure);
}

static void page(Http *http, struct MHD_Connection *connection, Reply *out)
{
    (void)http;
    (void)connection;
    out->type = "text/html; charset=utf-8";
    out->text = strdup(serve_page_html);
}

static void status_document(Http *http, struct MHD_Connection *connection, Reply *out)
{
    bool well;
    (void)connection;
    out->type = "application/json";
    out->text = board_text(http->board, BOARD_STATUS, &well);
}

/* Whoever can read OpenMetrics says so. */
static void metrics(Http *http, struct MHD_Connection *connection, Reply *out)
{
    bool well;
    const char *accept = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Accept");
    bool open = accept != NULL && strstr(accept, "application/openmetrics-text") != NULL;
    out->type = open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                     : "text/plain; version=0.0.4; charset=utf-8";
    out->text = board_text(http->board, open ? BOARD_OPENMETRICS : BOARD_METRICS, &well);
}

static void health(Http *http, struct MHD_Connection *connection, Reply *out)
{
    bool well;
    (void)connection;
    out->text = board_text(http->board, BOARD_HEALTH, &well);
    out->status = well ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
}

static void history(Http *http, struct MHD_Connection *connection, Reply *out)
{
    Error error = {.code = ERROR_NONE};
    put_json(out, board_history(http->board, number(connection, "hours", 0, 100000), &error), &error);
}

static void tables(Http *http, struct MHD_Connection *connection, Reply *out)
{
    Error error = {.code = ERROR_NONE};
    const TablesWish wish = {
        .search = argument(connection, "search"),
        .sort = argument(connection, "sort"),
        .offset = number(connection, "offset", 0, 100000000),
        .limit = number(connection, "limit", 100, MOST_TABLES),
    };
    put_json(out, board_tables(http->board, &wish, &error), &error);
}

static void journal(Http *http, struct MHD_Connection *connection, Reply *out)
{
    Error error = {.code = ERROR_NONE};
    (void)connection;
    put_json(out, board_journal(http->board, &error), &error);
}

static const struct {
    const char *path;
    bool open; /* without the token */
    Route route;
} routes[] = {
    {"/", true, page},
    {"/healthz", true, health},
    {"/status.json", false, status_document},
    {"/metrics", false, metrics},
    {"/history.json", false, history},
    {"/tables.json", false, tables},
    {"/journal.json", false, journal},
};

/* Takes the same time wherever the first difference is. */
static bool same_secret(const char *a, const char *b)
{
    size_t length = strlen(b);
    unsigned different = strlen(a) != length;
    for (size_t i = 0; i < length && a[i] != '\0'; i++) {
        different |= (unsigned)(a[i] ^ b[i]);
    }
    return different == 0;
}

/* "name", "name:port", "[address]:port" without the port. */
static void host_of(const char *header, char *out, size_t size)
{
    const char *from = header[0] == '[' ? header + 1 : header;
    size_t length = strcspn(from, header[0] == '[' ? "]" : ":");
    snprintf(out, size, "%.*s", length < size ? (int)length : (int)size - 1, from);
}

bool http_is_local(const char *host)
{
    return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0 || strcmp(host, "localhost") == 0;
}

/* A browser on this machine may be told by a page from elsewhere to ask us under that page's name. */
static bool may_ask(const Http *http, struct MHD_Connection *connection)
{
    char host[256];
    const char *header;
    if (http->options->token == NULL) {
        header = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host");
        host_of(header != NULL ? header : "localhost", host, sizeof host);
        return http_is_local(host);
    }
    header = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization");
    return header != NULL && strncasecmp(header, "Bearer ", 7) == 0 &&
           same_secret(header + 7, http->options->token);
}

static void choose(Http *http, struct MHD_Connection *connection, const char *path, Reply *out)
{
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (strcmp(routes[i].path, path) != 0) {
            continue;
        }
        if ((http->options->token == NULL || !routes[i].open) && !may_ask(http, connection)) {
            out->status = http->options->token != NULL ? MHD_HTTP_UNAUTHORIZED : MHD_HTTP_FORBIDDEN;
            out->text = strdup(http->options->token != NULL ? "the token is missing, or is another one\n"
                                                            : "ask under a name of this machine\n");
            return;
        }
        routes[i].route(http, connection, out);
        return;
    }
    out->status = MHD_HTTP_NOT_FOUND;
    out->text = strdup(
        "there are /, /status.json, /history.json, /tables.json, /journal.json, /metrics and /healthz\n");
}

static enum MHD_Result send_reply(struct MHD_Connection *connection, Reply *reply)
{
    char *text = reply->text != NULL ? reply->text : strdup("");
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        free(text);
        return MHD_NO;
    }
    MHD_add_response_header(response, "Content-Type", reply->type);
    MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "Content-Security-Policy",
                            "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
                            "connect-src 'self'; img-src data:; frame-ancestors 'none'");
    if (reply->status == MHD_HTTP_UNAUTHORIZED) {
        MHD_add_response_header(response, "WWW-Authenticate", "Bearer");
    }
    enum MHD_Result result = MHD_queue_response(connection, reply->status, response);
    MHD_destroy_response(response);
    return result;
}

/* MHD_AccessHandlerCallback. It is called once for the headers, and for us that is all there is. */
static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *path,
                              const char *method, const char *version, const char *data, size_t *size,
                              void **state)
{
    Reply reply = {.status = MHD_HTTP_OK, .type = "text/plain; charset=utf-8"};
    (void)version;
    (void)data;
    (void)state;
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        *size = 0;
        reply.status = MHD_HTTP_METHOD_NOT_ALLOWED;
        reply.text = strdup("only GET: nothing can be changed here\n");
    } else {
        choose(context, connection, path, &reply);
    }
    return send_reply(connection, &reply);
}

int http_start(const HttpOptions *options, Board *board, Http **out, Error *error)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found = NULL;
    int status = getaddrinfo(options->host, options->port, &hints, &found);
    *out = NULL;
    if (status != 0) {
        return error_set(error, ERROR_USAGE, "cannot listen on %s:%s: %s", options->host, options->port,
                         gai_strerror(status));
    }
    Http *http = calloc(1, sizeof *http);
    if (http != NULL) {
        unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO;
        *http = (Http){.board = board, .options = options};
        http->daemon = MHD_start_daemon(
            found->ai_family == AF_INET6 ? flags | MHD_USE_IPv6 : flags, 0, NULL, NULL, answer, http,
            MHD_OPTION_SOCK_ADDR, found->ai_addr, MHD_OPTION_CONNECTION_LIMIT, (unsigned)MOST_CONNECTIONS,
            MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS, MHD_OPTION_END);
    }
    freeaddrinfo(found);
    if (http == NULL || http->daemon == NULL) {
        error_set(error, ERROR_USAGE, "cannot listen on %s:%s: %s", options->host, options->port,
                  strerror(errno));
        free(http);
        return error_hint(error, "Another program may listen there: --listen names another address or port.");
    }
    *out = http;
    return 0;
}

void http_stop(Http *http)
{
    if (http != NULL) {
        MHD_stop_daemon(http->daemon);
        free(http);
    }
}
