/*
 * Scalar values mostly go out in binary and need none of this; elements of arrays, members of composite
 * values and bounds of ranges are written by their types' output functions, which obey these variables.
 *
 * A walsender that waits for its reader in the middle of a transaction reads a changed configuration (WalSndWriteData in
 * walsender.c, all majors), which writes to the same variables. So they are set for each value: nothing reads the
 * configuration between that and the end of an output function.
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
                       .bytea_style = bytea_output,
                       .zone = session_timezone};
}

TextStyle text_style_exact(void)
{
    return (TextStyle){.date_style = USE_ISO_DATES,
                       .interval_style = INTSTYLE_POSTGRES,
                       .float_digits = EXACT_FLOAT_DIGITS,
                       .bytea_style = BYTEA_OUTPUT_HEX,
                       .zone = pg_tzset("GMT")};
}

void text_style_set(const TextStyle *style)
{
    DateStyle = style->date_style;
    IntervalStyle = style->interval_style;
    extra_float_digits = style->float_digits;
    bytea_output = style->bytea_style;
    session_timezone = style->zone;
}
