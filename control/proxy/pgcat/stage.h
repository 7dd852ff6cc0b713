/*
 * Pools of ours in pgcat's file, in which the way to another server is tried while clients go their own: each is the copy of one
 * that moves, with a single connection, and leads there. Pure functions from text to text.
 *
 *     penstock_rehearsal_KEY_N    the copy of the plan's N-th pool, for the migration and purpose of KEY (block.h)
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "block.h"
#include "error.h"
#include "ini.h"

/* Names of pools that are ours, or another migration's, begin so. */
#define PGCAT_REHEARSAL "penstock_rehearsal_"

bool pgcat_is_stage(const char *pool);

void pgcat_stage_name(const BlockKey *key, size_t number, char out[64]);

/* Whether text has pools of that key. */
bool pgcat_is_staged(const char *text, const BlockKey *key);

/* text with these pools, leading to where. The caller frees *out. */
int pgcat_stage(const char *text, const BlockKey *key, const json_t *plan, const Endpoint *where, char **out,
                Error *error) MUST_CHECK;

/* text without them, byte for byte what it was before. The caller frees it. */
char *pgcat_strike(const char *text, const BlockKey *key);
