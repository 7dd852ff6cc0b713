/*
 * What slows those who copy down, or stops them between two pieces of work: one for a process, shared by its threads.
 *
 *     a worker    brake_wait ──► a job ──► brake_wait ──► …          brake_spend while its bytes flow
 *     the watcher brake_set, a few times a second                    brake_block, brake_release: a job met a full disk
 *
 * Who is stopped is asked again soon: nothing here waits longer than a moment, and the caller looks at its own reasons to end.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct Brake Brake;

/* jobs may work, with no bound on bytes. The caller frees with brake_free. */
Brake *brake_new(int jobs);
void brake_free(Brake *brake);

/* So many workers may work, those with the lowest numbers; bytes_per_second of all together, 0 for no bound. */
void brake_set(Brake *brake, int jobs, int64_t bytes_per_second);

typedef enum BrakeAnswer {
    BRAKE_GO,
    BRAKE_WAIT, /* ask again */
    BRAKE_END,  /* one who may not work: and there is no more work */
} BrakeAnswer;

/*
 * May worker number begin a job? Waits for half a second at most while it may not. The one that has blocked all others is
 * let through when its time has come.
 */
BrakeAnswer brake_wait(Brake *brake, int number);

/* How many may work. */
int brake_jobs(Brake *brake);

/* Somebody has found the queue empty; or it is not, any more. */
void brake_drained(Brake *brake, bool drained);

/* Worker number could not do its job for want of room: only it goes on, after a pause that grows each time. False when another
 * one has done so already. */
bool brake_block(Brake *brake, int number);

/* Whether somebody has, and is not done yet. */
bool brake_is_blocked(Brake *brake);

/* A job is done: whoever blocked for want of room has found it. */
void brake_release(Brake *brake, int number);

/* Bytes per second that one of the workers may take when all of them are at work; 0 for no bound. */
int64_t brake_share(Brake *brake);

/* Counts bytes that have been sent, and gives how many milliseconds, a thousand at most, to wait before the next. */
int brake_spend(Brake *brake, int64_t bytes);
