/*
 * A thread for each, since what they wait for are answers of other hosts. Should a thread not begin, its part is done here.
 */
#include "together.h"

#include <pthread.h>
#include <stdlib.h>

typedef struct Part {
    TogetherAct act;
    void *context;
    size_t number;
    pthread_t thread;
    bool threaded;
    int status;
    Error error;
} Part;

static void *play(void *argument)
{
    Part *part = argument;
    part->status = part->act(part->context, part->number, &part->error);
    return NULL;
}

static int judge(const Part *parts, size_t count, Error *error)
{
    size_t failed = 0;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].status != 0 && failed++ == 0) {
            *error = parts[i].error;
        }
    }
    if (failed > 1) {
        error_context(error, "%zu of %zu proxies failed; the first", failed, count);
    }
    return failed == 0 ? 0 : -1;
}

int together(size_t count, TogetherAct act, void *context, Error *error)
{
    if (count == 1) {
        return act(context, 0, error);
    }
    Part *parts = calloc(count + 1, sizeof *parts);
    for (size_t i = 0; i < count; i++) {
        parts[i] = (Part){.act = act, .context = context, .number = i};
        parts[i].threaded = pthread_create(&parts[i].thread, NULL, play, &parts[i]) == 0;
    }
    for (size_t i = 0; i < count; i++) {
        if (parts[i].threaded) {
            pthread_join(parts[i].thread, NULL);
        } else {
            play(&parts[i]);
        }
    }
    int status = judge(parts, count, error);
    free(parts);
    return status;
}

int together_check(const ProxyReport *const *reports, size_t count, Error *error)
{
    for (size_t i = 0; i < count; i++) {
        int named = 0;
        for (size_t other = 0; other < count; other++) {
            named += reports[other]->port == reports[i]->port;
        }
        if (reports[i]->port != 0 && named < reports[i]->processes) {
            error_set(error, ERROR_STATE, "%d processes listen at port %d, and %d of them %s named",
                      reports[i]->processes, reports[i]->port, named, named == 1 ? "is" : "are");
            return error_hint(error,
                              "The clients of the others would not be held: name each by its own Unix socket "
                              "with a --proxy of its own.");
        }
    }
    return 0;
}
