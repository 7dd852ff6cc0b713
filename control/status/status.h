/*
 * The document of view.h for people: as a text, and as a screen for who watches.
 */
#pragma once

#include <stdio.h>

#include "view.h"

/* All of it, the worst in the first line; with brief, what changes from one look to the next. */
void status_print(FILE *out, const json_t *document, bool brief);

#define STATUS_TRAIL 50

/* The lag at the last looks, the oldest first; -1 where it was not known. Zeroed it is empty. */
typedef struct StatusTrail {
    double lag[STATUS_TRAIL];
    int count;
} StatusTrail;
void status_trail_add(StatusTrail *trail, const json_t *document);

/* One screen for who watches: at most height - 1 lines of at most width characters, broken between words. */
void status_screen(FILE *out, const json_t *document, const StatusTrail *trail, int width, int height);
