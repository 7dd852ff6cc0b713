/*
 * In which form the values of a type are compared: one that is the same on both sides for the same value, whatever their majors
 * and settings, and another one for any other value.
 *
 *     float, geometry           their bytes, as the send functions give them: the text of floats differs between 11 and 12.
 *                               NaN is one value, as it is to the server, whatever its bits
 *     money                     the amount: its text depends on lc_monetary
 *     bytea                     as it is: as text it is twice as long
 *     "char"                    its byte: the text of those above 127 differs between 15 and 16
 *     arrays of these           their bytes
 *     composites with these     ROW(…) of the fields in their forms, or null
 *     ranges, arrays of these   text made of what they are and of the forms of bounds and elements
 *     domains                   as what they are over
 *     cube                      text made of its coordinates' bytes
 *     all others                the value itself, whose text is the same
 *
 * Not exact: floats in another extension's own type, whose text has 15 digits; and NaN in geometry, whose bits count.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "database.h"

typedef struct Forms Forms;

/* Types are asked for as they are met, and remembered. Belongs to one thread. The caller frees with forms_free. */
Forms *forms_new(void);
void forms_free(Forms *forms);

/* An SQL expression with FORM_VALUE wherever the value stands. */
#define FORM_VALUE '\1'

typedef struct Form {
    const char *sql; /* belongs to forms */
    bool bytes;      /* gives a bytea */
    const char *
        sent; /* the same of a value whose send function gives the same on both sides; NULL: of this type it does not */
} Form;

/* The form of the type with that OID at the source. */
int forms_get(Forms *forms, Database *source, uint32_t type, Form *out, Error *error) MUST_CHECK;

/* The form with value, an SQL expression, in it. The caller frees it. */
char *form_apply(const char *sql, const char *value);
