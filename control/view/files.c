/*
 * The proxies' files, from the switch until finish: where the cutover has led them is in its journal.
 */
#include "view.h"

#include <stdio.h>
#include <string.h>

#include "state.h"
#include "still.h"

/* Of the last cutover, which is the one that the phase is of. */
typedef struct Switch {
    json_t *target;  /* where clients were led */
    json_t *proxies; /* what was remembered of each */
} Switch;

static void take_line(void *context, const char *step, const char *event, const char *detail)
{
    Switch *all = context;
    const char *key = strcmp(step, "preflight") == 0 ? "target"
                      : strcmp(step, "point") == 0   ? "proxies"
                                                     : NULL;
    if (key == NULL || strcmp(event, "begin") != 0) {
        return;
    }
    json_t *said = json_loads(detail, 0, NULL);
    json_t **kept = *key == 't' ? &all->target : &all->proxies;
    json_decref(*kept);
    *kept = json_incref(json_object_get(said, key));
    json_decref(said);
}

static json_t *look(const json_t *proxy, const Endpoint *to)
{
    char where[400];
    Still still = still_leads(proxy, to, where, sizeof where);
    const char *path = json_string_value(json_object_get(proxy, "config"));
    return json_pack("{s:s, s:o, s:s}", "file", path != NULL ? path : "", "as_switched",
                     still == STILL_UNKNOWN ? json_null() : json_boolean(still == STILL_SAME), "says", where);
}

int view_gather_files(ViewSession *session, json_t *document, Error *error)
{
    Switch all = {.target = NULL};
    if (!view_in_phase(document, "switched")) {
        return 0;
    }
    if (state_read_journal(session->target, session->settings->migration, "cutover", take_line, &all,
                           error) != 0) {
        json_decref(all.target);
        json_decref(all.proxies);
        return -1;
    }
    Endpoint to = {.host = ""};
    const char *host = json_string_value(json_object_get(all.target, "host"));
    const char *port = json_string_value(json_object_get(all.target, "port"));
    snprintf(to.host, sizeof to.host, "%s", host != NULL ? host : "");
    snprintf(to.port, sizeof to.port, "%s", port != NULL ? port : "");
    json_t *files = json_array(), *proxy;
    size_t i;
    json_array_foreach(all.proxies, i, proxy)
    {
        if (json_object_get(proxy, "config") != NULL) {
            json_array_append_new(files, look(proxy, &to));
        }
    }
    json_object_set_new(document, "proxy_files", files);
    json_decref(all.target);
    json_decref(all.proxies);
    return 0;
}
