/*
 * One mutex covers the line and the terminal: nobody else writes to stdout while a line is shown, but through
 * ticker_interrupt.
 */
#include "ticker.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "terminal.h"

#define TICK_MS 100

struct Ticker {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    const char *name; /* NULL: no line is shown */
    const char *limit;
    const char *text;
    int64_t began;
    bool ending;
};

static void draw(const Ticker *ticker)
{
    char line[512];
    snprintf(line, sizeof line, "  %-10s %7.1f s   %-8s  %s …", ticker->name,
             (double)(clock_ms() - ticker->began) / 1000.0, ticker->limit, ticker->text);
    /* What wraps cannot be taken away again. */
    printf("\r\033[K%.*s", terminal_width() - 1, line);
    fflush(stdout);
}

static void erase(void)
{
    printf("\r\033[K");
    fflush(stdout);
}

static void *run(void *context)
{
    Ticker *ticker = context;
    pthread_mutex_lock(&ticker->mutex);
    while (!ticker->ending) {
        if (ticker->name != NULL) {
            draw(ticker);
        }
        struct timespec until = clock_after_ms(TICK_MS);
        pthread_cond_timedwait(&ticker->wake, &ticker->mutex, &until);
    }
    pthread_mutex_unlock(&ticker->mutex);
    return NULL;
}

Ticker *ticker_start(void)
{
    Ticker *ticker = calloc(1, sizeof *ticker);
    pthread_mutex_init(&ticker->mutex, NULL);
    clock_condition(&ticker->wake);
    if (pthread_create(&ticker->thread, NULL, run, ticker) != 0) {
        free(ticker);
        return NULL;
    }
    return ticker;
}

void ticker_show(Ticker *ticker, const char *name, const char *limit, const char *text)
{
    if (ticker == NULL) {
        return;
    }
    pthread_mutex_lock(&ticker->mutex);
    ticker->name = name;
    ticker->limit = limit;
    ticker->text = text;
    ticker->began = clock_ms();
    draw(ticker);
    pthread_mutex_unlock(&ticker->mutex);
}

void ticker_clear(Ticker *ticker)
{
    if (ticker == NULL) {
        return;
    }
    pthread_mutex_lock(&ticker->mutex);
    if (ticker->name != NULL) {
        erase();
    }
    ticker->name = NULL;
    pthread_mutex_unlock(&ticker->mutex);
}

void ticker_interrupt(Ticker *ticker)
{
    if (ticker == NULL) {
        return;
    }
    pthread_mutex_lock(&ticker->mutex);
    if (ticker->name != NULL) {
        erase();
    }
    pthread_mutex_unlock(&ticker->mutex);
}

void ticker_stop(Ticker *ticker)
{
    if (ticker == NULL) {
        return;
    }
    ticker_clear(ticker);
    pthread_mutex_lock(&ticker->mutex);
    ticker->ending = true;
    pthread_cond_signal(&ticker->wake);
    pthread_mutex_unlock(&ticker->mutex);
    pthread_join(ticker->thread, NULL);
    pthread_cond_destroy(&ticker->wake);
    pthread_mutex_destroy(&ticker->mutex);
    free(ticker);
}
