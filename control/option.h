/*
 * Options on the command line that set one member of a command's struct: a table says which, instead of a case for each. And the
 * walk over a command's options, for whoever reads argp's tables beside argp: the settings file, the manual, completion.
 */
#pragma once

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>

typedef enum OptionKind { OPTION_IS_FLAG, OPTION_IS_NUMBER, OPTION_IS_TEXT } OptionKind;

typedef struct OptionField {
    int key;
    OptionKind kind;
    size_t offset;    /* of the member: a bool, an int, a const char * */
    const char *name; /* of the option, for a number that is refused */
    int least, most;  /* of the number */
} OptionField;

#define OPTION_FLAG(key, type, member)                                                                       \
    {                                                                                                        \
        key, OPTION_IS_FLAG, offsetof(type, member), NULL, 0, 0                                              \
    }
#define OPTION_NUMBER(key, name, type, member, least, most)                                                  \
    {                                                                                                        \
        key, OPTION_IS_NUMBER, offsetof(type, member), name, least, most                                     \
    }
#define OPTION_TEXT(key, type, member)                                                                       \
    {                                                                                                        \
        key, OPTION_IS_TEXT, offsetof(type, member), NULL, 0, 0                                              \
    }

/* Sets in out what key is for; false when no field has it. */
bool option_take(const OptionField *fields, size_t count, int key, const char *argument,
                 const struct argp_state *state, void *out);

/* text as a number from least to most; anything else ends the program with a usage error that names --name. */
int option_number(const struct argp_state *state, const char *name, const char *text, int least, int most);

/*
 * The options of argp and, behind them, of its children, in their order, headings and hidden ones too. Returns how many there
 * are in out, at most `most`.
 */
size_t option_list(const struct argp *argp, const struct argp_option **out, size_t most);
