/*
 * The program at the other end must not put half a text in place because the connection broke: it is told how many bytes to
 * expect, and replaces the file only when they have all come.
 */
#include "store.h"

#include <libgen.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block.h"
#include "clock.h"
#include "file.h"
#include "program.h"
#include "text.h"

/* For ssh to reach its host; what failed after so long is not waited for as long the next time. */
#define REACH_LIMIT "ConnectTimeout=3"
#define REACH_LIMIT_MS 3000

typedef enum StoreKind { STORE_FILE, STORE_SSH, STORE_EXEC } StoreKind;

struct Store {
    StoreKind kind;
    char *name;
    char *path;     /* of FILE and ssh */
    char *command;  /* of exec */
    char host[300]; /* of ssh: [USER@]HOST */
    char port[16];  /* of ssh; "" for its own */
    AnswerLimit limit;
    int slowest_ms; /* of the calls that came to their end */
    bool silent;    /* the last one did not, in time */
};

/* ssh://[USER@]HOST[:PORT]/PATH. HOST may be an IPv6 address in brackets. */
static int read_ssh(const char *name, Store *store, Error *error)
{
    const char *at = name + strlen("ssh://");
    const char *path = strchr(at, '/');
    const char *bracket = memchr(at, ']', path != NULL ? (size_t)(path - at) : 0);
    const char *from = bracket != NULL ? bracket : at;
    const char *colon = path != NULL ? memchr(from, ':', (size_t)(path - from)) : NULL;
    const char *end = colon != NULL ? colon : path;
    if (path == NULL || end == at || *at == '-' || (size_t)(end - at) >= sizeof store->host ||
        (colon != NULL && (size_t)(path - colon - 1) >= sizeof store->port)) {
        error_set(error, ERROR_USAGE, "\"%s\" does not name a file on another host", name);
        return error_hint(error, "Write ssh://[USER@]HOST[:PORT]/PATH.");
    }
    size_t used = 0;
    for (; at < end; at++) {
        if (*at != '[' && *at != ']') {
            store->host[used++] = *at;
        }
    }
    snprintf(store->port, sizeof store->port, "%.*s", colon != NULL ? (int)(path - colon - 1) : 0,
             colon != NULL ? colon + 1 : "");
    store->path = strdup(path);
    return 0;
}

int store_open(const char *name, Store **out, Error *error)
{
    Store *store = calloc(1, sizeof *store);
    int status = 0;
    store->name = strdup(name);
    if (strncmp(name, "ssh://", 6) == 0) {
        store->kind = STORE_SSH;
        status = read_ssh(name, store, error);
    } else if (strncmp(name, "exec:", 5) == 0) {
        store->kind = STORE_EXEC;
        store->command = strdup(name + 5);
    } else {
        store->path = strdup(name);
    }
    if (status != 0) {
        store_close(store);
        store = NULL;
    }
    *out = store;
    return status;
}

void store_close(Store *store)
{
    if (store != NULL) {
        free(store->name);
        free(store->path);
        free(store->command);
        free(store);
    }
}

void store_limit(Store *store, AnswerLimit limit)
{
    store->limit = limit;
}

const char *store_name(const Store *store)
{
    return store->name;
}

const char *store_path(const Store *store)
{
    return store->kind == STORE_FILE ? store->path : NULL;
}

int store_include(const Store *store, const char *name, char **out, Error *error)
{
    if (*name == '/') {
        *out = strdup(name);
        return 0;
    }
    if (store->path == NULL || *store->path != '/') {
        error_set(error, ERROR_STATE,
                  "%s includes \"%s\", a path that depends on where PgBouncer was started", store->name,
                  name);
        return error_hint(error, "Give %%include an absolute path.");
    }
    char folder[PATH_MAX], path[PATH_MAX + 512];
    snprintf(folder, sizeof folder, "%s", store->path);
    snprintf(path, sizeof path, "%s/%s", dirname(folder), name);
    *out = strdup(path);
    return 0;
}

char *store_turn(const Store *store)
{
    char *out = NULL;
    if (store->kind == STORE_FILE) {
        return strdup(store->path);
    }
    BlockKey key = block_key('f', store->name, "");
    if (asprintf(&out, "/tmp/penstock-%s", key.text) < 0) {
        abort();
    }
    return out;
}

/* 'it'\''s': one word for a shell. The caller frees it. */
static char *shell_word(const char *text)
{
    Text out = {0};
    text_append(&out, "'");
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            text_append(&out, "'\\''");
        } else {
            text_append_bytes(&out, text, 1);
        }
    }
    text_append(&out, "'");
    return out.data;
}

/* `cp -p` gives the new file mode, owner and ACL of the old one; a file that is mounted by itself is written in place. */
static const char write_script[] =
    "set -e; f=$(readlink -f %s); cp -p \"$f\" \"$f.penstock-new\"; cat >\"$f.penstock-new\"; "
    "[ \"$(wc -c <\"$f.penstock-new\")\" -eq %zu ] || { rm -f \"$f.penstock-new\"; echo 'only a part "
    "arrived' >&2; exit 1; }; "
    "! command -v cksum >/dev/null || [ \"$(cksum <\"$f\")\" = '%s' ] || { rm -f \"$f.penstock-new\"; echo "
    "'somebody else has changed it' >&2; exit 1; }; "
    "%s"
    "mv -f \"$f.penstock-new\" \"$f\" 2>/dev/null || { cat \"$f.penstock-new\" >\"$f\"; rm -f "
    "\"$f.penstock-new\"; }; sync";

static const char keep_script[] = "cp -p \"$f\" \"$f.penstock-before\"; ";

/* A call of the program at the other end: reads when there is no input. */
typedef struct Call {
    const char *path;   /* NULL: the file itself */
    const char *before; /* what was read, and is to be replaced … */
    const char *input;  /* … by this */
    bool keep;
} Call;

/* What cksum(1) says of it, POSIX: the CRC of the bytes and of their number, and their number. */
static void checksum(const char *text, char out[40])
{
    size_t size = strlen(text);
    uint32_t crc = 0;
    for (size_t i = 0, rest = size; i < size || rest > 0; i++) {
        crc ^= (uint32_t)(i < size ? (unsigned char)text[i] : rest & 0xff) << 24;
        rest = i < size ? rest : rest >> 8;
        for (int bit = 0; bit < 8; bit++) {
            crc = crc << 1 ^ (crc & 0x80000000u ? 0x04c11db7u : 0);
        }
    }
    snprintf(out, 40, "%u %zu", (unsigned)~crc, size);
}

static int by_ssh(const Store *store, const Call *call, int limit_ms, char **out, Error *error)
{
    const char *argv[16] = {"ssh", "-o", "BatchMode=yes", "-o", REACH_LIMIT};
    size_t count = 5;
    char *script = NULL, *word = shell_word(call->path != NULL ? call->path : store->path), was[40] = "";
    if (call->input != NULL) {
        checksum(call->before, was);
    }
    int made = call->input == NULL ? asprintf(&script, "exec cat %s", word)
                                   : asprintf(&script, write_script, word, strlen(call->input), was,
                                              call->keep ? keep_script : "");
    if (made < 0) {
        abort();
    }
    if (*store->port != '\0') {
        argv[count++] = "-p";
        argv[count++] = store->port;
    }
    argv[count++] = store->host;
    argv[count++] = script;
    int status = program_run(argv, call->input, NULL, limit_ms, out, error);
    free(script);
    free(word);
    return status;
}

static int by_command(const Store *store, const Call *call, int limit_ms, char **out, Error *error)
{
    const char *input = call->input;
    char *script = NULL, bytes[48], was[64] = "PENSTOCK_CKSUM=";
    if (asprintf(&script, "%s \"$@\"", store->command) < 0) {
        abort();
    }
    snprintf(bytes, sizeof bytes, "PENSTOCK_BYTES=%zu", input != NULL ? strlen(input) : 0);
    if (input != NULL) {
        checksum(call->before, was + strlen(was));
    }
    const char *const argv[] = {"sh", "-c", script, "sh", input != NULL ? "write" : "read", call->path, NULL};
    const char *const told[] = {bytes, was, NULL};
    int status = program_run(argv, input, told, limit_ms, out, error);
    free(script);
    return status;
}

static int run_call(Store *store, const Call *call, char **out, Error *error)
{
    int limit_ms = answer_limit_ms(&store->limit, store->silent ? store->slowest_ms : -1);
    int64_t began = clock_ms();
    int status = store->kind == STORE_SSH ? by_ssh(store, call, limit_ms, out, error)
                                          : by_command(store, call, limit_ms, out, error);
    int took = (int)(clock_ms() - began);
    store->silent = status != 0 && (took >= limit_ms || took >= REACH_LIMIT_MS);
    store->slowest_ms = status == 0 && took > store->slowest_ms ? took : store->slowest_ms;
    return status == 0 ? 0
                       : error_context(error, "%s \"%s\"%s%s", call->input != NULL ? "replacing" : "reading",
                                       store->name, call->path != NULL ? ", of it " : "",
                                       call->path != NULL ? call->path : "");
}

int store_read(Store *store, const char *path, char **text, Error *error)
{
    return store->kind == STORE_FILE ? file_read(path != NULL ? path : store->path, text, error)
                                     : run_call(store, &(Call){.path = path}, text, error);
}

/* Whether it holds neither what was read nor what was to be written: somebody else has been there. */
static bool was_changed(Store *store, const char *path, const char *before, const char *text)
{
    char *now = NULL;
    Error ignored;
    bool changed = !store->silent && store_read(store, path, &now, &ignored) == 0 &&
                   strcmp(now, before) != 0 && strcmp(now, text) != 0;
    free(now);
    return changed;
}

int store_replace(Store *store, const char *path, const char *before, const char *text, bool keep,
                  Error *error)
{
    const char *file = path != NULL ? path : store->path;
    if (store->kind != STORE_FILE) {
        Call call = {.path = path, .before = before, .input = text, .keep = keep};
        int status = run_call(store, &call, NULL, error);
        return status != 0 && was_changed(store, path, before, text) ? STORE_CHANGED : status;
    }
    if (was_changed(store, path, before, text)) {
        error_set(error, ERROR_SYSTEM, "somebody else is changing \"%s\"", file);
        return STORE_CHANGED;
    }
    return keep ? file_replace(file, text, error) : file_replace_again(file, text, error);
}

int store_check(Store *store, const char *path, Error *error)
{
    char *text = NULL, *again = NULL;
    if (store->kind == STORE_FILE) {
        return file_check(path != NULL ? path : store->path, error);
    }
    int status = store_read(store, path, &text, error);
    if (status == 0) {
        status = store_replace(store, path, text, text, true, error) == 0 ? 0 : -1;
    }
    if (status == 0) {
        status = store_read(store, path, &again, error);
    }
    if (status == 0 && strcmp(text, again) != 0) {
        status = error_set(error, ERROR_SYSTEM, "\"%s\" is not what was written to it", store->name);
    }
    free(text);
    free(again);
    return status;
}
