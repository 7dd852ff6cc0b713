/*
 * The schema as a pg_dump archive in memory (a memfd: nothing is left on disk after a crash), and restoring
 * parts of it.
 */
#pragma once

#include <stdbool.h>

#include "schema.h"
#include "text.h"

typedef struct Archive Archive;

/* Dumps the source's schema. The caller frees *out with archive_free. */
int archive_dump(const SchemaRoad *road, Archive **out, Error *error) MUST_CHECK;
void archive_free(Archive *archive);

/* What `pg_restore --list` says of a section: "pre-data" or "post-data". The caller frees *list. */
int archive_list(const Archive *archive, const char *section, Text *list, Error *error) MUST_CHECK;

typedef struct RestoreMode {
    const char *section;
    bool in_one_transaction;
    bool drop_first; /* objects of an earlier attempt are dropped before they are made */
    int jobs;
} RestoreMode;

/*
 * Restores the entries of use_list into the target. The first statement that fails ends it with ERROR_TARGET,
 * the statement shown.
 */
int archive_restore(const Archive *archive, const Text *use_list, const RestoreMode *mode,
                    Error *error) MUST_CHECK;
