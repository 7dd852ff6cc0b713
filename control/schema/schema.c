/*
 * What is dumped when: for pre-data at every run, since there are no rows yet and the schema may have been mended; for
 * post-data never, its objects were written down with pre-data; for what was refused again, since mending it is what one does.
 */
#include "schema.h"

#include <stdlib.h>
#include <string.h>

#include "archive.h"
#include "checks.h"
#include "leave.h"
#include "make.h"
#include "pre_data.h"
#include "rights.h"
#include "needed_roles.h"

typedef struct Sections {
    SchemaScript pre, post;
} Sections;

static void sections_free(Sections *sections)
{
    script_free(&sections->pre);
    script_free(&sections->post);
}

/* The caller frees *out, whatever is returned. */
static int read_source(const SchemaRoad *road, Sections *out, Error *error)
{
    Archive *archive = NULL;
    *out = (Sections){0};
    if (archive_dump(road, &archive, error) != 0) {
        return -1;
    }
    int status = archive_script(archive, "pre-data", &out->pre, error);
    if (status == 0) {
        status = archive_script(archive, "post-data", &out->post, error);
    }
    archive_free(archive);
    if (status == 0) {
        status = checks_move(road, &out->pre, &out->post, error);
    }
    if (status == 0) {
        status = leave_mark(road->source, road->left, &out->pre, &out->post, error);
    }
    return status == 0 ? rights_add(road, &out->pre, error) : -1;
}

int schema_restore_pre_data(const SchemaRoad *road, Error *error)
{
    Sections sections;
    if (needed_roles_check(road, error) != 0) {
        return -1;
    }
    int status = read_source(road, &sections, error);
    if (status == 0) {
        status = pre_data_make(road, archive_encoding(road), &sections.pre, &sections.post, error);
    }
    sections_free(&sections);
    return status == 0 ? 0 : error_context(error, "restoring the schema (pre-data)");
}

/* What looks at the rows of several tables, or may act on the rows that the stream brings before it is silenced. */
static bool has_to_wait(const PlannedObject *planned)
{
    static const char *const kinds[] = {"FK CONSTRAINT", "MATERIALIZED VIEW DATA", "TRIGGER", "RULE"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(planned->object.kind, kinds[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool needs_held_back(const PlannedObject *planned, const bool *held, int most)
{
    for (size_t i = 0; i < planned->object.need_count; i++) {
        int need = planned->object.needs[i];
        if (need >= 0 && need <= most && held[need]) {
            return true;
        }
    }
    return false;
}

/* Takes what has to wait, and what needs that, out of the list; needs come before those who need them. */
static void hold_back(ObjectList *list)
{
    int most = 0;
    for (size_t i = 0; i < list->count; i++) {
        most = list->objects[i].object.dump_id > most ? list->objects[i].object.dump_id : most;
    }
    bool *held = calloc((size_t)most + 1, sizeof *held);
    if (held == NULL) {
        abort();
    }
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        PlannedObject *planned = &list->objects[i];
        if (has_to_wait(planned) || needs_held_back(planned, held, most)) {
            held[planned->object.dump_id] = true;
            planned_free(planned);
        } else {
            list->objects[kept++] = *planned;
        }
    }
    list->count = kept;
    free(held);
}

int schema_restore_post_data(const SchemaRoad *road, Error *error)
{
    ObjectList list;
    int status = objects_load(road->target, road->migration, true, OBJECT_WAITING, &list, error);
    if (status == 0 && road->options.rows_differ) {
        hold_back(&list);
    }
    if (status == 0) {
        status = make_in_parallel(road, archive_encoding(road), &list, error);
    }
    object_list_free(&list);
    return status == 0 ? 0 : error_context(error, "restoring the schema (post-data)");
}

/* Gives each refused object the statements that the source has for it now; those that are gone there are forgotten. */
static int renew(const SchemaRoad *road, const SchemaScript *script, ObjectList *list, Error *error)
{
    ObjectIndex index;
    size_t kept = 0;
    int status = 0;
    object_index_new(script, &index);
    for (size_t i = 0; i < list->count; i++) {
        PlannedObject *planned = &list->objects[i];
        const SchemaObject *found = object_index_find(&index, &planned->object);
        if (found == NULL) {
            status = status == 0 ? objects_drop(road->target, road->migration, planned, error) : status;
            planned_free(planned);
            continue;
        }
        planned->object.sql = found->sql;
        planned->object.tablespace = found->tablespace;
        planned->object.access_method = found->access_method;
        list->objects[kept++] = *planned;
    }
    list->count = kept;
    object_index_free(&index);
    return status;
}

static int restore_refused(const SchemaRoad *road, bool post_data, const SchemaScript *script, Error *error)
{
    ObjectList list;
    int status = objects_load(road->target, road->migration, post_data, OBJECT_REFUSED, &list, error);
    if (status == 0) {
        status = renew(road, script, &list, error);
    }
    if (status == 0) {
        status = make_in_parallel(road, archive_encoding(road), &list, error);
    }
    object_list_free(&list);
    return status;
}

int schema_restore_refused(const SchemaRoad *road, Error *error)
{
    Sections sections;
    int status = read_source(road, &sections, error);
    if (status == 0) {
        status = restore_refused(road, false, &sections.pre, error);
    }
    if (status == 0) {
        status = restore_refused(road, true, &sections.post, error);
    }
    sections_free(&sections);
    return status == 0 ? 0 : error_context(error, "restoring what was refused");
}
