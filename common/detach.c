#include "detach.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

/* More than that are not looked at. */
#define MOST_DESCRIPTORS 65536

bool detach(void (*work)(void *context), void *context)
{
    pid_t between = fork();
    if (between == 0) {
        setsid();
        if (fork() == 0) {
            work(context);
        }
        _exit(0);
    }
    while (between > 0 && waitpid(between, NULL, 0) < 0 && errno == EINTR) {
    }
    return between > 0;
}

static bool is_among(const int *kept, size_t count, int fd)
{
    for (size_t i = 0; i < count; i++) {
        if (kept[i] == fd) {
            return true;
        }
    }
    return false;
}

bool detach_close_all_but(const int *kept, size_t count)
{
    long limit = sysconf(_SC_OPEN_MAX);
    for (int fd = 0; fd < (limit > 0 && limit < MOST_DESCRIPTORS ? limit : MOST_DESCRIPTORS); fd++) {
        if (!is_among(kept, count, fd)) {
            close(fd);
        }
    }
    for (int fd = 0; fd < 3; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0) {
            return false;
        }
    }
    return true;
}
