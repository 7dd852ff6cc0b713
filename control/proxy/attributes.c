/*
 * An ACL is the attribute system.posix_acl_access, an SELinux label security.selinux: one way copies them all. A label that
 * the new file has got by itself is as good as copied.
 */
#include "attributes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

/* The value of the attribute, NULL when it cannot be read. The caller frees it. */
static char *read_value(const char *path, const char *name, size_t *size)
{
    ssize_t wanted = getxattr(path, name, NULL, 0);
    char *value = wanted >= 0 ? malloc((size_t)wanted + 1) : NULL;
    ssize_t got = value != NULL ? getxattr(path, name, value, (size_t)wanted) : -1;
    if (got < 0) {
        free(value);
        return NULL;
    }
    *size = (size_t)got;
    return value;
}

static bool has_value(int fd, const char *name, const char *value, size_t size)
{
    char *found = malloc(size + 1);
    ssize_t got = fgetxattr(fd, name, found, size + 1);
    bool same = got == (ssize_t)size && memcmp(found, value, size) == 0;
    free(found);
    return same;
}

static bool copy_one(const char *from, int to, const char *name)
{
    size_t size;
    char *value = read_value(from, name, &size);
    bool copied =
        value != NULL && (has_value(to, name, value, size) || fsetxattr(to, name, value, size, 0) == 0);
    free(value);
    return copied;
}

bool attributes_copy(const char *from, int to)
{
    ssize_t size = from != NULL ? listxattr(from, NULL, 0) : 0;
    if (size <= 0) {
        return size == 0 || errno == ENOTSUP;
    }
    char *names = malloc((size_t)size);
    size = listxattr(from, names, (size_t)size);
    bool all = size >= 0;
    for (ssize_t at = 0; at < size; at += (ssize_t)strlen(names + at) + 1) {
        all = copy_one(from, to, names + at) && all;
    }
    free(names);
    return all;
}
