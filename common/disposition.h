/*
 * What a signal does to this process, for one that is about to become another program, or to leave its terminal. Whoever wants
 * to act on a signal reads it from a descriptor (applier/stop.h) or says sigaction. May be called in a handler.
 */
#pragma once

#include <sys/types.h>

/* As a program finds it that nobody has told otherwise. */
void signal_default(int number);

void signal_ignore(int number);

/*
 * For a child, between fork and exec, that is not to outlive parent, who called fork: it gets a process group of its own, the
 * defaults for the signals that we act on ourselves, and a SIGTERM when its parent dies, kill -9 included. Ends the child when that
 * has happened already.
 */
void disposition_child(pid_t parent);
