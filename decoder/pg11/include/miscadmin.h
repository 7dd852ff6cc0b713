/* PostgreSQL 11: interrupts, and the styles in which dates and intervals are written. */
#pragma once

#include <signal.h>

#define USE_ISO_DATES 1
#define INTSTYLE_POSTGRES 0

extern int DateStyle;
extern int IntervalStyle;

extern volatile bool InterruptPending;
extern void ProcessInterrupts(void);

#define CHECK_FOR_INTERRUPTS()                                                                               \
    do {                                                                                                     \
        if (InterruptPending) {                                                                              \
            ProcessInterrupts();                                                                             \
        }                                                                                                    \
    } while (0)
