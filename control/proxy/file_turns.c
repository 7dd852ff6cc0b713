/*
 * flock belongs to an open file, so it tells threads apart as it does processes. What is locked is a file beside the one that changes:
 * that one is replaced by a rename, and whoever opened the new one would have it at once. Who gives a turn removes the lock file
 * before it lets go; who gets a lock on a file that is not there any more begins again with another.
 */
#include "file_turns.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"

#define AGAIN_MS 5

typedef struct Lock {
    char *path; /* of the lock file */
    int fd;     /* -1: not had */
} Lock;

struct FileTurn {
    size_t count;
    Lock locks[];
};

/* The caller frees it. */
static char *lock_path(const char *path)
{
    char *real = realpath(path, NULL), *out = NULL;
    if (asprintf(&out, "%s.penstock-lock", real != NULL ? real : path) < 0) {
        abort();
    }
    free(real);
    return out;
}

static int by_path(const void *one, const void *other)
{
    return strcmp(((const Lock *)one)->path, ((const Lock *)other)->path);
}

/* Two names of one file are one lock: it would wait for itself. */
static void drop_doubles(FileTurn *turn)
{
    size_t kept = 0;
    for (size_t i = 0; i < turn->count; i++) {
        if (kept > 0 && strcmp(turn->locks[kept - 1].path, turn->locks[i].path) == 0) {
            free(turn->locks[i].path);
        } else {
            turn->locks[kept++] = turn->locks[i];
        }
    }
    turn->count = kept;
}

static FileTurn *list_locks(const char *const *paths, size_t count)
{
    FileTurn *turn = calloc(1, sizeof *turn + count * sizeof *turn->locks);
    if (turn == NULL) {
        abort();
    }
    turn->count = count;
    for (size_t i = 0; i < count; i++) {
        turn->locks[i] = (Lock){.path = lock_path(paths[i]), .fd = -1};
    }
    qsort(turn->locks, count, sizeof *turn->locks, by_path);
    drop_doubles(turn);
    return turn;
}

/* One that another user made can be locked as well by who may only read it. */
static int open_lock(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    return fd >= 0 || errno != EACCES ? fd : open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

static bool still_stands(const Lock *lock)
{
    struct stat had, there;
    return fstat(lock->fd, &had) == 0 && stat(lock->path, &there) == 0 && had.st_dev == there.st_dev &&
           had.st_ino == there.st_ino;
}

/* For who waits. That it cannot be written, to another user's file, makes the lock no worse. */
static void sign(const Lock *lock)
{
    char text[32];
    int size = snprintf(text, sizeof text, "%d\n", (int)getpid());
    if (ftruncate(lock->fd, 0) == 0) {
        (void)!pwrite(lock->fd, text, (size_t)size, 0);
    }
}

static int was_not_given(const Lock *lock, int limit_ms, Error *error)
{
    char owner[16] = "";
    ssize_t size = pread(lock->fd, owner, sizeof owner - 1, 0);
    owner[size > 0 ? strcspn(owner, "\n") : 0] = '\0';
    error_set(error, ERROR_LIMIT,
              "another run of penstock%s%s is changing a file of the proxy's, and has had it for %g s (%s)",
              *owner != '\0' ? ", process " : "", owner, limit_ms / 1000.0, lock->path);
    return error_hint(error, "See whether it stands still, then run this again.");
}

/* Nobody like us can make a lock there, nor replace a file: who replaces one says so. */
static bool is_closed_folder(const char *path)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", path);
    return access(dirname(copy), W_OK) != 0;
}

static int take_one(Lock *lock, int64_t deadline, int limit_ms, bool (*stop)(void), Error *error)
{
    for (;;) {
        lock->fd = lock->fd >= 0 ? lock->fd : open_lock(lock->path);
        int why = errno;
        if (lock->fd < 0 && is_closed_folder(lock->path)) {
            return 0;
        }
        if (lock->fd < 0 && why == ENOENT && clock_ms() < deadline) {
            continue; /* another user's, which was just removed */
        }
        if (lock->fd < 0) {
            return error_set(error, ERROR_SYSTEM, "cannot open \"%s\": %s", lock->path, strerror(why));
        }
        if (flock(lock->fd, LOCK_EX | LOCK_NB) == 0) {
            if (still_stands(lock)) {
                sign(lock);
                return 0;
            }
            close(lock->fd);
            lock->fd = -1;
            continue;
        }
        int status =
            errno != EWOULDBLOCK && errno != EINTR
                ? error_set(error, ERROR_SYSTEM, "cannot lock \"%s\": %s", lock->path, strerror(errno))
            : clock_ms() >= deadline ? was_not_given(lock, limit_ms, error)
            : stop != NULL && stop() ? error_set(error, ERROR_INTERRUPTED, "interrupted")
                                     : 0;
        if (status != 0) {
            close(lock->fd);
            lock->fd = -1;
            return status;
        }
        clock_pause_ms(AGAIN_MS);
    }
}

int file_turn_take(const char *const *paths, size_t count, int limit_ms, bool (*stop)(void), FileTurn **out,
                   Error *error)
{
    FileTurn *turn = list_locks(paths, count);
    int64_t deadline = clock_ms() + limit_ms;
    int status = 0;
    for (size_t i = 0; status == 0 && i < turn->count; i++) {
        status = take_one(&turn->locks[i], deadline, limit_ms, stop, error);
    }
    if (status != 0) {
        file_turn_give(turn);
        turn = NULL;
    }
    *out = turn;
    return status;
}

void file_turn_give(FileTurn *turn)
{
    for (size_t i = 0; turn != NULL && i < turn->count; i++) {
        if (turn->locks[i].fd >= 0) {
            unlink(turn->locks[i].path);
            close(turn->locks[i].fd);
        }
        free(turn->locks[i].path);
    }
    free(turn);
}
