/*
 * Moments at which the stream stands at one point, so that a statement may take a snapshot in which all tables agree; it goes
 * on while the statement works. Between two such moments it goes on in any case.
 *
 *     a session     window_enter ──► statement ──► window_leave
 *                       │                └ it has its snapshot: seen by window_tick, and no longer waited for
 *     one thread    window_tick, a few times a second: closed ──► somebody waits ──► the stream stands ──► open
 *                                                        ▲              no more are let in, those within have │
 *                                                        └── the stream goes on ◄── their snapshots ◄─────────┘
 *
 * That a session has its snapshot is seen by its locks (14): RI_Initial_Check takes the snapshot before the query is planned,
 * and planning locks the indexes of both tables; REFRESH has its own before it locks the view (PortalRunUtility).
 */
#pragma once

#include "beside.h"

typedef struct Window Window;

/* For jobs sessions, numbered from 0. beside is borrowed. The caller frees with window_free. */
Window *window_new(Beside *beside, int jobs);
void window_free(Window *window);

/*
 * Waits until the session with that process on the target may begin its statement. whole: the stream stands until window_leave. -1
 * after window_fail.
 */
int window_enter(Window *window, int job, int pid, bool whole, Error *error) MUST_CHECK;
void window_leave(Window *window, int job);

/* On the thread that beside belongs to; instead of beside_tend. After an error all who wait are let go with one. */
int window_tick(Window *window, Error *error) MUST_CHECK;
