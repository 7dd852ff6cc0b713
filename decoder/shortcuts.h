/*
 * Whether the decoder may use what the server does not offer: turns (turn.h) and, on 11 and 12, the count of a transaction's
 * changes (collect.h). docs/decoder.md says what each relies on. It is decided when decoding starts: on a server that is not
 * one of those that they were tried on, they are off, decoding goes the plain way, and Hello says why.
 */
#pragma once

#include "compat.h"

typedef struct Shortcuts {
    const char *turns_off;      /* why, for people; NULL: they may be used */
    const char *collecting_off; /* the same */
} Shortcuts;

/* Reads settings and the structs that the server has made. */
Shortcuts shortcuts_check(const LogicalDecodingContext *ctx);

/*
 * NULL when `version`, as server_version has it ("11.22", "15.8 (Debian 15.8-1)"), is one from major.oldest to major.newest;
 * else why not. A fork has more numbers, or a text of its own behind them.
 */
const char *shortcuts_refuse_version(const char *version, int major, int oldest, int newest);

/*
 * Raises an error when the change at hand does not name the relation that the server has opened for it: then the server's
 * structs are not those that this file was built for, and nothing that is read from them is true.
 */
void shortcuts_check_change(Relation relation, const ReorderBufferChange *change);
