#include "write_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int write_bytes(int fd, const char *text, size_t size)
{
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

void write_folder(const char *path)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

static int write_beside(const char *beside, const char *text, size_t size, mode_t mode)
{
    unlink(beside);
    int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) {
        return -1;
    }
    int status = write_bytes(fd, text, size), why = errno;
    if (close(fd) != 0 && status == 0) {
        return -1;
    }
    errno = why;
    return status;
}

int write_file(const char *path, const char *text, size_t size, mode_t mode, Error *error)
{
    char beside[PATH_MAX];
    if (snprintf(beside, sizeof beside, "%s.penstock-new", path) >= (int)sizeof beside) {
        return error_set(error, ERROR_SYSTEM, "writing %s: %s", path, strerror(ENAMETOOLONG));
    }
    if (write_beside(beside, text, size, mode) != 0 || rename(beside, path) != 0) {
        error_set(error, ERROR_SYSTEM, "writing %s: %s", path, strerror(errno));
        unlink(beside);
        return -1;
    }
    write_folder(path);
    return 0;
}
