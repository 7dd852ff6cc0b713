/*
 * Options on the command line that set one member of a command's struct: a table says which, instead of a case for each.
 */
#pragma once

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct OptionField {
    int key;
    size_t offset;    /* of the member */
    const char *name; /* of the option whose argument is a number, for an int; NULL: a flag, for a bool */
    int least, most;  /* of the number */
} OptionField;

#define OPTION_FLAG(key, type, member)                                                                       \
    {                                                                                                        \
        key, offsetof(type, member), NULL, 0, 0                                                              \
    }
#define OPTION_NUMBER(key, name, type, member, least, most)                                                  \
    {                                                                                                        \
        key, offsetof(type, member), name, least, most                                                       \
    }

/* Sets in out what key is for; false when no field has it. */
bool option_take(const OptionField *fields, size_t count, int key, const char *argument,
                 const struct argp_state *state, void *out);

/* text as a number from least to most; anything else ends the program with a usage error that names --name. */
int option_number(const struct argp_state *state, const char *name, const char *text, int least, int most);
