/*
 * One thing done with many proxies at once: clients are held for as long as the slowest takes, not for the sum.
 */
#pragma once

#include <stddef.h>

#include "proxy.h"

/* What is done with the number-th; it has that proxy to itself, in a thread of its own. */
typedef int (*TogetherAct)(void *context, size_t number, Error *error);

/*
 * Runs act for each of count at once and waits until all have ended. 0 when all succeeded; else the error of the first that
 * failed by number, with a word on how many others did. Those that succeed are done all the same.
 */
int together(size_t count, TogetherAct act, void *context, Error *error) MUST_CHECK;

/*
 * Of several processes at one port all must be named: ERROR_STATE when fewer of the reports are of that port than listen
 * there. reports has count pointers.
 */
int together_check(const ProxyReport *const *reports, size_t count, Error *error) MUST_CHECK;
