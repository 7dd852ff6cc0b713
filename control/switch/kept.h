/*
 * What a round keeps of how it was called, in the detail of its first step and in the head of its ledger: whoever carries it
 * on or goes back at night types nothing of it again. Without secrets: passwords are left out of connection strings.
 */
#pragma once

#include "cutover.h"

/* {"round", "proxies", …, "source", "target", "entering_system"}; the caller frees it. */
json_t *kept_new(const Cutover *cutover);

/* Fills what the command line left open from what was kept; NULL: from the defaults. The strings are borrowed from kept. */
void kept_fill(const json_t *kept, CutoverOptions *options);

/* Where a side was, as the run that began the round reached it; false when that was not kept. */
bool kept_endpoint(const json_t *kept, DatabaseEnd end, Endpoint *out);

/* The migration as far as an undo without the target has to know it, to and from JSON. */
json_t *kept_migration(const Migration *migration);
void kept_read_migration(const json_t *kept, Migration *out);
