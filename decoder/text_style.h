/*
 * The settings under which values are written as text, the same whatever the session says and whenever it says it. The
 * server keeps them in plain variables.
 *
 *     text_style_save(&session)                           when decoding starts
 *     text_style_set(&exact)                              before each value
 *     text_style_set(&session)                            at the end, also after an error
 */
#pragma once

#include "compat.h"

typedef struct TextStyle {
    int date_style;
    int interval_style;
    int float_digits;
    int bytea_style;
    pg_tz *zone;
} TextStyle;

/* What the session has now. */
void text_style_save(TextStyle *out);

/* ISO dates at UTC, postgres intervals, shortest exact floats, bytea in hex. */
TextStyle text_style_exact(void);

void text_style_set(const TextStyle *style);
