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
#include "statement.h"

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

/*
 * Kinds that have to wait, with the stream beside: until it has passed what was copied, those that act on rows that the stream
 * brings until it stands still, and those that look at the rows of several tables until they agree and it takes as long as it
 * takes.
 */
typedef enum Turn { TURN_ANY, TURN_QUICK, TURN_LAST } Turn;

static Turn turn_of(const PlannedObject *planned)
{
    static const struct {
        const char *kind;
        Turn turn;
    } kinds[] = {{"FK CONSTRAINT", TURN_QUICK},
                 {"TRIGGER", TURN_QUICK},
                 {"RULE", TURN_QUICK},
                 {"MATERIALIZED VIEW DATA", TURN_LAST}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(planned->object.kind, kinds[i].kind) == 0) {
            return kinds[i].turn;
        }
    }
    return TURN_ANY;
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

/* Takes what comes in a later turn, and what needs that, out of the list; needs come before those who need them. */
static void hold_back(ObjectList *list, Turn turn)
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
        if (turn_of(planned) > turn || needs_held_back(planned, held, most)) {
            held[planned->object.dump_id] = true;
            planned_free(planned);
        } else {
            list->objects[kept++] = *planned;
        }
    }
    list->count = kept;
    free(held);
}

static int make_waiting(const SchemaRoad *road, Turn turn, ObjectState state, Error *error)
{
    ObjectList list;
    int status = objects_load(road->target, road->migration, true, state, &list, error);
    if (status == 0) {
        hold_back(&list, turn);
        status = make_in_parallel(road, archive_encoding(road), &list, error);
    }
    object_list_free(&list);
    return status == 0 ? 0 : error_context(error, "restoring the schema (post-data)");
}

int schema_restore_post_data(const SchemaRoad *road, Error *error)
{
    return make_waiting(road, road->options.rows_differ ? TURN_ANY : TURN_LAST, OBJECT_WAITING, error);
}

#define READ_AT_A_TIME 500

static bool can_be_not_valid(const char *sql)
{
    Text ignored = {0};
    bool can = statement_not_valid(sql, &ignored) || strstr(sql, " NOT VALID;") != NULL;
    text_free(&ignored);
    return can;
}

/* Of some foreign keys, held says which cannot be NOT VALID; the stream stands meanwhile, so they are asked about together. */
static int look_at_keys(const SchemaRoad *road, const PlannedObject *const *keys, const size_t *places,
                        size_t count, bool *held, Error *error)
{
    char *sql[READ_AT_A_TIME] = {0};
    int status = count > 0 ? objects_statements(road->target, road->migration, keys, count, sql, error) : 0;
    for (size_t i = 0; status == 0 && i < count; i++) {
        held[places[i]] = !can_be_not_valid(sql[i]);
        free(sql[i]);
    }
    return status;
}

/* Which of the list look at all rows when they are made. */
static int find_partitioned(const SchemaRoad *road, const ObjectList *list, bool *held, Error *error)
{
    const PlannedObject *keys[READ_AT_A_TIME];
    size_t places[READ_AT_A_TIME], count = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->objects[i].object.kind, "FK CONSTRAINT") == 0) {
            places[count] = i;
            keys[count++] = &list->objects[i];
        }
        if (count == READ_AT_A_TIME) {
            if (look_at_keys(road, keys, places, count, held, error) != 0) {
                return -1;
            }
            count = 0;
        }
    }
    return look_at_keys(road, keys, places, count, held, error);
}

/* A foreign key that cannot be NOT VALID looks at all rows: its turn is the last. */
static int hold_back_partitioned(const SchemaRoad *road, ObjectList *list, Error *error)
{
    size_t kept = 0;
    bool *held = calloc(list->count + 1, sizeof *held);
    if (held == NULL) {
        abort();
    }
    int status = find_partitioned(road, list, held, error);
    for (size_t i = 0; i < list->count; i++) {
        PlannedObject *planned = &list->objects[i];
        if (held[i]) {
            planned_free(planned);
        } else {
            list->objects[kept++] = *planned;
        }
    }
    list->count = kept;
    free(held);
    return status;
}

int schema_restore_quick(const SchemaRoad *road, Error *error)
{
    ObjectList list;
    int status = objects_load(road->target, road->migration, true, OBJECT_WAITING, &list, error);
    if (status == 0) {
        hold_back(&list, TURN_QUICK);
        status = hold_back_partitioned(road, &list, error);
    }
    if (status == 0) {
        status = make_in_parallel(road, archive_encoding(road), &list, error);
    }
    object_list_free(&list);
    return status == 0 ? 0 : error_context(error, "restoring the schema (post-data)");
}

int schema_validate(const SchemaRoad *road, Error *error)
{
    return make_waiting(road, TURN_LAST, OBJECT_NOT_VALID, error);
}

int schema_open_builder(const SchemaRoad *road, Database **out, Error *error)
{
    Builder builder = {0};
    int status = builder_open(road, road->target_uri, archive_encoding(road), &builder, error);
    *out = builder.session;
    return status;
}

int schema_build_early(const SchemaRoad *road, Database *session, int job, const atomic_bool *stop,
                       bool *built, Error *error)
{
    ObjectList list;
    int status = objects_take_index(session, road->migration, road->options.beside, &list, error);
    *built = status == 0 && list.count > 0;
    if (*built) {
        status = make_single(road, session, job, stop, &list.objects[0], error);
    }
    object_list_free(&list);
    return status;
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
    if (status == 0) {
        status = schema_validate(road, error);
    }
    sections_free(&sections);
    return status == 0 ? 0 : error_context(error, "restoring what was refused");
}
