/*
 * What is kept beside pgcat's file while clients are held, and the gate that they are held in.
 *
 * "State" is what stands in FILE.penstock-gate: a plan of plan.h with the gate's port and, from point_at on, where to go
 * on.
 */
#pragma once

#include "pgcat/pgcat.h"

/* The caller frees *state; it is NULL when nobody is held. */
int pgcat_load_state(Proxy *proxy, json_t **state, Error *error) MUST_CHECK;
int pgcat_save_state(Proxy *proxy, const json_t *state, Error *error) MUST_CHECK;

/* The file's text and the plan for it; the caller frees both. */
int pgcat_read_plan(Proxy *proxy, char **text, json_t **plan, Error *error) MUST_CHECK;

int pgcat_gate_port(const json_t *state);

/* Makes sure of a gate that answers on the port of state. */
int pgcat_need_gate(Proxy *proxy, json_t *state, Error *error) MUST_CHECK;

/* The same of one that holds: a gate that an undo has opened already is left to end, and another takes its place. */
int pgcat_need_holding_gate(Proxy *proxy, json_t *state, Error *error) MUST_CHECK;
