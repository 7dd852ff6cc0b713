/*
 * The signal stays pending and is never read, so the descriptor stays readable for everyone who polls it.
 */
#include "stop.h"

#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>

int stop_init(Stop *stop)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) != 0) {
        return -1;
    }
    stop->asked = false;
    stop->fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return stop->fd < 0 ? -1 : 0;
}

bool stop_asked(Stop *stop)
{
    return stop_wait(stop, 0);
}

bool stop_pending(void)
{
    sigset_t pending;
    return sigpending(&pending) == 0 &&
           (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1);
}

bool stop_wait(Stop *stop, int milliseconds)
{
    struct pollfd descriptor = {.fd = stop->fd, .events = POLLIN};
    if (!stop->asked && poll(&descriptor, 1, milliseconds) > 0) {
        stop->asked = true;
    }
    return stop->asked;
}
