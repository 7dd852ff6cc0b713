/*
 * What needs attention: the rows whose condition holds, in the order of how much harm waiting does. A row's id is for
 * machines; docs/commands.md lists them for `--exit-code`.
 *
 * Nothing here judges how far behind the target is: that is a matter of the operator's plans, and status shows it. After the
 * switch the stream from the source is over, and neither its slot nor its applier is missed.
 */
#include <stdio.h>
#include <string.h>

#include "view.h"

#define SILENT_SECONDS 30 /* the applier reports several times a second */
#define REASON_SIZE 1200

static bool followed(const json_t *document)
{
    return view_in_phase(document, "copied");
}

static bool held(const json_t *document)
{
    return json_is_object(view_at(document, "held"));
}

static void say_held(const json_t *document, char *out, size_t size)
{
    char since[48];
    const char *operation = view_text(document, "held.operation");
    int length = snprintf(out, size, "CLIENTS ARE HELD at the proxy for %s, since %.19s: ",
                          view_duration(view_number(document, "held.seconds"), since, sizeof since),
                          view_text(document, "held.since"));
    if (view_true(document, "running.control")) {
        snprintf(out + length, size - (size_t)length, "the %s is at work", operation);
    } else {
        snprintf(out + length, size - (size_t)length,
                 "nobody works on the %s; at once `penstock %s --resume`, or `penstock %s --undo`", operation,
                 operation, operation);
    }
}

static bool cut_short(const json_t *document)
{
    return !held(document) && !view_true(document, "running.control") &&
           ((followed(document) && view_cutover_open(document)) ||
            (view_in_phase(document, "switched") && view_rollback_open(document)));
}

static void say_applier_failed(const json_t *document, char *out, size_t size)
{
    snprintf(out, size, "the applier has failed: %s", view_text(document, "applier.error.message"));
}

static bool applier_absent(const json_t *document)
{
    return followed(document) && !view_true(document, "running.applier") && !view_applier_failed(document);
}

static bool source_lost(const json_t *document)
{
    return !view_in_phase(document, "none") && !view_in_phase(document, "finished") &&
           json_is_object(view_at(document, "source")) && !view_true(document, "source.reachable");
}

static void say_source_lost(const json_t *document, char *out, size_t size)
{
    snprintf(out, size, "the source cannot be reached: %s", view_text(document, "source.error"));
}

static bool applier_silent(const json_t *document)
{
    return followed(document) && view_true(document, "running.applier") &&
           view_number(document, "applier.report_age_seconds") > SILENT_SECONDS;
}

static void say_applier_silent(const json_t *document, char *out, size_t size)
{
    char age[48];
    snprintf(out, size, "the applier runs but has not been heard of for %s",
             view_duration(view_number(document, "applier.report_age_seconds"), age, sizeof age));
}

static bool applier_waits(const json_t *document)
{
    return followed(document) && view_true(document, "running.applier") &&
           strcmp(view_text(document, "applier.state"), "waiting") == 0;
}

static void say_applier_waits(const json_t *document, char *out, size_t size)
{
    snprintf(out, size, "the applier waits and tries again by itself: %s",
             view_text(document, "applier.error.message"));
}

static bool blocked(const json_t *document)
{
    return followed(document) && view_true(document, "running.applier") &&
           json_array_size(view_at(document, "applier.blocked")) > 0;
}

static void say_blocked(const json_t *document, char *out, size_t size)
{
    const json_t *first = json_array_get(view_at(document, "applier.blocked"), 0);
    snprintf(out, size, "the applier waits for a lock that process %.0f of the target has on %s",
             view_number(first, "pid"), view_text(first, "relation"));
}

static bool ddl_waits(const json_t *document)
{
    return followed(document) && json_is_object(view_at(document, "ddl.waiting")) &&
           view_text(document, "ddl.waiting.decision")[0] == '\0';
}

static void say_ddl_waits(const json_t *document, char *out, size_t size)
{
    snprintf(out, size, "DDL %.0f (%s) waits for a decision: penstock ddl list",
             view_number(document, "ddl.waiting.id"), view_text(document, "ddl.waiting.tag"));
}

static bool not_captured(const json_t *document)
{
    return followed(document) && strcmp(view_text(document, "migration.ddl"), "capture") == 0 &&
           json_is_false(view_at(document, "source.captures"));
}

static bool drifted(const json_t *document)
{
    return json_array_size(view_at(document, "drift")) > 0;
}

static void say_drifted(const json_t *document, char *out, size_t size)
{
    size_t count = json_array_size(view_at(document, "drift"));
    bool captured = strcmp(view_text(document, "migration.ddl"), "capture") == 0;
    bool switched = view_in_phase(document, "switched");
    snprintf(out, size, "%zu definition%s differ%s, which the %s refuses%s", count, count == 1 ? "" : "s",
             count == 1 ? "s" : "", switched ? "rollback" : "cutover",
             captured && !switched ? ", unless it is still to come in the stream" : "");
}

static void say_copy_again(const json_t *document, char *out, size_t size)
{
    const json_t *list = view_at(document, "copy.again");
    size_t more = json_array_size(list) - 1;
    snprintf(out, size, "%s has to be copied again", view_text(json_array_get(list, 0), "table"));
    if (more > 0) {
        snprintf(out + strlen(out), size - strlen(out), ", and %zu more table%s", more, more > 1 ? "s" : "");
    }
}

/* Definitions that matter to a switch are drift. */
static bool differs(const json_t *document)
{
    return (followed(document) || view_in_phase(document, "switched")) &&
           view_number(document, "verify.still_different.data") > 0;
}

static void say_differs(const json_t *document, char *out, size_t size)
{
    const json_t *first = json_array_get(view_at(document, "verify.still_different.first"), 0);
    double more = view_number(document, "verify.still_different.data") - 1;
    int length = snprintf(out, size, "%s %s was found different, or without an answer, by penstock verify",
                          view_text(first, "kind"), view_text(first, "object"));
    if (more > 0) {
        length += snprintf(out + length, size - (size_t)length, ", and %.0f more", more);
    }
    snprintf(out + length, size - (size_t)length, ", and has not been found right since");
}

static bool copy_stopped(const json_t *document)
{
    return (view_in_phase(document, "created") || view_in_phase(document, "copying")) &&
           !view_true(document, "running.control");
}

/* The first proxy's file that does not say any more what the switch wrote; NULL: none. */
static const json_t *changed_file(const json_t *document)
{
    const json_t *files = view_at(document, "proxy_files"), *file;
    size_t i;
    json_array_foreach(files, i, file)
    {
        if (json_is_false(json_object_get(file, "as_switched"))) {
            return file;
        }
    }
    return NULL;
}

static bool file_changed(const json_t *document)
{
    return changed_file(document) != NULL;
}

static void say_file_changed(const json_t *document, char *out, size_t size)
{
    const json_t *file = changed_file(document);
    snprintf(out, size,
             "the proxy's file %s was changed since the switch: %s. The proxy follows with its next RELOAD "
             "or restart",
             view_text(file, "file"), view_text(file, "says"));
}

static const struct {
    const char *id;
    bool (*holds)(const json_t *document);
    const char *reason;                                          /* or NULL: */
    void (*say)(const json_t *document, char *out, size_t size); /* writes it */
} rows[] = {
    {"clients-held", held, NULL, say_held},
    {"cut-short", cut_short, "a cutover or rollback was cut short; clients are not held", NULL},
    {"proxy-file", file_changed, NULL, say_file_changed},
    {"slot-lost", view_slot_lost, "the slot is gone, and with it what happened since", NULL},
    {"applier-failed", view_applier_failed, NULL, say_applier_failed},
    {"applier-not-running", applier_absent, "the applier is not running, and the source keeps WAL for it",
     NULL},
    {"source-unreachable", source_lost, NULL, say_source_lost},
    {"applier-silent", applier_silent, NULL, say_applier_silent},
    {"applier-waiting", applier_waits, NULL, say_applier_waits},
    {"applier-blocked", blocked, NULL, say_blocked},
    {"ddl-waits", ddl_waits, NULL, say_ddl_waits},
    {"ddl-not-captured", not_captured,
     "DDL at the source is not captured: its event triggers were removed or disabled. penstock copy makes "
     "them anew; penstock status --schema says what differs by now",
     NULL},
    {"drift", drifted, NULL, say_drifted},
    {"copy-again", view_copy_again, NULL, say_copy_again},
    {"found-different", differs, NULL, say_differs},
    {"copy-stopped", copy_stopped, "the copy is not finished, and not running", NULL},
    {"way-back-stopped", view_way_back_stands_still,
     "the way back does not stream, and the target keeps WAL for it", NULL},
};

/* What was cut in the middle of a character loses the rest of it. */
static json_t *valid_text(char *text)
{
    json_t *value = json_string(text);
    while (value == NULL && text[0] != '\0') {
        text[strlen(text) - 1] = '\0';
        value = json_string(text);
    }
    return value;
}

json_t *view_health(const json_t *document)
{
    char text[REASON_SIZE];
    json_t *reasons = json_array();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!rows[i].holds(document)) {
            continue;
        }
        if (rows[i].say != NULL) {
            rows[i].say(document, text, sizeof text);
        } else {
            snprintf(text, sizeof text, "%s", rows[i].reason);
        }
        json_array_append_new(reasons, json_pack("{s:s, s:o}", "id", rows[i].id, "reason", valid_text(text)));
    }
    return reasons;
}
