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

static void set_member(const OptionField *field, const char *argument, const struct argp_state *state,
                       void *member)
{
    switch (field->kind) {
    case OPTION_IS_FLAG:
        *(bool *)member = true;
        break;
    case OPTION_IS_NUMBER:
        *(int *)member = option_number(state, field->name, argument, field->least, field->most);
        break;
    case OPTION_IS_TEXT:
        *(const char **)member = argument;
        break;
    }
}

bool option_take(const OptionField *fields, size_t count, int key, const char *argument,
                 const struct argp_state *state, void *out)
{
    for (size_t i = 0; i < count; i++) {
        if (fields[i].key == key) {
            set_member(&fields[i], argument, state, (char *)out + fields[i].offset);
            return true;
        }
    }
    return false;
}

/* As argp itself sees it. */
static bool is_end(const struct argp_option *option)
{
    return option->name == NULL && option->key == 0 && option->doc == NULL && option->group == 0;
}

static size_t list(const struct argp *argp, const struct argp_option **out, size_t count, size_t most)
{
    for (const struct argp_option *option = argp->options; option != NULL && !is_end(option) && count < most;
         option++) {
        out[count++] = option;
    }
    for (const struct argp_child *child = argp->children; child != NULL && child->argp != NULL; child++) {
        count = list(child->argp, out, count, most);
    }
    return count;
}

size_t option_list(const struct argp *argp, const struct argp_option **out, size_t most)
{
    return argp != NULL ? list(argp, out, 0, most) : 0;
}
