/*
 * What pgcat itself makes of the other server, tried in pools of ours (stage.h), which no client knows: with its own TLS and names
 * of hosts, and the names and passwords that its file has for servers.
 */
#pragma once

#include "pgcat/pgcat.h"

/*
 * pgcat logs in at context->to as each user of the plan's pools; text is its file. ERROR_TARGET with the name of the first who
 * does not get in. The file is afterwards as it was. Not while context->to is fenced: that turns everybody away.
 */
int pgcat_rehearse(Proxy *proxy, const ProxyContext *context, const char *text, const json_t *plan,
                   Error *error) MUST_CHECK;

/* Takes pools of that key away, if the file has any; only by who has the file. */
int pgcat_clean(Proxy *proxy, const BlockKey *key, Error *error) MUST_CHECK;

/* See proxy.h. */
int pgcat_prepare_look(Proxy *proxy, const ProxyContext *context, json_t **ways, Error *error) MUST_CHECK;
int pgcat_look(Proxy *proxy, const json_t *way, int limit_ms, ProbeAnswer *answer, Error *error) MUST_CHECK;
int pgcat_end_look(Proxy *proxy, Error *error) MUST_CHECK;
