/*
 * Whether the cutover may begin now. What stands in the way in the order in which it would be mended; the preflight of the
 * cutover looks at far more, and has the last word.
 */
#include <string.h>

#include "view.h"

static bool not_copied(const json_t *document)
{
    return !view_in_phase(document, "copied");
}

static bool unwell(const json_t *document)
{
    return json_array_size(view_at(document, "health")) > 0;
}

static bool not_streaming(const json_t *document)
{
    return strcmp(view_text(document, "applier.state"), "streaming") != 0;
}

static bool unknown_lag(const json_t *document)
{
    return view_number(document, "lag.bytes") < 0;
}

static bool far(const json_t *document)
{
    return view_number(document, "lag.bytes") > (double)USUAL_MAX_LAG;
}

json_t *view_ready(const json_t *document)
{
    static const struct {
        bool (*holds)(const json_t *document);
        const char *because; /* NULL: the first reason of health */
    } rows[] = {
        {not_copied, "the migration is not in the phase between copy and switch"},
        {unwell, NULL},
        {not_streaming, "the applier does not stream"},
        {unknown_lag, "how far behind the target is is not known"},
        {far, "the target is more than 8 MB behind"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].holds(document)) {
            const char *because = rows[i].because != NULL
                                      ? rows[i].because
                                      : view_text(json_array_get(view_at(document, "health"), 0), "reason");
            return json_pack("{s:b, s:s}", "now", 0, "because", because);
        }
    }
    return json_pack(
        "{s:b, s:s}", "now", 1, "because",
        "all is well and the target is close behind; `penstock cutover --dry-run` looks at the rest");
}
