/*
 * The functions that the roads are made of; their contract is that of Step in machine.h, with the Cutover as context.
 * Most serve both roads: they work on the side that clients leave and the one that they go to, whichever it is.
 * Private to this folder.
 */
#pragma once

#include <jansson.h>

#include "error.h"

/* traffic.c: what the proxies do. */
int step_hold_prepare(void *context, json_t *detail, Error *error);
int step_hold(void *context, json_t *detail, Error *error);
int step_let_go(void *context, const json_t *detail, Error *error);
void advise_let_go(void *context, const json_t *detail, char *out, size_t size);
int step_drain(void *context, json_t *detail, Error *error);
int step_point(void *context, json_t *detail, Error *error);
int step_restore(void *context, const json_t *detail, Error *error);
void advise_restore(void *context, const json_t *detail, char *out, size_t size);
int step_release(void *context, json_t *detail, Error *error);

/* gates.c: the fences of both sides. */
int step_fence_prepare(void *context, json_t *detail, Error *error);
int step_fence(void *context, json_t *detail, Error *error);
int step_unfence(void *context, const json_t *detail, Error *error);
void advise_unfence(void *context, const json_t *detail, char *out, size_t size);
int step_open_prepare(void *context, json_t *detail, Error *error);
int step_open(void *context, json_t *detail, Error *error);
int step_close(void *context, const json_t *detail, Error *error);
void advise_close(void *context, const json_t *detail, char *out, size_t size);
int step_admit(void *context, json_t *detail, Error *error);

/* retract.c: back behind the point of no return, when nobody has written. */
int step_release_prepare(void *context, json_t *detail, Error *error);
int step_retract(void *context, const json_t *detail, Error *error);
int step_lift_again(void *context, const json_t *detail, Error *error);
void advise_lift_again(void *context, const json_t *detail, char *out, size_t size);

/* last.c: until the side that is gone to has everything. */
int step_position(void *context, json_t *detail, Error *error);
int step_forget_position(void *context, const json_t *detail, Error *error);
int step_catch_up(void *context, json_t *detail, Error *error);
int step_catch_up_back(void *context, json_t *detail, Error *error);
int step_ahead(void *context, json_t *detail, Error *error);
int step_sequences(void *context, json_t *detail, Error *error);
int step_snapshot(void *context, json_t *detail, Error *error);
int step_forget_moment(void *context, const json_t *detail, Error *error);

/* large_steps.c: large objects, before the hold and in it. */
int step_large_ahead(void *context, json_t *detail, Error *error);
int step_large(void *context, json_t *detail, Error *error);

/* defined.c: what was defined since the checks. */
int step_definitions(void *context, json_t *detail, Error *error);

/* older.c: what had come back to a source that was started again since. */
int step_older(void *context, json_t *detail, Error *error);

/* triggers.c: those that act on replicated rows. */
int step_triggers(void *context, json_t *detail, Error *error);
int step_silence(void *context, const json_t *detail, Error *error);
void advise_silence(void *context, const json_t *detail, char *out, size_t size);

/* changed.c: what has changed since the last comparison. */
int step_changed(void *context, json_t *detail, Error *error);

/* prove.c: that nobody has passed the fence. */
int step_prove(void *context, json_t *detail, Error *error);

/* ways.c: the stream that there will be after the switch, and the end of the one before. */
int step_publish(void *context, json_t *detail, Error *error);
int step_unpublish(void *context, const json_t *detail, Error *error);
void advise_unpublish(void *context, const json_t *detail, char *out, size_t size);
int step_slot(void *context, json_t *detail, Error *error);
int step_drop_slot(void *context, const json_t *detail, Error *error);
void advise_drop_slot(void *context, const json_t *detail, char *out, size_t size);
int step_move_slot(void *context, json_t *detail, Error *error);
int step_subscribe(void *context, json_t *detail, Error *error);
int step_unsubscribe(void *context, const json_t *detail, Error *error);
void advise_unsubscribe(void *context, const json_t *detail, char *out, size_t size);
int step_count(void *context, json_t *detail, Error *error);
int step_streams(void *context, json_t *detail, Error *error);
int step_still(void *context, json_t *detail, Error *error);
int step_flow(void *context, const json_t *detail, Error *error);
void advise_flow(void *context, const json_t *detail, char *out, size_t size);
int step_stream(void *context, json_t *detail, Error *error);
int step_drop_stream(void *context, const json_t *detail, Error *error);
void advise_drop_stream(void *context, const json_t *detail, char *out, size_t size);
int step_move_stream(void *context, json_t *detail, Error *error);

/* look.c: through the proxy, while clients are held. */
int step_lookout(void *context, json_t *detail, Error *error);
int step_end_look(void *context, const json_t *detail, Error *error);
int step_look(void *context, json_t *detail, Error *error);

/* hand_over.c: slots of other consumers. */
int step_hand_over_prepare(void *context, json_t *detail, Error *error);
int step_hand_over(void *context, json_t *detail, Error *error);
int step_take_slots(void *context, const json_t *detail, Error *error);

/* after.c: once clients have gone on. */
int step_probe(void *context, json_t *detail, Error *error);
int step_gone(void *context, json_t *detail, Error *error);
int step_switched(void *context, json_t *detail, Error *error);
int step_back(void *context, json_t *detail, Error *error);

/* warm.c: before they are held. */
int step_warm_up(void *context, json_t *detail, Error *error);

/* The road's own preflight. */
int step_preflight_prepare(void *context, json_t *detail, Error *error);
int step_preflight(void *context, json_t *detail, Error *error);
