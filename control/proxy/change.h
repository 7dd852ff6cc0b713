/*
 * A change of some keys of a configuration file, and what is kept of it in FILE.penstock-set so that it can be taken
 * back: {"file": FILE, "changes": [{"table": ["pools", "app"], "key": "default_role", "before": null, "after":
 * "\"primary\""}]}. Values are as they are written in the file; null is a key that is not there.
 */
#pragma once

#include <jansson.h>

#include "error.h"

/* An empty change of the file. The caller frees it. */
json_t *change_new(const char *file);

/* Adds a key, unless nothing changes. table ends with NULL. */
void change_add(json_t *change, const char *const *table, const char *key, const char *before,
                const char *after);

/* The same with before and after exchanged, last key first. The caller frees it. */
json_t *change_reversed(const json_t *change);

/* Keeps it for change_load, durable on return, in the place of what was kept before: that comes in *previous, or NULL. */
int change_keep(const json_t *change, json_t **previous, Error *error) MUST_CHECK;

/* It was not made after all: previous, which is freed, is kept again. */
void change_drop(const json_t *change, json_t *previous);

/* What was kept of file. ERROR_STATE when there is nothing. The caller frees *out. */
int change_load(const char *file, json_t **out, Error *error) MUST_CHECK;

/* Forgets what was kept. */
void change_forget(const json_t *change);
