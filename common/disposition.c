#include "disposition.h"

#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <unistd.h>

static void dispose(int number, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler};
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

void signal_default(int number)
{
    dispose(number, SIG_DFL);
}

void signal_ignore(int number)
{
    dispose(number, SIG_IGN);
}

void disposition_child(pid_t parent)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) {
        _exit(127);
    }
    signal_default(SIGINT);
    signal_default(SIGTERM);
    signal_default(SIGPIPE);
}
