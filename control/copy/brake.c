/*
 * The bound on bytes is a bucket that fills with time and may be overdrawn by one piece: what is overdrawn is waited for.
 */
#include "brake.h"

#include <pthread.h>
#include <stdlib.h>

#include "clock.h"

#define LOOK_MS 500
#define FIRST_PAUSE 1.0
#define LONGEST_PAUSE 30.0
#define NOBODY (-1)

struct Brake {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int jobs;
    bool drained;
    int64_t rate;
    double bucket; /* bytes that may be sent at once; below 0: sent too early */
    double filled_at;
    int blocker; /* who has met a full disk */
    double pause, again_at;
};

Brake *brake_new(int jobs)
{
    Brake *brake = calloc(1, sizeof *brake);
    if (brake == NULL) {
        abort();
    }
    pthread_mutex_init(&brake->mutex, NULL);
    clock_condition(&brake->changed);
    brake->jobs = jobs;
    brake->blocker = NOBODY;
    brake->filled_at = clock_seconds();
    return brake;
}

void brake_free(Brake *brake)
{
    if (brake != NULL) {
        pthread_cond_destroy(&brake->changed);
        pthread_mutex_destroy(&brake->mutex);
        free(brake);
    }
}

void brake_set(Brake *brake, int jobs, int64_t bytes_per_second)
{
    pthread_mutex_lock(&brake->mutex);
    brake->jobs = jobs;
    if (brake->blocker >= jobs) {
        brake->blocker = NOBODY; /* another one will meet it */
    }
    if (brake->rate != bytes_per_second) {
        brake->rate = bytes_per_second;
        brake->bucket = 0;
        brake->filled_at = clock_seconds();
    }
    pthread_cond_broadcast(&brake->changed);
    pthread_mutex_unlock(&brake->mutex);
}

static bool may_go(const Brake *brake, int number)
{
    return number < brake->jobs &&
           (brake->blocker == NOBODY || (brake->blocker == number && clock_seconds() >= brake->again_at));
}

BrakeAnswer brake_wait(Brake *brake, int number)
{
    pthread_mutex_lock(&brake->mutex);
    if (!may_go(brake, number) && !(brake->drained && number >= brake->jobs)) {
        struct timespec until = clock_after_ms(LOOK_MS);
        pthread_cond_timedwait(&brake->changed, &brake->mutex, &until);
    }
    BrakeAnswer answer = may_go(brake, number)                     ? BRAKE_GO
                         : brake->drained && number >= brake->jobs ? BRAKE_END
                                                                   : BRAKE_WAIT;
    pthread_mutex_unlock(&brake->mutex);
    return answer;
}

int brake_jobs(Brake *brake)
{
    pthread_mutex_lock(&brake->mutex);
    int jobs = brake->jobs;
    pthread_mutex_unlock(&brake->mutex);
    return jobs;
}

void brake_drained(Brake *brake, bool drained)
{
    pthread_mutex_lock(&brake->mutex);
    brake->drained = drained;
    pthread_cond_broadcast(&brake->changed);
    pthread_mutex_unlock(&brake->mutex);
}

bool brake_block(Brake *brake, int number)
{
    pthread_mutex_lock(&brake->mutex);
    bool mine = brake->blocker == NOBODY || brake->blocker == number;
    if (mine) {
        brake->pause = brake->blocker == number ? brake->pause * 2 : FIRST_PAUSE;
        brake->pause = brake->pause > LONGEST_PAUSE ? LONGEST_PAUSE : brake->pause;
        brake->again_at = clock_seconds() + brake->pause;
        brake->blocker = number;
    }
    pthread_mutex_unlock(&brake->mutex);
    return mine;
}

bool brake_is_blocked(Brake *brake)
{
    pthread_mutex_lock(&brake->mutex);
    bool blocked = brake->blocker != NOBODY;
    pthread_mutex_unlock(&brake->mutex);
    return blocked;
}

void brake_release(Brake *brake, int number)
{
    pthread_mutex_lock(&brake->mutex);
    if (brake->blocker == number) {
        brake->blocker = NOBODY;
        pthread_cond_broadcast(&brake->changed);
    }
    pthread_mutex_unlock(&brake->mutex);
}

int64_t brake_share(Brake *brake)
{
    pthread_mutex_lock(&brake->mutex);
    int64_t share = brake->rate > 0 ? brake->rate / (brake->jobs > 0 ? brake->jobs : 1) + 1 : 0;
    pthread_mutex_unlock(&brake->mutex);
    return share;
}

int brake_spend(Brake *brake, int64_t bytes)
{
    int wait = 0;
    pthread_mutex_lock(&brake->mutex);
    if (brake->rate > 0) {
        double now = clock_seconds(), most = (double)brake->rate;
        brake->bucket += (now - brake->filled_at) * (double)brake->rate;
        brake->bucket = (brake->bucket > most ? most : brake->bucket) - (double)bytes;
        brake->filled_at = now;
        wait = brake->bucket < 0 ? (int)(-brake->bucket * 1000 / (double)brake->rate) : 0;
    }
    pthread_mutex_unlock(&brake->mutex);
    return wait > 1000 ? 1000 : wait;
}
