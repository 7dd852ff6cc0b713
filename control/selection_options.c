/*
 * A pattern that is none is a wrong use of the command, and ends it in argp's way.
 */
#include "selection_options.h"

enum OptionKey { OPTION_FIRST = 0x7000 }; /* unlike the keys of any command */

static const struct argp_option options[] = {
    {.name = "only",
     .key = OPTION_FIRST + SELECTION_ONLY,
     .arg = "PATTERN",
     .doc = "Move the tables, views and sequences that this fits, and no others: SCHEMA.TABLE, or SCHEMA; * "
            "and ? as in a "
            "shell. May be repeated. Kept with the migration from its first copy on"},
    {.name = "exclude",
     .key = OPTION_FIRST + SELECTION_EXCLUDE,
     .arg = "PATTERN",
     .doc = "Leave behind what this fits, whatever --only says. May be repeated"},
    {.name = "schema-only",
     .key = OPTION_FIRST + SELECTION_SCHEMA_ONLY,
     .arg = "PATTERN",
     .doc = "Make what this fits on the target, and leave its rows behind. May be repeated"},
    {0},
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    Error error;
    if (key < OPTION_FIRST || key >= OPTION_FIRST + SELECTION_RULES) {
        return ARGP_ERR_UNKNOWN;
    }
    if (selection_add(state->input, (SelectionRule)(key - OPTION_FIRST), argument, &error) != 0) {
        argp_error(state, "%s. %s", error.message, error.hint);
    }
    return 0;
}

const struct argp selection_argp = {.options = options, .parser = parse};
