/*
 * What of the two schemas differs, for the document: asked for by --schema, and at each look where DDL is only watched. The source
 * may be away; then its part of the document says so already. After the switch it is the source that lacks what was defined
 * since, and that the way back may need.
 */
#include <string.h>

#include "drift.h"
#include "left_behind.h"
#include "mend.h"
#include "view.h"

/* So many are said with their statement: each is a question to a server. */
#define MENDED 200

static bool is_wanted(const ViewSession *session, const json_t *document)
{
    bool copied = view_in_phase(document, "copied");
    return (copied || view_in_phase(document, "switched")) && session->source != NULL &&
           view_true(document, "source.reachable") &&
           (session->schema ||
            (session->once && copied && strcmp(view_text(document, "migration.ddl"), "watch") == 0));
}

int view_gather_schema(const ViewSession *session, json_t *document, Error *error)
{
    CatalogDifferences differences;
    DriftTruth truth = view_in_phase(document, "switched") ? TRUTH_ON_TARGET : TRUTH_AT_SOURCE;
    if (!is_wanted(session, document)) {
        return 0;
    }
    if (left_behind_hide_known(session->source, session->target, session->settings->migration, error) != 0 ||
        drift_find(session->source, session->target, session->settings->migration, DRIFT_OF_WHAT_TRAVELS,
                   NULL, &differences, error) != 0) {
        return -1;
    }
    json_t *list = json_array();
    int status = 0;
    for (size_t i = 0; i < differences.count && status == 0; i++) {
        Text line = {0};
        drift_describe(&differences.list[i], &line);
        if (i < MENDED) {
            size_t size = line.size;
            text_append(&line, truth == TRUTH_ON_TARGET ? "; to mend it, at the source: " : "; to mend it: ");
            size_t told = line.size;
            status = drift_mend(session->source, session->target, truth, &differences.list[i], &line, error);
            line.data[line.size > told ? line.size : size] = '\0';
        }
        json_t *text = json_string(line.data);
        json_array_append_new(list, text != NULL ? text : json_string("(a name that is no UTF-8)"));
        text_free(&line);
    }
    json_object_set_new(document, "drift", list);
    catalog_differences_free(&differences);
    return status;
}
