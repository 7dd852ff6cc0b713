/*
 * Scalar values mostly go out in binary and need none of this; elements of arrays, members of composite
 * values and bounds of ranges are written by their types' output functions, which obey these four variables.
 */
#include "compat.h"
#include "text_style.h"

/* The most digits that 11 takes; from 12 on any value above 0 means the shortest exact form. */
#define EXACT_FLOAT_DIGITS 3

void text_style_save(TextStyle *out)
{
    *out = (TextStyle){.date_style = DateStyle,
                       .interval_style = IntervalStyle,
                       .float_digits = extra_float_digits,
                       .bytea_style = bytea_output};
}

void text_style_force(void)
{
    DateStyle = USE_ISO_DATES;
    IntervalStyle = INTSTYLE_POSTGRES;
    extra_float_digits = EXACT_FLOAT_DIGITS;
    bytea_output = BYTEA_OUTPUT_HEX;
}

void text_style_restore(const TextStyle *style)
{
    DateStyle = style->date_style;
    IntervalStyle = style->interval_style;
    extra_float_digits = style->float_digits;
    bytea_output = style->bytea_style;
}
