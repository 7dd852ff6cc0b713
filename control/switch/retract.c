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
#include "together.h"

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

static int check_slot(Cutover *cutover, Error *error)
{
    ReverseState slot;
    if (reverse_state(cutover->target, &cutover->migration, &slot, error) != 0) {
        return -1;
    }
    return slot.exists ? 0
                       : error_set(error, ERROR_STATE,
                                   "there is no way back, whose slot would show what was written");
}

/* Of what the slot does not show. Behind the fence: before it, somebody might still write. */
static int check_losses(Cutover *cutover, Error *error)
{
    Limits limits;
    if (losses_limits(cutover, &limits, error) != 0) {
        return -1;
    }
    return *limits.nothing == '\0'
               ? 0
               : error_set(error, ERROR_STATE, "what was written to these tables would not come back: %.300s",
                           limits.nothing);
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
    return changes == 0 ? check_losses(cutover, error)
                        : error_set(error, ERROR_STATE,
                                    "at least %lld changes have been written to the target since the release",
                                    (long long)changes);
}

/* With a limit of its own: what was tried before may have used up all of its, and lost the connection. */
static int lift(Cutover *cutover, const json_t *detail, bool fresh, Error *error)
{
    return cutover_reach_end(cutover, DATABASE_TARGET, fresh, error) == 0
               ? fence_lift(cutover->target, detail, error)
               : -1;
}

static void let_on(Cutover *cutover, const json_t *detail)
{
    Error failure;
    if (lift(cutover, detail, false, &failure) != 0 && lift(cutover, detail, true, &failure) != 0) {
        cutover_warn(cutover, "the fence of the target could not be lifted: %s", failure.message);
    }
    /* Held again, they are where they had been let go to: back to there is where this leads. */
    if (step_let_go(cutover, NULL, &failure) != 0) {
        cutover_warn(cutover, "clients could not be let go: %s", failure.message);
    }
}

static int hold_one_again(void *context, size_t number, Error *error)
{
    const Cutover *cutover = context;
    ProxyContext soon = cutover->context;
    soon.drain_limit_ms = HOLD_AGAIN_MS;
    return cutover->proxies[number].operations->hold(cutover->proxies[number].proxy, &soon, error);
}

int step_retract(void *context, const json_t *detail, Error *error)
{
    Cutover *cutover = context;
    Error ignored;
    if (check_proxies(cutover, error) != 0 || check_slot(cutover, error) != 0) {
        return -1;
    }
    /* Who cannot be held is kept from writing by the fence all the same. */
    (void)!together(cutover->proxy_count, hold_one_again, cutover, &ignored);
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
