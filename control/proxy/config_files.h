/*
 * A PgBouncer configuration file and those that it includes, as one text.
 *
 *     config_files_read → flat, in which ini.h looks → config_files_edit with a changed text … → config_files_write
 *
 * flat is the text as PgBouncer reads it: an included file's follows the line that includes it, in whatever section that is.
 * An edit goes back to the file that it lies in. Nothing is kept of a failure: what was read stays as it was.
 */
#pragma once

#include <stddef.h>

#include "error.h"
#include "store.h"

#define CONFIG_FILES 32

typedef struct ConfigFile {
    char *path; /* NULL: the file itself */
    char *text;
    char *read; /* what it was when it was read */
    bool changed;
    bool kept; /* what it was before stands beside it already, and stays */
} ConfigFile;

/* A stretch of flat, and where it comes from. */
typedef struct ConfigPiece {
    size_t file, from, size, flat_at;
} ConfigPiece;

typedef struct ConfigFiles {
    char *flat;
    ConfigFile files[CONFIG_FILES];
    size_t count;
    ConfigPiece *pieces;
    size_t piece_count;
} ConfigFiles;

/* Reads the file and, through the same store, all that it includes. The caller frees *out with config_files_free. */
int config_files_read(Store *store, ConfigFiles *out, Error *error) MUST_CHECK;
void config_files_free(ConfigFiles *files);

/* Makes flat that text, which differs from it in one place that lies in one file. */
int config_files_edit(ConfigFiles *files, const char *edited, Error *error) MUST_CHECK;

/* Replaces every file that an edit has changed. With keep, what was there stays beside it. STORE_CHANGED, with an error, when one
 * is not what was read any more; those before it are replaced: all may be read and edited again. */
int config_files_write(Store *store, ConfigFiles *files, bool keep, Error *error) MUST_CHECK;

/* That each of them can be replaced; see store_check. */
int config_files_check(Store *store, const ConfigFiles *files, Error *error) MUST_CHECK;
