/*
 * The order of a replacement is what makes it safe: FILE.penstock-before is complete on disk before FILE is
 * touched, and FILE changes by one rename. The temporary file carries the old mode, owner, ACL and other extended
 * attributes before it has any content, since a proxy's configuration often holds passwords. Where a new file cannot take
 * the old one's place entirely, the bytes change in the file that is there: only a reader at that very moment could see a
 * part, and the proxies read when they are told to.
 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attributes.h"
#include "write_file.h"

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

/* Makes the file beside path, holding text, with the mode and owner of like and what else from has. *as_it_was is false
 * when it could not be given all of that. */
static int write_beside(const char *beside, const char *text, const struct stat *like, const char *from,
                        bool *as_it_was, Error *error)
{
    unlink(beside);
    *as_it_was = true;
    int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return failed(error, "create", beside);
    }
    int result = 0;
    struct stat now;
    if (fstat(fd, &now) != 0) {
        result = failed(error, "look at", beside);
    } else if ((now.st_uid != like->st_uid || now.st_gid != like->st_gid) &&
               fchown(fd, like->st_uid, like->st_gid) != 0) {
        *as_it_was = false;
    } else if (fchmod(fd, like->st_mode & 07777) != 0) {
        result = failed(error, "give its mode to", beside);
    } else {
        *as_it_was = attributes_copy(from, fd);
    }
    if (result == 0 && write_bytes(fd, text, strlen(text)) != 0) {
        result = failed(error, "write", beside);
    }
    close(fd);
    return result;
}

/*
 * For a file that is mounted by itself (rename says EBUSY), or whose owner, ACL or other attributes a new file cannot be
 * given: the bytes change in the file that is there. The room is taken first, so that a full disk leaves the old text.
 */
static int write_into(const char *path, const char *text, Error *error)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    off_t size = (off_t)strlen(text);
    if (fd < 0) {
        return failed(error, "write", path);
    }
    int result = 0;
    if ((size > 0 && fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, size) != 0 && errno != EOPNOTSUPP) ||
        write_bytes(fd, text, strlen(text)) != 0 || ftruncate(fd, size) != 0 || fsync(fd) != 0) {
        result = failed(error, "write", path);
    }
    close(fd);
    return result;
}

/* Makes path hold text, by way of a file beside it where that can take its place entirely. from has the attributes. */
static int place(const char *path, const char *text, const struct stat *like, const char *from, Error *error)
{
    char beside[PATH_MAX + 32];
    bool as_it_was, there = access(path, F_OK) == 0;
    snprintf(beside, sizeof beside, "%s.penstock-new", path);
    int result = write_beside(beside, text, like, from, &as_it_was, error);
    if (result == 0 && there && !as_it_was) {
        unlink(beside);
        return write_into(path, text, error);
    }
    if (result == 0 && rename(beside, path) != 0) {
        int why = errno;
        unlink(beside);
        errno = why;
        return why == EBUSY ? write_into(path, text, error) : failed(error, "replace", path);
    }
    if (result != 0) {
        unlink(beside);
        return result;
    }
    write_folder(path);
    return 0;
}

/* The file itself, behind symbolic links. */
static int find(const char *path, char real[PATH_MAX], struct stat *like, Error *error)
{
    return realpath(path, real) != NULL && stat(real, like) == 0 ? 0 : failed(error, "find", path);
}

/* Keeps old beside the file, and puts text into it. */
static int replace(const char *real, const char *old, const char *text, bool keep, const struct stat *like,
                   Error *error)
{
    char before[PATH_MAX + 32];
    snprintf(before, sizeof before, "%s.penstock-before", real);
    if (keep && place(before, old, like, real, error) != 0) {
        return -1;
    }
    return place(real, text, like, real, error);
}

int file_check(const char *path, Error *error)
{
    char real[PATH_MAX];
    struct stat like;
    char *text = NULL;
    if (find(path, real, &like, error) != 0 || file_read(real, &text, error) != 0) {
        return -1;
    }
    int result = replace(real, text, text, true, &like, error);
    free(text);
    return result == 0 ? 0 : error_context(error, "\"%s\" cannot be replaced", path);
}

static int change(const char *path, const char *text, bool keep, Error *error)
{
    char real[PATH_MAX];
    struct stat like;
    char *old = NULL;
    if (find(path, real, &like, error) != 0 || file_read(real, &old, error) != 0) {
        return -1;
    }
    int result = strcmp(old, text) != 0 ? replace(real, old, text, keep, &like, error) : 0;
    free(old);
    return result;
}

int file_replace(const char *path, const char *text, Error *error)
{
    return change(path, text, true, error);
}

int file_replace_again(const char *path, const char *text, Error *error)
{
    return change(path, text, false, error);
}
