/*
 * Nothing here decides: the text follows from the road and from where the run came to.
 */
#include "ending.h"

#include <stdio.h>
#include <string.h>

static void print_there(const Cutover *cutover, double held)
{
    const Endpoint *to = &cutover->context.to;
    bool forward = cutover->road == &road_cutover;
    printf("\n%s. %s%s:%s/%s is the database %s. The %s stays fenced; ", forward ? "Switched" : "Rolled back",
           cutover->holds ? ""
           : forward      ? "Point the applications at the target: "
                          : "Point the applications at the source: ",
           to->host, to->port, to->database,
           forward ? "now"
           : cutover->options->accept_loss
               ? "again, with what can come back of what was written to the target"
               : "again, with everything that was written to the target",
           cutover->road->from);
    printf("%s\n", cutover->migration.phase == PHASE_COPIED
                       ? "penstock follow brings it the source's changes again, for another cutover."
                       : "penstock finish ends the migration.");
    if (cutover->holds && held > 0) {
        printf("Clients were held for %.2f s.\n", held);
    }
}

/* When only preflight was told of, there was nothing to undo. */
static void print_undone(const Cutover *cutover)
{
    bool untouched = json_array_size(cutover->told) == 1 && cutover->options->mode == CUTOVER_RUN;
    printf("\n%s: clients go on as before, on the %s%s.\n", untouched ? "Nothing was changed" : "Undone",
           cutover->road->from, untouched || cutover->holds ? "" : ", which takes them again");
}

void ending_print(const Cutover *cutover, Ending ending, json_t *comparison)
{
    const char *result = ending == ENDING_UNDONE          ? "undone"
                         : ending == ENDING_STUCK         ? "stuck"
                         : cutover->road == &road_cutover ? "switched"
                                                          : "rolled back";
    double held = cutover->hold_ended > cutover->hold_started && cutover->hold_started > 0
                      ? (double)(cutover->hold_ended - cutover->hold_started) / 1000.0
                      : 0;
    if (cutover->settings->json) {
        json_t *all = json_pack("{s:s, s:s, s:s, s:f, s:O, s:O?}", "operation", cutover->road->operation,
                                "migration", cutover->migration.name, "result", result, "hold_seconds", held,
                                "steps", cutover->told, "comparison", comparison);
        if (cutover->unproven[0] != '\0') {
            json_object_set_new(all, "unproven", json_string(cutover->unproven));
        }
        json_dumpf(all, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
        printf("\n");
        json_decref(all);
    } else if (ending == ENDING_UNDONE) {
        print_undone(cutover);
    } else if (ending != ENDING_STUCK) {
        print_there(cutover, held);
    }
    if (!cutover->settings->json) {
        fflush(stdout); /* before what is said on stderr */
    }
    json_decref(comparison);
}
