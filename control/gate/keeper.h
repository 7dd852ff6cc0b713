/*
 * The processes of a gate. Private to this folder.
 */
#pragma once

#include <stdio.h>

#include "splice.h"

/* What both processes of a gate have. */
typedef struct GateParts {
    int listener;
    int control;
    GateOrders *orders; /* in shared memory */
    FILE *log;
} GateParts;

/* Starts both. The caller's own descriptors stay open, and are its to close. The processes' folder is that of log_path. */
void keeper_begin(const GateParts *parts, const char *log_path);
