/*
 * What is kept beside pgcat's file while clients are held, and the gate that they are held in.
 *
 * "State" is what stands in FILE.penstock-gate: a plan of plan.h with the gate's port and, from point_at on, where to go
 * on.
 */
#pragma once

#include "pgcat/pgcat.h"

/* The caller frees *state; it is NULL when nobody is held, of this migration. */
int pgcat_load_state(Proxy *proxy, json_t **state, Error *error) MUST_CHECK;
int pgcat_save_state(Proxy *proxy, const json_t *state, Error *error) MUST_CHECK;

/* The file's text and the plan for it; the caller frees both. */
int pgcat_read_plan(Proxy *proxy, char **text, json_t **plan, Error *error) MUST_CHECK;

/* From take, which waits for it as long as an answer may take, to give nobody else changes the file (file_turns.h). */
int pgcat_take_file(Proxy *proxy, bool (*stop)(void), Error *error) MUST_CHECK;
void pgcat_give_file(Proxy *proxy);

/* The same, once no other migration holds clients of this pgcat, which has one gate: that is waited for, limit_ms at most. */
int pgcat_take_idle(Proxy *proxy, int limit_ms, bool (*stop)(void), Error *error) MUST_CHECK;

int pgcat_gate_port(const json_t *state);

/* Makes sure of a gate that answers on the port of state. */
int pgcat_need_gate(Proxy *proxy, json_t *state, Error *error) MUST_CHECK;

/* The same of one that holds: a gate that an undo has opened already is left to end, and another takes its place. */
int pgcat_need_holding_gate(Proxy *proxy, json_t *state, Error *error) MUST_CHECK;
