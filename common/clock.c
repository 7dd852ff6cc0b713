/*
 * A condition counts by the time of day unless it is told otherwise: a wait on such a one takes an hour too long when
 * somebody sets the clock back. Hence a constructor of our own.
 */
#include "clock.h"

#define NSEC_PER_SECOND 1000000000

static struct timespec now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time;
}

uint64_t clock_usec(void)
{
    struct timespec time = now();
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

int64_t clock_ms(void)
{
    return (int64_t)(clock_usec() / 1000);
}

double clock_seconds(void)
{
    return (double)clock_usec() / 1e6;
}

static struct timespec from_ms(int ms)
{
    return (struct timespec){.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
}

void clock_pause_ms(int ms)
{
    struct timespec pause = from_ms(ms);
    nanosleep(&pause, NULL);
}

void clock_condition(pthread_cond_t *out)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(out, &attributes);
    pthread_condattr_destroy(&attributes);
}

struct timespec clock_after_ms(int ms)
{
    struct timespec when = now(), more = from_ms(ms);
    when.tv_sec += more.tv_sec;
    when.tv_nsec += more.tv_nsec;
    if (when.tv_nsec >= NSEC_PER_SECOND) {
        when.tv_sec++;
        when.tv_nsec -= NSEC_PER_SECOND;
    }
    return when;
}
