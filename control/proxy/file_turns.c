/*
 * A list of what is taken, and one condition for all who wait: there are tens of proxies at most. A path counts as it is when it
 * is given, and is resolved when it is taken: a file that is replaced in between keeps its path.
 */
#include "file_turns.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

typedef struct Taken {
    char *path; /* as it was given */
    char *real;
} Taken;

struct FileTurns {
    pthread_mutex_t mutex;
    pthread_cond_t given;
    Taken *taken;
    size_t count;
};

FileTurns *file_turns_new(void)
{
    FileTurns *turns = calloc(1, sizeof *turns);
    if (turns == NULL) {
        abort();
    }
    pthread_mutex_init(&turns->mutex, NULL);
    pthread_cond_init(&turns->given, NULL);
    return turns;
}

void file_turns_free(FileTurns *turns)
{
    if (turns != NULL) {
        pthread_cond_destroy(&turns->given);
        pthread_mutex_destroy(&turns->mutex);
        free(turns->taken);
        free(turns);
    }
}

/* The caller frees it. */
static char *resolve(const char *path)
{
    char *real = realpath(path, NULL);
    return real != NULL ? real : strdup(path);
}

static bool has_any(const FileTurns *turns, char *const *real, size_t count)
{
    for (size_t i = 0; i < turns->count; i++) {
        for (size_t j = 0; j < count; j++) {
            if (strcmp(turns->taken[i].real, real[j]) == 0) {
                return true;
            }
        }
    }
    return false;
}

void file_turns_take(FileTurns *turns, const char *const *paths, size_t count)
{
    char **real = calloc(count + 1, sizeof *real);
    for (size_t i = 0; i < count; i++) {
        real[i] = resolve(paths[i]);
    }
    pthread_mutex_lock(&turns->mutex);
    while (has_any(turns, real, count)) {
        pthread_cond_wait(&turns->given, &turns->mutex);
    }
    Taken *taken = realloc(turns->taken, (turns->count + count + 1) * sizeof *taken);
    if (taken == NULL) {
        abort();
    }
    turns->taken = taken;
    for (size_t i = 0; i < count; i++) {
        turns->taken[turns->count++] = (Taken){strdup(paths[i]), real[i]};
    }
    pthread_mutex_unlock(&turns->mutex);
    free(real);
}

void file_turns_give(FileTurns *turns, const char *const *paths, size_t count)
{
    pthread_mutex_lock(&turns->mutex);
    for (size_t i = 0; i < count; i++) {
        size_t at = 0;
        while (at < turns->count && strcmp(turns->taken[at].path, paths[i]) != 0) {
            at++;
        }
        if (at < turns->count) {
            free(turns->taken[at].path);
            free(turns->taken[at].real);
            turns->taken[at] = turns->taken[--turns->count];
        }
    }
    pthread_cond_broadcast(&turns->given);
    pthread_mutex_unlock(&turns->mutex);
}
