/*
 * Triggers and rules that act on replicated rows, too: off while the stream is applied (state/silence.h), and on again before
 * clients come to the target, when nothing more of the stream is to come.
 */
#include <stdio.h>

#include "cutover.h"
#include "silence.h"
#include "steps.h"

int step_triggers(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    size_t count = 0;
    if (state_unsilence(cutover->target, cutover->migration.name, &count, error) != 0) {
        return -1;
    }
    json_object_set_new(detail, "triggers", json_integer((json_int_t)count));
    cutover_note(cutover, "%zu", count);
    return 0;
}

/* Transactions come again: before the last position is forgotten, for an applier that runs will not look. */
int step_silence(void *context, const json_t *detail, Error *error)
{
    Cutover *cutover = context;
    (void)detail;
    return state_silence_known(cutover->target, cutover->migration.name, error);
}

void advise_silence(void *context, const json_t *detail, char *out, size_t size)
{
    (void)context;
    (void)detail;
    snprintf(out, size, "penstock follow switches them off again when it starts");
}
