/*
 * pgcat for penstock proxy; see proxy.h.
 */
#pragma once

#include "pgcat/pgcat.h"

int pgcat_show(Proxy *proxy, json_t **rows, Error *error) MUST_CHECK;
int pgcat_set(Proxy *proxy, const ProxyWish *wish, bool dry_run, json_t **change, Error *error) MUST_CHECK;
int pgcat_set_back(Proxy *proxy, bool dry_run, json_t **change, Error *error) MUST_CHECK;
