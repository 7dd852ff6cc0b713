/*
 * What keeps a job from being done for now and goes away by itself, or by somebody's hand: the copy waits for that instead of
 * ending. Pure.
 */
#pragma once

#include "error.h"

typedef enum Setback {
    SETBACK_NONE,     /* a fault: the copy ends with it */
    SETBACK_LOCKED,   /* somebody has the table locked against reading: others are copied first */
    SETBACK_NO_ROOM,  /* the target's disk is full: nobody goes on until one job has found room */
    SETBACK_RECOVERY, /* a standby had to cancel what we read there, or servers deadlocked: once more */
} Setback;

Setback setback_of(const Error *error);
