/*
 * The table of contents of a pg_dump archive, as `pg_restore --list` prints it, and which of it to restore.
 * Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text.h"

typedef struct TocEntry {
    const char *line; /* in the list; without its newline */
    size_t size;
    uint32_t
        class_id; /* the catalog's OID at the source, and the object's; 0 for entries that are no object */
    uint32_t object_id;
    const char *description; /* "INDEX shop orders_open app": in the line, up to its end */
    bool skip;               /* left out */
} TocEntry;

/*
 * Reads list; *entries (*count) point into it and are the caller's to free. Entries that every target has
 * already are marked to be skipped: schema public, and comments on extensions, which CREATE EXTENSION sets.
 */
void toc_parse(const char *list, TocEntry **entries, size_t *count);

/* The entries that are not skipped, as pg_restore --use-list reads them. */
void toc_write(const TocEntry *entries, size_t count, Text *out);
