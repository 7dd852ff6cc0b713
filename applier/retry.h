/*
 * Errors that are tried again, because they may pass, but that hardly pass by waiting alone: how often. Pure.
 */
#pragma once

#include "error.h"

typedef struct Retry {
    char sqlstate[6]; /* of the error that came last, if it is one of these */
    int times;        /* that it came without progress in between */
} Retry;

/* The error came. False when it has come too often: what to do is in its hint then. */
bool retry_again(Retry *retry, Error *error);

/* Something was applied. */
void retry_progress(Retry *retry);
