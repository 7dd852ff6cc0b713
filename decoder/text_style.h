/*
 * The settings under which values are written as text, the same whatever the session says.
 *
 * The server keeps them in plain variables; they are set at the start of decoding and again at each
 * transaction (a reload of the configuration may have changed them), and given back when the decoding context
 * is freed.
 */
#pragma once

#include "compat.h"

typedef struct TextStyle {
    int date_style;
    int interval_style;
    int float_digits;
    int bytea_style;
} TextStyle;

/* What the session has now. */
void text_style_save(TextStyle *out);

/* ISO dates, postgres intervals, shortest exact floats, bytea in hex. */
void text_style_force(void);

void text_style_restore(const TextStyle *style);
