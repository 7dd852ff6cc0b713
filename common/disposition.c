#include "disposition.h"

#include <signal.h>
#include <stddef.h>

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
