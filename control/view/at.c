/*
 * Reading the document: what is not there is as good as not known.
 */
#include <string.h>

#include "view.h"

const json_t *view_at(const json_t *document, const char *path)
{
    char name[64];
    while (document != NULL && *path != '\0') {
        size_t length = strcspn(path, ".");
        if (length >= sizeof name) {
            return NULL;
        }
        memcpy(name, path, length);
        name[length] = '\0';
        document = json_object_get(document, name);
        path += length + (path[length] == '.');
    }
    return document;
}

const char *view_text(const json_t *document, const char *path)
{
    const char *text = json_string_value(view_at(document, path));
    return text != NULL ? text : "";
}

double view_number(const json_t *document, const char *path)
{
    const json_t *value = view_at(document, path);
    return json_is_number(value) ? json_number_value(value) : -1;
}

bool view_true(const json_t *document, const char *path)
{
    return json_is_true(view_at(document, path));
}

bool view_in_phase(const json_t *document, const char *phase)
{
    return strcmp(view_text(document, "phase"), phase) == 0;
}

bool view_stream_is_over(const json_t *document)
{
    return view_in_phase(document, "switched") || view_in_phase(document, "rolled back") ||
           view_in_phase(document, "finished");
}

bool view_slot_lost(const json_t *document)
{
    return view_in_phase(document, "copied") && json_is_false(view_at(document, "slot.exists"));
}

bool view_applier_failed(const json_t *document)
{
    return view_in_phase(document, "copied") && !view_true(document, "running.applier") &&
           strcmp(view_text(document, "applier.state"), "failed") == 0;
}

bool view_copy_again(const json_t *document)
{
    return view_in_phase(document, "copied") && json_array_size(view_at(document, "copy.again")) > 0;
}

bool view_way_back_stands_still(const json_t *document)
{
    return view_in_phase(document, "switched") && json_is_object(view_at(document, "reverse.slot")) &&
           !view_true(document, "reverse.slot.active");
}

bool view_applying(const json_t *document)
{
    return view_true(document, "running.applier") &&
           strcmp(view_text(document, "applier.state"), "streaming") == 0;
}
