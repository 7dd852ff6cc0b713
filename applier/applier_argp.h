/* The table of penstock-applier's options, for its manual page and the shells' completion. */
#pragma once

#include <argp.h>

extern const struct argp applier_argp;
