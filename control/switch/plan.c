/*
 * --plan: the steps with all values filled in, from the same table that runs them.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "cutover.h"

static void print_sides(const Cutover *cutover)
{
    const Endpoint *from = &cutover->context.from, *to = &cutover->context.to;
    printf("%s of migration \"%s\": %s:%s/%s (PostgreSQL %d) to %s:%s/%s (PostgreSQL %d)\n",
           cutover->road == &road_cutover ? "Cutover" : "Rollback", cutover->migration.name, from->host,
           from->port, from->database, database_version(cutover->leaving) / 10000, to->host, to->port,
           to->database, database_version(cutover->entering) / 10000);
}

static void print_proxies(const Cutover *cutover)
{
    for (size_t i = 0; i < cutover->proxy_count; i++) {
        const CutoverProxy *proxy = &cutover->proxies[i];
        const Endpoint *to = &cutover->context.to;
        printf("  proxy %zu      %s%s%s, %s %s:%s\n", i + 1, proxy->operations->name,
               proxy->spec.config != NULL ? ", " : "", proxy->spec.config != NULL ? proxy->spec.config : "",
               proxy->operations->holds ? "pointed at" : "you point the applications at", to->host, to->port);
    }
}

static void print_ways(const Cutover *cutover)
{
    char *conninfo = database_redact(cutover->reverse_conninfo);
    if (cutover->road != &road_cutover) {
        printf("  way there    kept, unless a table cannot come back whole: slot %s on the source\n",
               cutover->migration.slot_name);
    } else if (cutover->options->no_reverse) {
        printf("  way back     none (--no-reverse): there will be no rollback\n");
    } else {
        printf("  way back     subscription on the source to %s\n",
               conninfo != NULL ? conninfo : "the target");
    }
    free(conninfo);
}

static void print_values(const Cutover *cutover)
{
    const CutoverOptions *options = cutover->options;
    printf("  limits       drain %g s, hold %g s, lag %lld bytes, transactions %g s old\n",
           options->drain_limit, options->hold_limit, (long long)options->max_lag,
           options->max_transaction_age);
    printf("  probe        %s\n", options->probe != NULL ? "as --probe says" : "with a user of the proxy");
    if (cutover->road == &road_cutover) {
        printf("  comparison   %s\n",
               options->verify ? "of the switch point, after the release" : "none (--verify)");
        printf("  warm-up      %s\n", options->warm_up ? "before clients are held" : "none (--warm-up)");
    }
}

static void print_json(const Cutover *cutover)
{
    json_t *steps = json_array();
    for (int i = 0; i < cutover->road->count; i++) {
        const Step *step = &cutover->road->steps[i];
        double limit = cutover_limit(cutover, step);
        json_t *one = json_pack("{s:s, s:s, s:b}", "step", step->name, "text", step->text, "can_be_undone",
                                step->undo != NULL);
        json_object_set_new(one, "limit_seconds", limit > 0 ? json_real(limit) : json_null());
        json_array_append_new(steps, one);
    }
    json_t *plan = json_pack("{s:s, s:o}", "migration", cutover->migration.name, "plan", steps);
    json_dumpf(plan, stdout, JSON_INDENT(2));
    fputc('\n', stdout);
    json_decref(plan);
}

void cutover_print_plan(const Cutover *cutover)
{
    if (cutover->settings->json) {
        print_json(cutover);
        return;
    }
    print_sides(cutover);
    print_proxies(cutover);
    print_ways(cutover);
    print_values(cutover);
    printf("\n");
    for (int i = 0; i < cutover->road->count; i++) {
        char limit[32];
        const Step *step = &cutover->road->steps[i];
        cutover_limit_text(cutover, step, limit);
        printf("  %2d  %-10s  %-8s  %s%s\n", i + 1, step->name, limit, step->text,
               step->undo == NULL ? ""
               : step->commits    ? " (taken back if the probe fails and nobody has written)"
                                  : " (undone if a later step fails)");
    }
}
