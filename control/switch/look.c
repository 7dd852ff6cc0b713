/*
 * The look through the proxy while clients are still held: what is wrong with the way to the other side shows when all can still
 * be undone. Each proxy that can has ways for it that no client knows; they are made before the hold (`lookout`), since that
 * takes a RELOAD, and gone in it (`look`).
 *
 * Once clients have been let go, `probe` looks once more, by the way that they take themselves.
 */
#include <string.h>

#include "cutover.h"
#include "records.h"
#include "steps.h"
#include "together.h"

#define LOOK_LIMIT_MS 3000

int step_lookout(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    json_t *all = json_array();
    size_t count = 0;
    json_object_set_new(detail, "looks", all);
    for (size_t i = 0; i < cutover->proxy_count; i++) {
        CutoverProxy *proxy = &cutover->proxies[i];
        json_t *ways = NULL;
        if (proxy->operations->prepare_look != NULL &&
            proxy->operations->prepare_look(proxy->proxy, &cutover->context, &ways, error) != 0) {
            return -1;
        }
        count += json_array_size(ways);
        json_array_append_new(all, ways != NULL ? ways : json_array());
    }
    cutover_note(cutover, "%zu way%s", count, count == 1 ? "" : "s");
    return last_wait_until_close(cutover, error);
}

/* What cannot be taken away keeps nobody: no client knows of it, and the next preflight takes it away. */
int step_end_look(void *context, const json_t *detail, Error *error)
{
    Cutover *cutover = context;
    (void)detail;
    (void)error;
    for (size_t i = 0; i < cutover->proxy_count; i++) {
        CutoverProxy *proxy = &cutover->proxies[i];
        Error failure;
        if (proxy->operations->end_look != NULL && proxy->operations->end_look(proxy->proxy, &failure) != 0) {
            cutover_warn(cutover,
                         "what begins with penstock_rehearsal_ may still be in the proxy's file (%s): it "
                         "does no harm, "
                         "and the next preflight takes it away",
                         failure.message);
        }
    }
    return 0;
}

static int check_answer(const Cutover *cutover, const ProbeAnswer *answer, Error *error)
{
    if (strcmp(answer->system_identifier, cutover->entering_system) != 0) {
        return error_set(error, ERROR_PROXY, "the proxy does not lead to the %s: version %d answers",
                         cutover->road->to, answer->version / 10000);
    }
    if (!answer->writable) {
        return error_set(error, ERROR_STATE, "the %s answers through the proxy, but is read-only",
                         cutover->road->to);
    }
    return 0;
}

static void note_answer(Cutover *cutover, const ProbeAnswer *answer)
{
    cutover_note(cutover, "version %d answers through the proxy, system %s, and takes writes",
                 answer->version / 10000, answer->system_identifier);
}

int look_check_answer(Cutover *cutover, const ProbeAnswer *answer, Error *error)
{
    if (check_answer(cutover, answer, error) != 0) {
        return -1;
    }
    note_answer(cutover, answer);
    return 0;
}

static const json_t *find_looks(const Cutover *cutover)
{
    const StepRecord *lookout = records_of(cutover->road, cutover->records, "lookout");
    return lookout != NULL ? json_object_get(lookout->detail, "looks") : NULL;
}

/* A look with all proxies at once. */
typedef struct Looks {
    const Cutover *cutover;
    const json_t *ways; /* of each proxy, in their order */
    ProbeAnswer answers[MAX_PROXIES];
    bool looked[MAX_PROXIES];
} Looks;

static int look_by(const Cutover *cutover, const CutoverProxy *proxy, const json_t *way, ProbeAnswer *answer,
                   Error *error)
{
    int left;
    if (cutover_hold_left(cutover, &left, error) != 0) {
        return -1;
    }
    return proxy->operations->look(proxy->proxy, way, left < LOOK_LIMIT_MS ? left : LOOK_LIMIT_MS, answer,
                                   error) == 0
               ? check_answer(cutover, answer, error)
               : -1;
}

static int look_by_one(void *context, size_t number, Error *error)
{
    Looks *looks = context;
    const json_t *way;
    size_t i;
    json_array_foreach(json_array_get(looks->ways, number), i, way)
    {
        if (look_by(looks->cutover, &looks->cutover->proxies[number], way, &looks->answers[number], error) !=
            0) {
            return -1;
        }
        looks->looked[number] = true;
    }
    return 0;
}

int step_look(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    Looks looks = {.cutover = cutover, .ways = find_looks(cutover)};
    (void)detail;
    if (together(cutover->proxy_count, look_by_one, &looks, error) != 0) {
        return error_hint(error, "Clients would have met the same. Nobody was let go there.");
    }
    cutover_note(cutover, "%s",
                 cutover->holds ? "there is no way for it: the look comes after the release"
                                : "no proxy to look through");
    for (size_t i = 0; i < cutover->proxy_count; i++) {
        if (looks.looked[i]) {
            note_answer(cutover, &looks.answers[i]);
        }
    }
    return 0;
}
