/*
 * What a signal does to this process, for one that is about to become another program, or to leave its terminal. Whoever wants
 * to act on a signal reads it from a descriptor (applier/stop.h) or says sigaction. May be called in a handler.
 */
#pragma once

/* As a program finds it that nobody has told otherwise. */
void signal_default(int number);

void signal_ignore(int number);
