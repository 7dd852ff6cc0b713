/*
 * The order of a replacement is what makes it safe: FILE.penstock-before is complete on disk before FILE is
 * touched, and FILE changes by one rename. The temporary file carries the old mode and owner before it has
 * any content, since a proxy's configuration often holds passwords.
 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int failed(Error *error, const char *what, const char *path)
{
    return error_set(error, ERROR_SYSTEM, "cannot %s \"%s\": %s", what, path, strerror(errno));
}

int file_read(const char *path, char **text, Error *error)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return failed(error, "open", path);
    }
    size_t size = 0, capacity = 64 * 1024;
    char *buffer = malloc(capacity);
    size_t got;
    while ((got = fread(buffer + size, 1, capacity - size - 1, file)) > 0) {
        size += got;
        if (capacity - size < 2) {
            buffer = realloc(buffer, capacity *= 2);
        }
    }
    buffer[size] = '\0';
    int bad = ferror(file);
    fclose(file);
    if (bad || strlen(buffer) != size) {
        free(buffer);
        return bad ? failed(error, "read", path)
                   : error_set(error, ERROR_SYSTEM, "\"%s\" is not a text file", path);
    }
    *text = buffer;
    return 0;
}

static int write_all(int fd, const char *text)
{
    size_t size = strlen(text);
    while (size > 0) {
        ssize_t wrote = write(fd, text, size);
        if (wrote < 0 && errno != EINTR) {
            return -1;
        }
        if (wrote > 0) {
            text += wrote;
            size -= (size_t)wrote;
        }
    }
    return fsync(fd);
}

static void sync_folder(const char *path)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

/* Makes the file beside path, holding text, with the mode and owner of like. */
static int write_beside(const char *beside, const char *text, const struct stat *like, Error *error)
{
    unlink(beside);
    int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return failed(error, "create", beside);
    }
    int result = 0;
    struct stat now;
    if (fstat(fd, &now) != 0 || ((now.st_uid != like->st_uid || now.st_gid != like->st_gid) &&
                                 fchown(fd, like->st_uid, like->st_gid) != 0)) {
        result = failed(error, "give its owner to", beside);
        error_hint(error, "Run as the owner of the file that it is to replace, or as root.");
    } else if (fchmod(fd, like->st_mode & 07777) != 0 || write_all(fd, text) != 0) {
        result = failed(error, "write", beside);
    }
    close(fd);
    return result;
}

/* Makes path hold text, by way of a file beside it. */
static int place(const char *path, const char *text, const struct stat *like, Error *error)
{
    char beside[PATH_MAX + 32];
    snprintf(beside, sizeof beside, "%s.penstock-new", path);
    int result = write_beside(beside, text, like, error);
    if (result == 0 && rename(beside, path) != 0) {
        result = failed(error, "replace", path);
    }
    if (result != 0) {
        unlink(beside);
        return result;
    }
    sync_folder(path);
    return 0;
}

/* The file itself, behind symbolic links. */
static int find(const char *path, char real[PATH_MAX], struct stat *like, Error *error)
{
    return realpath(path, real) != NULL && stat(real, like) == 0 ? 0 : failed(error, "find", path);
}

int file_check(const char *path, Error *error)
{
    char real[PATH_MAX], beside[PATH_MAX + 32];
    struct stat like;
    char *text = NULL;
    if (find(path, real, &like, error) != 0 || file_read(real, &text, error) != 0) {
        return -1;
    }
    snprintf(beside, sizeof beside, "%s.penstock-new", real);
    int result = write_beside(beside, text, &like, error);
    unlink(beside);
    free(text);
    return result == 0 ? 0 : error_context(error, "\"%s\" cannot be replaced", path);
}

static int replace(const char *path, const char *text, bool keep, Error *error)
{
    char real[PATH_MAX], before[PATH_MAX + 32];
    struct stat like;
    char *old = NULL;
    if (find(path, real, &like, error) != 0 || file_read(real, &old, error) != 0) {
        return -1;
    }
    int result = 0;
    if (strcmp(old, text) != 0) {
        snprintf(before, sizeof before, "%s.penstock-before", real);
        result = keep && place(before, old, &like, error) != 0 ? -1 : place(real, text, &like, error);
    }
    free(old);
    return result;
}

int file_replace(const char *path, const char *text, Error *error)
{
    return replace(path, text, true, error);
}

int file_replace_again(const char *path, const char *text, Error *error)
{
    return replace(path, text, false, error);
}

int file_write(const char *path, const char *text, Error *error)
{
    struct stat ours = {.st_mode = 0600, .st_uid = geteuid(), .st_gid = getegid()};
    return place(path, text, &ours, error);
}
