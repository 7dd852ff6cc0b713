/*
 * Back behind the point of no return, when the look through the proxy has failed: the side that clients were let to is closed
 * again, and the slot of the way back, which has stood still since both sides were equal, shows whether anybody has written
 * there. When nobody has, all can be undone as before the release.
 *
 *     hold the clients (as far as that goes: they may get through to nobody)
 *     fence the target, end its sessions
 *     no change in the slot  ──► release is taken back, and with it all else; at last the target's fence is lifted
 *     a change               ──► the fence is lifted, clients are let go where they were; the way back is a rollback
 */
#include "cutover.h"
#include "fence.h"
#include "losses.h"
#include "reverse.h"
#include "steps.h"

#define HOLD_AGAIN_MS 2000

int step_release_prepare(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    return cutover_reach_end(cutover, DATABASE_TARGET, false, error) == 0
               ? fence_remember(cutover->target, detail, error)
               : -1;
}

static bool never(void)
{
    return false;
}

/* Nobody can have written what the slot would not show. */
static int check_slot_shows_all(Cutover *cutover, Error *error)
{
    char inserts[512], nothing[512];
    ReverseState slot;
    if (reverse_state(cutover->target, &cutover->migration, &slot, error) != 0 ||
        losses_limits(cutover, inserts, nothing, sizeof inserts, error) != 0) {
        return -1;
    }
    if (!slot.exists) {
        return error_set(error, ERROR_STATE, "there is no way back, whose slot would show what was written");
    }
    return *nothing == '\0'
               ? 0
               : error_set(error, ERROR_STATE, "what was written to these tables would not come back: %.300s",
                           nothing);
}

static int check_proxies(Cutover *cutover, Error *error)
{
    for (size_t i = 0; i < cutover->proxy_count; i++) {
        const ProxyOperations *operations = cutover->proxies[i].operations;
        if (!operations->holds_again) {
            return error_set(error, ERROR_STATE, "clients behind %s are not led back by themselves",
                             operations->name);
        }
    }
    return 0;
}

static int check_nothing_written(Cutover *cutover, Error *error)
{
    int64_t changes;
    if (reverse_written(cutover->target, &cutover->migration, ways_begin(cutover), &changes, error) != 0) {
        return -1;
    }
    return changes == 0 ? 0
                        : error_set(error, ERROR_STATE,
                                    "%lld changes have been written to the target since the release",
                                    (long long)changes);
}

static void let_on(Cutover *cutover, const json_t *detail)
{
    Error failure;
    if (fence_lift(cutover->target, detail, &failure) != 0) {
        cutover_warn(cutover, "the fence of the target could not be lifted: %s", failure.message);
    }
    for (size_t i = 0; i < cutover->proxy_count; i++) {
        /* Held again, they are where they had been let go to: back to there is where this leads. */
        if (cutover->proxies[i].operations->let_go(cutover->proxies[i].proxy, &failure) != 0) {
            cutover_warn(cutover, "clients could not be let go: %s", failure.message);
        }
    }
}

int step_retract(void *context, const json_t *detail, Error *error)
{
    Cutover *cutover = context;
    ProxyContext soon = cutover->context;
    soon.drain_limit_ms = HOLD_AGAIN_MS;
    if (check_proxies(cutover, error) != 0 || check_slot_shows_all(cutover, error) != 0) {
        return -1;
    }
    for (size_t i = 0; i < cutover->proxy_count; i++) {
        Error ignored;
        if (cutover->proxies[i].operations->hold(cutover->proxies[i].proxy, &soon, &ignored) != 0) {
            continue; /* the fence keeps them from writing all the same */
        }
    }
    if (fence_raise(cutover->target, detail, true, "{}", (int)(FENCE_LIMIT_S * 1000), never, error) != 0 ||
        check_nothing_written(cutover, error) != 0) {
        let_on(cutover, detail);
        return -1;
    }
    cutover_warn(cutover, "nobody has written to the target: going back to the source");
    return 0;
}

int step_lift_again(void *context, const json_t *detail, Error *error)
{
    return fence_lift(((Cutover *)context)->target, detail, error);
}

void advise_lift_again(void *context, const json_t *detail, char *out, size_t size)
{
    fence_advise(((Cutover *)context)->context.to.database, "target", detail, out, size);
}
