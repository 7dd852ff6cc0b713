/*
 * The file is read whole when it is opened and only added to afterwards. A last line that is cut short is from a run that
 * died while it wrote: what it told of was not begun, and it is left out.
 *
 * The lock is flock's: it goes with the process, however that ends, and a helper that is forked has none, since it closes
 * what it has inherited.
 */
#include "ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct Ledger {
    char *path;
    int fd;
    json_t *head;
    json_t *lines; /* array */
};

/* Makes the folders of path, which is changed while they are made, and put back. */
static int make_folders(char *path, Error *error)
{
    for (char *at = strchr(path + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
        *at = '\0';
        int made = mkdir(path, 0700);
        if (made != 0 && errno != EEXIST) {
            error_set(error, ERROR_SYSTEM, "cannot make the folder %s: %s", path, strerror(errno));
            *at = '/';
            return -1;
        }
        *at = '/';
    }
    return 0;
}

static char *make_path(const char *migration, const char *source_system, Error *error)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    char *path = NULL;
    int size = state != NULL && *state == '/'
                   ? asprintf(&path, "%s/penstock/%s@%s.switch", state, migration, source_system)
               : home != NULL && *home == '/'
                   ? asprintf(&path, "%s/.local/state/penstock/%s@%s.switch", home, migration, source_system)
                   : -1;
    if (size < 0) {
        error_set(error, ERROR_SYSTEM, "there is no place for the journal's second copy");
        error_hint(error, "Set HOME or XDG_STATE_HOME to a folder of yours.");
        return NULL;
    }
    return path;
}

/* False when what was cut short cannot be taken away: a line that is added would be part of it. */
static bool load(Ledger *ledger)
{
    FILE *in = fdopen(dup(ledger->fd), "r");
    char *line = NULL;
    size_t size = 0;
    ssize_t length;
    off_t whole = 0;
    while (in != NULL && (length = getline(&line, &size, in)) > 0) {
        json_t *read = line[length - 1] == '\n' ? json_loads(line, 0, NULL) : NULL;
        if (read == NULL) {
            break;
        }
        whole += length;
        if (ledger->head == NULL) {
            ledger->head = read;
        } else {
            json_array_append_new(ledger->lines, read);
        }
    }
    free(line);
    if (in != NULL) {
        fclose(in);
    }
    return in != NULL && ftruncate(ledger->fd, whole) == 0;
}

/* The file at path, locked by us; -1 with errno. A file that its last owner removed before we had the lock is none. */
static int open_locked(const char *path)
{
    while (true) {
        struct stat found;
        int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (fd < 0) {
            return -1;
        }
        if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &found) == 0 && found.st_nlink > 0) {
            return fd;
        }
        int reason = errno;
        close(fd);
        if (reason == EWOULDBLOCK) {
            errno = reason;
            return -1;
        }
    }
}

int ledger_open(const char *migration, const char *source_system, Ledger **out, Error *error)
{
    *out = NULL;
    char *path = make_path(migration, source_system, error);
    if (path == NULL || make_folders(path, error) != 0) {
        free(path);
        return -1;
    }
    int fd = open_locked(path);
    if (fd < 0) {
        bool taken = errno == EWOULDBLOCK;
        if (taken) {
            error_set(error, ERROR_STATE, "another run of this migration's switch has %s open", path);
        } else {
            error_set(error, ERROR_SYSTEM, "cannot open %s: %s", path, strerror(errno));
        }
        free(path);
        return -1;
    }
    Ledger *ledger = calloc(1, sizeof *ledger);
    *ledger = (Ledger){.path = path, .fd = fd, .lines = json_array()};
    if (!load(ledger)) {
        error_set(error, ERROR_SYSTEM, "cannot read %s: %s", path, strerror(errno));
        ledger_close(ledger);
        return -1;
    }
    *out = ledger;
    return 0;
}

void ledger_close(Ledger *ledger)
{
    if (ledger != NULL) {
        if (ledger->head == NULL) {
            unlink(ledger->path);
        }
        close(ledger->fd);
        json_decref(ledger->head);
        json_decref(ledger->lines);
        free(ledger->path);
        free(ledger);
    }
}

const char *ledger_path(const Ledger *ledger)
{
    return ledger->path;
}

const json_t *ledger_head(const Ledger *ledger)
{
    return ledger->head;
}

size_t ledger_lines(const Ledger *ledger)
{
    return json_array_size(ledger->lines);
}

void ledger_read(const Ledger *ledger, size_t from, JournalReader take, void *context)
{
    for (size_t i = from; i < json_array_size(ledger->lines); i++) {
        json_t *line = json_array_get(ledger->lines, i);
        char *detail = json_dumps(json_object_get(line, "detail"), JSON_COMPACT);
        take(context, json_string_value(json_object_get(line, "step")),
             json_string_value(json_object_get(line, "event")), detail != NULL ? detail : "{}");
        free(detail);
    }
}

/* One line, whole and on disk. */
static int write_line(Ledger *ledger, const json_t *line, Error *error)
{
    char *text = json_dumps(line, JSON_COMPACT);
    char *whole = NULL;
    int size = text != NULL ? asprintf(&whole, "%s\n", text) : -1;
    free(text);
    if (size < 0) {
        return error_set(error, ERROR_SYSTEM, "out of memory");
    }
    off_t before = lseek(ledger->fd, 0, SEEK_END);
    ssize_t written = write(ledger->fd, whole, (size_t)size);
    free(whole);
    if (written == size && fdatasync(ledger->fd) == 0) {
        return 0;
    }
    error_set(error, ERROR_SYSTEM, "writing to %s: %s", ledger->path,
              written < 0 || written == size ? strerror(errno) : "no room");
    if (ftruncate(ledger->fd, before) != 0) {
        return error_context(error, "and half a line stays in it");
    }
    return -1;
}

static int empty(Ledger *ledger, Error *error)
{
    json_decref(ledger->head);
    ledger->head = NULL;
    json_array_clear(ledger->lines);
    return ftruncate(ledger->fd, 0) == 0
               ? 0
               : error_set(error, ERROR_SYSTEM, "emptying %s: %s", ledger->path, strerror(errno));
}

int ledger_begin(Ledger *ledger, const json_t *head, Error *error)
{
    if (empty(ledger, error) != 0 || write_line(ledger, head, error) != 0) {
        return -1;
    }
    ledger->head = json_deep_copy(head);
    return 0;
}

int ledger_add(Ledger *ledger, const char *step, const char *event, const json_t *detail, Error *error)
{
    json_t *line = json_pack("{s:s, s:s}", "step", step, "event", event);
    if (detail != NULL) {
        json_object_set_new(line, "detail", json_deep_copy(detail));
    }
    int status = write_line(ledger, line, error);
    if (status == 0) {
        json_array_append(ledger->lines, line);
    }
    json_decref(line);
    return status;
}

int ledger_remove(Ledger *ledger, Error *error)
{
    return empty(ledger, error);
}
