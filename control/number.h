/*
 * Numbers on the command line: one way to read them, one wording when they are none.
 */
#pragma once

#include <argp.h>

/* text as a number from least to most; anything else ends the program with a usage error that names --option. */
int number_option(const struct argp_state *state, const char *option, const char *text, int least, int most);
