/*
 * What pgcat's console shows, which is what pgcat does.
 */
#pragma once

#include "pgcat/pgcat.h"

/* That the plan is what pgcat does now, and that none of its pools is paused. */
int pgcat_check_shown(Proxy *proxy, const json_t *plan, Error *error) MUST_CHECK;

/* Makes pgcat use the text, which leads to where. first: what stands in the file now is to be kept. */
int pgcat_apply(Proxy *proxy, const json_t *plan, const char *text, const Endpoint *where, bool first,
                Error *error) MUST_CHECK;

/* RELOAD; what it replies when it refuses. */
int pgcat_reload(Proxy *proxy, Error *error) MUST_CHECK;

/* Waits until none of pgcat's servers is at work, twice in a row. */
int pgcat_drain(Proxy *proxy, const json_t *plan, const ProxyContext *context, Error *error) MUST_CHECK;
