/*
 * The first error wins; what the others say after the stop is a consequence of it, and dropped.
 */
#include "crew.h"

#include <pthread.h>
#include <stdlib.h>

#include "clock.h"

typedef struct Crew {
    CrewWork work;
    atomic_bool *stop;
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    int running;
    int status;
    Error error;
} Crew;

typedef struct Thread {
    pthread_t id;
    CrewMember member;
    Crew *crew;
} Thread;

/* With the mutex held. */
static void note(Crew *crew, int status, const Error *error)
{
    if (status != 0 && crew->status == 0) {
        crew->status = -1;
        crew->error = *error;
        atomic_store(crew->stop, true);
    }
}

static void *run(void *argument)
{
    Thread *thread = argument;
    Crew *crew = thread->crew;
    Error error = {0};
    int status = crew->work(&thread->member, &error);
    pthread_mutex_lock(&crew->mutex);
    note(crew, status, &error);
    crew->running--;
    pthread_cond_signal(&crew->ended);
    pthread_mutex_unlock(&crew->mutex);
    return NULL;
}

static void wait_for_all(Crew *crew, CrewIdle idle, void *context)
{
    pthread_mutex_lock(&crew->mutex);
    while (crew->running > 0) {
        struct timespec until = clock_after_ms(250);
        pthread_cond_timedwait(&crew->ended, &crew->mutex, &until);
        if (idle != NULL && crew->status == 0) {
            Error error = {0};
            pthread_mutex_unlock(&crew->mutex);
            int status = idle(context, &error);
            pthread_mutex_lock(&crew->mutex);
            note(crew, status, &error);
        }
    }
    pthread_mutex_unlock(&crew->mutex);
}

int crew_run(int size, CrewWork work, CrewIdle idle, void *context, atomic_bool *stop, Error *error)
{
    Crew crew = {.work = work, .stop = stop};
    Thread *threads = calloc((size_t)size, sizeof(*threads));
    if (threads == NULL) {
        abort();
    }
    pthread_mutex_init(&crew.mutex, NULL);
    clock_condition(&crew.ended);
    crew.running = size;
    int started = 0;
    for (; started < size; started++) {
        threads[started] =
            (Thread){.member = {.number = started, .context = context, .stop = stop}, .crew = &crew};
        if (pthread_create(&threads[started].id, NULL, run, &threads[started]) != 0) {
            break;
        }
    }
    if (started < size) {
        pthread_mutex_lock(&crew.mutex);
        crew.running -= size - started;
        pthread_mutex_unlock(&crew.mutex);
    }
    wait_for_all(&crew, idle, context);
    for (int i = 0; i < started; i++) {
        pthread_join(threads[i].id, NULL);
    }
    free(threads);
    pthread_cond_destroy(&crew.ended);
    pthread_mutex_destroy(&crew.mutex);
    if (started == 0) {
        return error_set(error, ERROR_SYSTEM, "no thread could be started");
    }
    if (crew.status != 0) {
        *error = crew.error;
    }
    return crew.status;
}
