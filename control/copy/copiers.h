/*
 * Processes that copy along, as rows of penstock.copier.
 *
 *     one of them     copier_enter ──► copier_beat, once a second ──► copier_leave
 *     the copy itself copiers_tend, once a second: those that have not been seen for long are given up
 *
 * A process that dies lets its jobs go with its connections. One whose host is cut off, or stopped, keeps them: its sessions are
 * ended, and what they did rolls back.
 */
#pragma once

#include "yard.h"

int copier_enter(Database *target, const char *migration, int64_t *id, Error *error) MUST_CHECK;

/* Says that it is there, and which processes on the target are its workers'. ERROR_STATE when it has been given up. */
int copier_beat(Database *target, int64_t id, const WorkerYard *yard, Error *error) MUST_CHECK;
int copier_leave(Database *target, int64_t id, Error *error) MUST_CHECK;

/* *any: there are some. */
int copiers_tend(const Copy *copy, bool *any, Error *error) MUST_CHECK;
