/*
 * Settings of pgcat's file under which clients cannot be held without an error. Pure, no I/O.
 */
#pragma once

#include <jansson.h>

#include "error.h"
#include "proxy.h"

/* Refuses such settings, one by one (proxy_found); plan is of this text. Of context, hold_limit_ms counts. */
int pgcat_check_settings(const char *text, const json_t *plan, const ProxyContext *context,
                         Error *error) MUST_CHECK;
