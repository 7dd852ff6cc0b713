/*
 * argp_error ends the program, except under a parser's ARGP_NO_EXIT; then the least is as good as any number.
 */
#include "number.h"

#include <stdlib.h>

int number_option(const struct argp_state *state, const char *option, const char *text, int least, int most)
{
    char *end;
    long value = strtol(text, &end, 10);
    if (end == text || *end != '\0' || value < least || value > most) {
        argp_error(state, "--%s takes a number from %d to %d, not \"%s\"", option, least, most, text);
        return least;
    }
    return (int)value;
}
