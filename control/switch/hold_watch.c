/*
 * Nothing is said in the first second: most transactions have ended by then. After that each new answer is said, once. The
 * connection is made when it is needed, so that a quick hold does not wait for it.
 */
#include "hold_watch.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "activity.h"
#include "clock.h"
#include "query.h"

#define FIRST_MS 1000
#define LOOK_MS 500
#define ANSWER_MS 500 /* what the end of the wait may have to wait for, when the server hangs */

struct HoldWatch {
    Cutover *cutover;
    Database *looker;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool ending;
};

/* False when it is over. */
static bool pause_for(HoldWatch *watch, int ms)
{
    struct timespec until = clock_after_ms(ms);
    pthread_mutex_lock(&watch->mutex);
    while (!watch->ending && pthread_cond_timedwait(&watch->wake, &watch->mutex, &until) == 0) {
    }
    bool goes_on = !watch->ending;
    pthread_mutex_unlock(&watch->mutex);
    return goes_on;
}

/* Whom the wait is for is told again only when it is somebody else, or does something else. */
static bool look(HoldWatch *watch, char **last)
{
    double seconds;
    char *who = NULL;
    Error ignored;
    database_limit(watch->looker, query_within(ANSWER_MS));
    if (activity_oldest(watch->looker, &seconds, &who, &ignored) != 0) {
        return false;
    }
    if (who != NULL && (*last == NULL || strcmp(*last, who) != 0)) {
        cutover_warn(watch->cutover, "clients wait; in the way on the %s since %.1f s: %s",
                     watch->cutover->road->from, seconds, who);
        free(*last);
        *last = strdup(who);
    }
    free(who);
    return true;
}

static bool reach(HoldWatch *watch)
{
    const Cutover *cutover = watch->cutover;
    bool source = cutover->road->leaving == DATABASE_SOURCE;
    Error ignored;
    return database_connect_within(source ? cutover->settings->source : cutover->settings->target,
                                   source ? DATABASE_SOURCE : DATABASE_TARGET, "look",
                                   query_within(ANSWER_MS), &watch->looker, &ignored) == 0;
}

static void destroy(HoldWatch *watch)
{
    database_close(watch->looker);
    pthread_cond_destroy(&watch->wake);
    pthread_mutex_destroy(&watch->mutex);
    free(watch);
}

static void *run(void *context)
{
    HoldWatch *watch = context;
    char *last = NULL;
    bool goes_on = pause_for(watch, FIRST_MS) && reach(watch);
    while (goes_on) {
        goes_on = look(watch, &last) && pause_for(watch, LOOK_MS);
    }
    free(last);
    return NULL;
}

HoldWatch *hold_watch_start(Cutover *cutover)
{
    HoldWatch *watch = calloc(1, sizeof *watch);
    if (watch == NULL) {
        return NULL;
    }
    watch->cutover = cutover;
    pthread_mutex_init(&watch->mutex, NULL);
    clock_condition(&watch->wake);
    if (pthread_create(&watch->thread, NULL, run, watch) == 0) {
        return watch;
    }
    destroy(watch);
    return NULL;
}

void hold_watch_end(HoldWatch *watch)
{
    if (watch == NULL) {
        return;
    }
    pthread_mutex_lock(&watch->mutex);
    watch->ending = true;
    pthread_cond_signal(&watch->wake);
    pthread_mutex_unlock(&watch->mutex);
    pthread_join(watch->thread, NULL);
    destroy(watch);
}
