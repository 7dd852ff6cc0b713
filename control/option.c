/*
 * argp_error ends the program, except under a parser's ARGP_NO_EXIT; then the least is as good as any number.
 */
#include "option.h"

#include <stdlib.h>

int option_number(const struct argp_state *state, const char *name, const char *text, int least, int most)
{
    char *end;
    long value = strtol(text, &end, 10);
    if (end == text || *end != '\0' || value < least || value > most) {
        argp_error(state, "--%s takes a number from %d to %d, not \"%s\"", name, least, most, text);
        return least;
    }
    return (int)value;
}

bool option_take(const OptionField *fields, size_t count, int key, const char *argument,
                 const struct argp_state *state, void *out)
{
    for (size_t i = 0; i < count; i++) {
        const OptionField *field = &fields[i];
        void *member = (char *)out + field->offset;
        if (field->key == key && field->name == NULL) {
            *(bool *)member = true;
            return true;
        }
        if (field->key == key) {
            *(int *)member = option_number(state, field->name, argument, field->least, field->most);
            return true;
        }
    }
    return false;
}
