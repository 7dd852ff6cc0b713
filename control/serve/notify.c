/*
 * A command gets the event as one line of JSON on its standard input, and its parts as PENSTOCK_MIGRATION, PENSTOCK_EVENT
 * (attention, resolved, phase), PENSTOCK_REASON (an id of status, lag, wal-kept, target-unreachable, or the phase) and
 * PENSTOCK_TEXT.
 */
#include "notify.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arena.h"
#include "view.h"

#define MOST_REASONS 64

typedef struct Standing {
    char id[48];
    char text[1200];
    double since;
    bool told;
    bool seen; /* at this look */
} Standing;

struct Notify {
    NotifyOptions options;
    char migration[64];
    char phase[32]; /* "": not known yet */
    Standing reasons[MOST_REASONS];
    size_t count;
    char *waiting[NOTIFY_WAITING];
    size_t first, waits;
    pid_t child; /* 0: none */
    double began;
};

Notify *notify_new(const NotifyOptions *options)
{
    Notify *notify = calloc(1, sizeof *notify);
    if (notify != NULL) {
        notify->options = *options;
    }
    return notify;
}

static void add_event(Notify *notify, const char *event, const char *reason, const char *text)
{
    json_t *line = json_pack("{s:s, s:s, s:s, s:s}", "migration", notify->migration, "event", event, "reason",
                             reason, "text", text);
    char *dumped = line != NULL ? json_dumps(line, JSON_COMPACT) : NULL;
    json_decref(line);
    if (dumped == NULL || notify->waits == NOTIFY_WAITING) {
        log_line(notify->options.log, LOG_WARNING, "nobody is told of \"%s\": too much waits to be told",
                 reason);
        free(dumped);
        return;
    }
    notify->waiting[(notify->first + notify->waits++) % NOTIFY_WAITING] = dumped;
}

char *notify_take(Notify *notify)
{
    if (notify->waits == 0) {
        return NULL;
    }
    char *line = notify->waiting[notify->first];
    notify->first = (notify->first + 1) % NOTIFY_WAITING;
    notify->waits--;
    return line;
}

/* --- what stands --- */

static void stands(Notify *notify, const char *id, const char *text, double now)
{
    Standing *reason = NULL;
    for (size_t i = 0; i < notify->count && reason == NULL; i++) {
        reason = strcmp(notify->reasons[i].id, id) == 0 ? &notify->reasons[i] : NULL;
    }
    if (reason == NULL) {
        if (notify->count == MOST_REASONS) {
            return;
        }
        reason = &notify->reasons[notify->count++];
        *reason = (Standing){.since = now};
        snprintf(reason->id, sizeof reason->id, "%s", id);
    }
    snprintf(reason->text, sizeof reason->text, "%s", text);
    reason->seen = true;
}

static void look_at_limits(Notify *notify, const json_t *document, double now)
{
    char text[160], said[48];
    double lag = view_number(document, "lag.seconds"), kept = view_number(document, "slot.kept_bytes");
    if (notify->options.lag_seconds > 0 && lag > notify->options.lag_seconds &&
        view_in_phase(document, "copied")) {
        snprintf(text, sizeof text, "the target is %s behind", view_duration(lag, said, sizeof said));
        stands(notify, "lag", text, now);
    }
    if (notify->options.wal_bytes > 0 && kept > notify->options.wal_bytes) {
        snprintf(text, sizeof text, "the source keeps %s of WAL", view_bytes(kept, said, sizeof said));
        stands(notify, "wal-kept", text, now);
    }
}

static void look_at_phase(Notify *notify, const json_t *document)
{
    const char *phase = view_text(document, "phase");
    snprintf(notify->migration, sizeof notify->migration, "%s", view_text(document, "name"));
    if (notify->phase[0] != '\0' && strcmp(notify->phase, phase) != 0) {
        add_event(notify, "phase", phase, view_text(document, "next"));
    }
    snprintf(notify->phase, sizeof notify->phase, "%s", phase);
}

/* Tells what has stood long enough, and what was told and is gone; forgets what is gone. */
static void tell(Notify *notify, double now)
{
    size_t kept = 0;
    for (size_t i = 0; i < notify->count; i++) {
        Standing *reason = &notify->reasons[i];
        if (!reason->seen) {
            if (reason->told) {
                add_event(notify, "resolved", reason->id, reason->text);
            }
            continue;
        }
        if (!reason->told && now - reason->since >= notify->options.after) {
            add_event(notify, "attention", reason->id, reason->text);
            reason->told = true;
        }
        reason->seen = false;
        notify->reasons[kept++] = *reason;
    }
    notify->count = kept;
}

/* --- the child --- */

#define PARTS 4

/* Our environment with the parts of the event; in arena. There are other threads: nothing may be done between fork and exec. */
static char **environment_with(const char *line, Arena *arena)
{
    static const char *const names[PARTS][2] = {{"migration", "PENSTOCK_MIGRATION"},
                                                {"event", "PENSTOCK_EVENT"},
                                                {"reason", "PENSTOCK_REASON"},
                                                {"text", "PENSTOCK_TEXT"}};
    size_t count = 0, kept = 0;
    while (environ[count] != NULL) {
        count++;
    }
    char **out = arena_alloc(arena, (count + PARTS + 1) * sizeof *out);
    for (size_t i = 0; i < count; i++) {
        if (strncmp(environ[i], "PENSTOCK_MIGRATION=", strlen("PENSTOCK_MIGRATION=")) != 0) {
            out[kept++] = environ[i];
        }
    }
    json_t *event = json_loads(line, 0, NULL);
    for (size_t i = 0; i < PARTS; i++) {
        out[kept++] = arena_printf(arena, "%s=%s", names[i][1], view_text(event, names[i][0]));
    }
    out[kept] = NULL;
    json_decref(event);
    return out;
}

static bool is_address(const char *to)
{
    return strncmp(to, "http://", 7) == 0 || strncmp(to, "https://", 8) == 0;
}

static int spawn(const char *to, int input, char **environment, pid_t *child)
{
    char *const curl[] = {"curl",          "--silent", "--show-error", "--fail",
                          "--max-time",    "20",       "--header",     "Content-Type: application/json",
                          "--data-binary", "@-",       "--output",     "/dev/null",
                          (char *)to,      NULL};
    char *const shell[] = {"/bin/sh", "-c", (char *)to, NULL};
    char *const *arguments = is_address(to) ? curl : shell;
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    int status = posix_spawnp(child, arguments[0], &files, &attributes, arguments, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return status;
}

/* A line of JSON is far shorter than a pipe is deep: it is written before the child reads. */
static void begin_child(Notify *notify, const char *line, double now)
{
    int ends[2];
    pid_t child = 0;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        log_line(notify->options.log, LOG_WARNING, "cannot tell anybody: %s", strerror(errno));
        return;
    }
    Arena *arena = arena_new(4096);
    int status = spawn(notify->options.to, ends[0], environment_with(line, arena), &child);
    arena_free(arena);
    close(ends[0]);
    if (status != 0 || dprintf(ends[1], "%s\n", line) < 0) {
        log_line(notify->options.log, LOG_WARNING, "cannot run \"%s\": %s", notify->options.to,
                 strerror(status != 0 ? status : errno));
    }
    close(ends[1]);
    notify->child = status == 0 ? child : 0;
    notify->began = now;
}

static void look_at_child(Notify *notify, double now)
{
    int status = 0;
    if (notify->child == 0) {
        return;
    }
    if (now - notify->began > NOTIFY_SECONDS) {
        kill(-notify->child, SIGKILL);
    }
    if (waitpid(notify->child, &status, WNOHANG) == notify->child) {
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            log_line(notify->options.log, LOG_WARNING, "\"%s\" was run to tell of an event, and %s %d",
                     notify->options.to, WIFEXITED(status) ? "ended with status" : "was ended by signal",
                     WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
        }
        notify->child = 0;
    }
}

static void run_next(Notify *notify, double now)
{
    char *line = notify->options.to != NULL && notify->child == 0 ? notify_take(notify) : NULL;
    if (line != NULL) {
        begin_child(notify, line, now);
        free(line);
    }
}

void notify_look(Notify *notify, const json_t *document, double now)
{
    const json_t *reason;
    size_t index;
    if (document == NULL) {
        stands(notify, "target-unreachable", "the target does not answer", now);
    } else {
        look_at_phase(notify, document);
        look_at_limits(notify, document, now);
        json_array_foreach(view_at(document, "health"), index, reason)
        {
            stands(notify, view_text(reason, "id"), view_text(reason, "reason"), now);
        }
    }
    tell(notify, now);
    look_at_child(notify, now);
    run_next(notify, now);
}

void notify_free(Notify *notify)
{
    char *line;
    if (notify == NULL) {
        return;
    }
    if (notify->child != 0) {
        kill(-notify->child, SIGKILL);
        waitpid(notify->child, NULL, 0);
    }
    while ((line = notify_take(notify)) != NULL) {
        free(line);
    }
    free(notify);
}
