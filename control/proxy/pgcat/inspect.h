/*
 * The checks of pgcat before a hold; see proxy.h.
 */
#pragma once

#include "pgcat/pgcat.h"

int pgcat_inspect(Proxy *proxy, const ProxyContext *context, ProxyReport *report, Error *error) MUST_CHECK;
int pgcat_find_probe(Proxy *proxy, const ProxyContext *context, ProxyReport *report, Error *error) MUST_CHECK;

/* The connect timeout of pools whose clients are held. */
int pgcat_timeout_ms(const ProxyContext *context);
