/*
 * Does a proxy's file still say what the switch wrote into it? Who manages the file may write the old text back, which the next
 * RELOAD or restart takes. Only files here are looked at, and no proxy is asked.
 */
#pragma once

#include <jansson.h>

#include "error.h"
#include "ini.h"

typedef enum Still { STILL_SAME, STILL_OTHER, STILL_UNKNOWN } Still;

/*
 * remembered is what ProxyOperations.remember gave for the switch, to where it led. *where is the first place that is another, as
 * "app leads to host:port"; or why nobody knows.
 */
Still still_leads(const json_t *remembered, const Endpoint *to, char *where, size_t size);
