/*
 * What was is kept key by key, not as a whole file: what others have changed in the file since stays.
 */
#include "change.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "write_file.h"

json_t *change_new(const char *file)
{
    return json_pack("{s:s, s:[]}", "file", file, "changes");
}

void change_add(json_t *change, const char *const *table, const char *key, const char *before,
                const char *after)
{
    if (before == after || (before != NULL && after != NULL && strcmp(before, after) == 0)) {
        return;
    }
    json_t *names = json_array();
    for (; *table != NULL; table++) {
        json_array_append_new(names, json_string(*table));
    }
    json_array_append_new(
        json_object_get(change, "changes"),
        json_pack("{s:o, s:s, s:s?, s:s?}", "table", names, "key", key, "before", before, "after", after));
}

json_t *change_reversed(const json_t *change)
{
    json_t *all = json_object_get(change, "changes");
    json_t *out = change_new(json_string_value(json_object_get(change, "file")));
    for (size_t i = json_array_size(all); i-- > 0;) {
        json_t *one = json_copy(json_array_get(all, i));
        json_t *before = json_incref(json_object_get(one, "before"));
        json_object_set(one, "before", json_object_get(one, "after"));
        json_object_set_new(one, "after", before);
        json_array_append_new(json_object_get(out, "changes"), one);
    }
    return out;
}

static void path_of(const char *file, char out[PATH_MAX + 16])
{
    snprintf(out, PATH_MAX + 16, "%s.penstock-set", file);
}

static int save(const json_t *change, Error *error)
{
    char path[PATH_MAX + 16];
    path_of(json_string_value(json_object_get(change, "file")), path);
    char *text = json_dumps(change, JSON_INDENT(2));
    int status = write_file(path, text, strlen(text), 0600, error);
    free(text);
    return status;
}

int change_keep(const json_t *change, json_t **previous, Error *error)
{
    Error ignored;
    if (change_load(json_string_value(json_object_get(change, "file")), previous, &ignored) != 0) {
        *previous = NULL;
    }
    return save(change, error);
}

void change_drop(const json_t *change, json_t *previous)
{
    Error ignored;
    if (previous == NULL || save(previous, &ignored) != 0) {
        change_forget(change);
    }
    json_decref(previous);
}

int change_load(const char *file, json_t **out, Error *error)
{
    char path[PATH_MAX + 16];
    json_error_t where;
    path_of(file, path);
    *out = json_load_file(path, 0, &where);
    if (*out != NULL) {
        return 0;
    }
    if (access(path, F_OK) != 0) {
        error_set(error, ERROR_STATE, "there is nothing to take back: \"%s\" is not there", path);
    } else {
        error_set(error, ERROR_STATE, "\"%s\" cannot be read: %s", path, where.text);
    }
    return error_hint(error,
                      "Only the last penstock proxy set of this file can be taken back, and only once.");
}

void change_forget(const json_t *change)
{
    char path[PATH_MAX + 16];
    path_of(json_string_value(json_object_get(change, "file")), path);
    unlink(path);
}
