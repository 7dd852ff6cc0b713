/*
 * The schema as a pg_dump archive in memory (a memfd: nothing is left on disk after a crash), and its sections as scripts.
 */
#pragma once

#include "schema.h"
#include "script.h"

typedef struct Archive Archive;

/* Dumps the source's schema. The caller frees *out with archive_free. */
int archive_dump(const SchemaRoad *road, Archive **out, Error *error) MUST_CHECK;
void archive_free(Archive *archive);

/* The client_encoding that the scripts are in. */
const char *archive_encoding(const SchemaRoad *road);

/* The objects of a section, "pre-data" or "post-data", in order. The caller frees *out with script_free, also after an error. */
int archive_script(const Archive *archive, const char *section, SchemaScript *out, Error *error) MUST_CHECK;
