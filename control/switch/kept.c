/*
 * Options that are numbers are 0 when they were not given, and flags false: a flag that was given once stays.
 */
#include "kept.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A number of the options: where it is, and what it is when nobody said. */
static const struct {
    const char *name;
    size_t offset;
    double usual;
} numbers[] = {
    {"drain_limit", offsetof(CutoverOptions, drain_limit), 10.0},
    {"hold_limit", offsetof(CutoverOptions, hold_limit), 30.0},
    {"prepare_limit", offsetof(CutoverOptions, prepare_limit), 60.0},
    {"max_transaction_age", offsetof(CutoverOptions, max_transaction_age), 60.0},
    {"warm_up_limit", offsetof(CutoverOptions, warm_up_limit), 60.0},
    {"require_verified", offsetof(CutoverOptions, require_verified), 0.0},
    {"compare_limit", offsetof(CutoverOptions, compare_limit), 2.0},
};

static const struct {
    const char *name;
    size_t offset;
} flags[] = {
    {"verify", offsetof(CutoverOptions, verify)},
    {"no_reverse", offsetof(CutoverOptions, no_reverse)},
    {"accept_drift", offsetof(CutoverOptions, accept_drift)},
    {"accept_left_behind", offsetof(CutoverOptions, accept_left_behind)},
    {"accept_settings", offsetof(CutoverOptions, accept_settings)},
    {"accept_loss", offsetof(CutoverOptions, accept_loss)},
    {"leave_readers", offsetof(CutoverOptions, leave_readers)},
    {"end_writers", offsetof(CutoverOptions, end_writers)},
};

#define USUAL_JOBS 4
#define COUNT(array) (sizeof(array) / sizeof *(array))

static double *number_at(CutoverOptions *options, size_t i)
{
    return (double *)((char *)options + numbers[i].offset);
}

static bool *flag_at(CutoverOptions *options, size_t i)
{
    return (bool *)((char *)options + flags[i].offset);
}

static void keep_uri(json_t *out, const char *name, const char *uri)
{
    char *text = uri != NULL ? database_redact(uri) : NULL;
    if (text != NULL) {
        json_object_set_new(out, name, json_string(text));
    }
    free(text);
}

static json_t *endpoint_json(const Endpoint *endpoint)
{
    return json_pack("{s:s, s:s, s:s}", "host", endpoint->host, "port", endpoint->port, "database",
                     endpoint->database);
}

/* Unlike any other round's, also on another host. */
static json_t *new_round(void)
{
    struct timespec now;
    char text[64];
    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(text, sizeof text, "%lld.%09ld-%d", (long long)now.tv_sec, now.tv_nsec, (int)getpid());
    return json_string(text);
}

json_t *kept_new(const Cutover *cutover)
{
    CutoverOptions options = *cutover->options;
    bool forward = cutover->road == &road_cutover;
    json_t *out = json_object(), *proxies = json_array();
    for (size_t i = 0; i < options.proxy_count; i++) {
        char *text = proxy_spec_redact(options.proxies[i]);
        json_array_append_new(proxies, json_string(text != NULL ? text : ""));
        free(text);
    }
    json_t *slots = json_array();
    for (size_t i = 0; i < options.hand_over_count; i++) {
        json_array_append_new(slots, json_string(options.hand_over[i]));
    }
    json_object_set_new(out, "hand_over", slots);
    json_object_set_new(out, "round", new_round());
    json_object_set_new(out, "proxies", proxies);
    for (size_t i = 0; i < COUNT(numbers); i++) {
        json_object_set_new(out, numbers[i].name, json_real(*number_at(&options, i)));
    }
    for (size_t i = 0; i < COUNT(flags); i++) {
        json_object_set_new(out, flags[i].name, json_boolean(*flag_at(&options, i)));
    }
    json_object_set_new(out, "max_lag", json_integer((json_int_t)options.max_lag));
    json_object_set_new(out, "jobs", json_integer(options.jobs));
    if (options.address != NULL) {
        json_object_set_new(out, "address", json_string(options.address));
    }
    keep_uri(out, "probe", options.probe);
    keep_uri(out, "reverse_conninfo", options.reverse_conninfo);
    json_object_set_new(out, "source",
                        endpoint_json(forward ? &cutover->context.from : &cutover->context.to));
    json_object_set_new(out, "target",
                        endpoint_json(forward ? &cutover->context.to : &cutover->context.from));
    json_object_set_new(out, "entering_system", json_string(cutover->entering_system));
    return out;
}

static const char *text_of(const json_t *kept, const char *name, const char *given)
{
    return given != NULL ? given : json_string_value(json_object_get(kept, name));
}

void kept_fill(const json_t *kept, CutoverOptions *options)
{
    json_t *proxies = json_object_get(kept, "proxies");
    for (size_t i = 0; options->proxy_count == i && i < json_array_size(proxies) && i < MAX_PROXIES; i++) {
        options->proxies[options->proxy_count++] = json_string_value(json_array_get(proxies, i));
    }
    json_t *slots = json_object_get(kept, "hand_over");
    for (size_t i = 0; options->hand_over_count == i && i < json_array_size(slots) && i < MAX_HAND_OVER;
         i++) {
        options->hand_over[options->hand_over_count++] = json_string_value(json_array_get(slots, i));
    }
    for (size_t i = 0; i < COUNT(numbers); i++) {
        double *number = number_at(options, i);
        const json_t *was = json_object_get(kept, numbers[i].name);
        *number = *number > 0 ? *number : json_is_real(was) ? json_real_value(was) : numbers[i].usual;
    }
    for (size_t i = 0; i < COUNT(flags); i++) {
        *flag_at(options, i) = *flag_at(options, i) || json_is_true(json_object_get(kept, flags[i].name));
    }
    const json_t *lag = json_object_get(kept, "max_lag"), *jobs = json_object_get(kept, "jobs");
    options->max_lag = options->max_lag > 0   ? options->max_lag
                       : json_is_integer(lag) ? json_integer_value(lag)
                                              : USUAL_MAX_LAG;
    options->jobs = options->jobs > 0       ? options->jobs
                    : json_is_integer(jobs) ? (int)json_integer_value(jobs)
                                            : USUAL_JOBS;
    options->address = text_of(kept, "address", options->address);
    options->probe = text_of(kept, "probe", options->probe);
    options->reverse_conninfo = text_of(kept, "reverse_conninfo", options->reverse_conninfo);
}

bool kept_endpoint(const json_t *kept, DatabaseEnd end, Endpoint *out)
{
    const json_t *was = json_object_get(kept, end == DATABASE_SOURCE ? "source" : "target");
    const char *host = json_string_value(json_object_get(was, "host"));
    const char *port = json_string_value(json_object_get(was, "port"));
    const char *database = json_string_value(json_object_get(was, "database"));
    if (host == NULL || port == NULL || database == NULL) {
        return false;
    }
    snprintf(out->host, sizeof out->host, "%s", host);
    snprintf(out->port, sizeof out->port, "%s", port);
    snprintf(out->database, sizeof out->database, "%s", database);
    return true;
}

json_t *kept_migration(const Migration *migration)
{
    return json_pack("{s:s, s:s, s:s, s:s}", "name", migration->name, "slot_name", migration->slot_name,
                     "source_system", migration->source_system, "source_database",
                     migration->source_database);
}

static void read_text(const json_t *kept, const char *name, char *out, size_t size)
{
    const char *text = json_string_value(json_object_get(kept, name));
    snprintf(out, size, "%s", text != NULL ? text : "");
}

void kept_read_migration(const json_t *kept, Migration *out)
{
    *out = (Migration){.phase = PHASE_COPIED};
    read_text(kept, "name", out->name, sizeof out->name);
    read_text(kept, "slot_name", out->slot_name, sizeof out->slot_name);
    read_text(kept, "source_system", out->source_system, sizeof out->source_system);
    read_text(kept, "source_database", out->source_database, sizeof out->source_database);
}
