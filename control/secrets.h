/*
 * Passwords on the command line: every option may hold one, in a connection string, and the process list shows it to all.
 */
#pragma once

#include "arena.h"

/*
 * A copy of argv, NULL-terminated, for the program to use; in argv itself each password is overwritten. What starts the copy
 * must come before anything keeps pointers into argv. It lives as long as the arena.
 */
char **secrets_take(int argc, char **argv, Arena *arena);

/* Overwrites with * the password of every URI in the text (scheme://user:PASSWORD@host) and the value of every `password=`,
 * up to its closing quote, white space or &. */
void secrets_hide(char *text);
