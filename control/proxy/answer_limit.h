/*
 * How long what a proxy is asked may take: its console, and where its files are (another host, a command of the operator's).
 */
#pragma once

#include <stdint.h>

/* All zero: 10 s for each answer. */
typedef struct AnswerLimit {
    int64_t deadline; /* they have to come by then (monotonic milliseconds); 0: none */
    int answer_ms;    /* each may take so long; 0: 10 s */
} AnswerLimit;

/*
 * For the next answer, milliseconds, 1 at least. usual_ms: the last one did not come in time, and those before took so long at most;
 * then it is twice that, or a second: nobody is to wait again and again for one that stands still. -1: the last one came.
 */
int answer_limit_ms(const AnswerLimit *limit, int usual_ms);
