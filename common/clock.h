/*
 * The monotonic clock, for limits and durations: it never jumps, whatever happens to the time of day, and its zero means
 * nothing. The names say the unit. Any thread may call everything here.
 */
#pragma once

#include <pthread.h>
#include <stdint.h>
#include <time.h>

uint64_t clock_usec(void);
int64_t clock_ms(void);
double clock_seconds(void);

/* Returns after that time, or sooner when a signal comes. */
void clock_pause_ms(int ms);

/* A condition for pthread_cond_timedwait with a deadline of clock_after_ms. The caller destroys it. */
void clock_condition(pthread_cond_t *out);
struct timespec clock_after_ms(int ms);
