/*
 * Finding the pg_dump and pg_restore to use. They must not be older than the target, and are best of the
 * target's own major: those of 17 and later write a setting that servers before 17 refuse.
 */
#pragma once

#include "error.h"

/* A major of 0: not looked for yet. */
typedef struct Tools {
    char pg_dump[512];
    char pg_restore[512];
    int major;
} Tools;

/* Looks on PATH, in what pg_config calls its bindir, and in /usr/lib/postgresql/N/bin. */
int tools_find(int target_major, Tools *out, Error *error) MUST_CHECK;

/* The major in "pg_dump (PostgreSQL) 15.20 (Debian …)"; 0 when there is none. */
int tools_major(const char *version_line);

/* Whether programs of this major can restore into that target, and if so how well: less is better; -1 not at all. */
int tools_rank(int major, int target_major);
