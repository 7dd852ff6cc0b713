/*
 * One query gives all relations with what each goes by: a partition or child its parents, a sequence the tables that own or use
 * it. The rest is a walk over them, each looked at once however many are below it.
 *
 * The session keeps the list as a setting of its own (a placeholder, which any role may set): so every query on the source can
 * go by it, also on a standby, and without a table being made there.
 */
#include "left_behind.h"

#include <stdlib.h>
#include <string.h>

static const char relations_sql[] =
    "WITH RECURSIVE wanted AS (SELECT $1::oid AS oid UNION"
    "     SELECT i.inhparent FROM pg_catalog.pg_inherits i JOIN wanted w ON w.oid = i.inhrelid),"
    " parents AS (SELECT inhrelid AS oid, array_agg(inhparent ORDER BY inhseqno) AS list"
    "     FROM pg_catalog.pg_inherits GROUP BY 1),"
    " users AS (SELECT u.sequence AS oid, array_agg(u.relation ORDER BY u.relation) AS list FROM ("
    "     SELECT d.objid AS sequence, d.refobjid AS relation FROM pg_catalog.pg_depend d"
    "      WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refclassid = "
    "'pg_catalog.pg_class'::pg_catalog.regclass"
    "        AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')"
    "     UNION SELECT d.refobjid, a.adrelid FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_attrdef a ON "
    "a.oid = "
    "d.objid"
    "      WHERE d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND d.refclassid = "
    "'pg_catalog.pg_class'::pg_catalog.regclass) u"
    "     JOIN pg_catalog.pg_class s ON s.oid = u.sequence AND s.relkind = 'S' GROUP BY 1)"
    " SELECT c.oid, n.nspname, c.relname, c.relkind, c.relispartition,"
    "   EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = "
    "'pg_catalog.pg_class'::pg_catalog.regclass"
    "              AND e.objid = c.oid AND e.deptype = 'e'),"
    "   array_to_string(CASE WHEN c.relkind = 'S' THEN u.list ELSE p.list END, ',')"
    "  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    "  LEFT JOIN parents p ON p.oid = c.oid LEFT JOIN users u ON u.oid = c.oid"
    " WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relpersistence <> 't'"
    "   AND n.nspname NOT IN ('penstock', 'information_schema') AND n.nspname !~ '^pg_'"
    "   AND ($1::oid IS NULL OR c.oid IN (SELECT oid FROM wanted))"
    " ORDER BY c.oid";

enum {
    COLUMN_OID,
    COLUMN_SCHEMA,
    COLUMN_NAME,
    COLUMN_KIND,
    COLUMN_PARTITION,
    COLUMN_EXTENSION,
    COLUMN_ABOVE
};

/* What is known of a relation while the walk goes on. */
typedef struct Node {
    uint32_t oid;
    const char *schema, *name, *above; /* above: OIDs, with commas between */
    char kind;
    bool is_partition, of_extension;
    bool met[SELECTION_RULES];                        /* looked at for the rule */
    const SelectionPattern *pattern[SELECTION_RULES]; /* that fits it, or what it is a part of */
    bool judged, left;
    char *reason;
} Node;

typedef struct Walk {
    const Selection *selection;
    Node *nodes; /* by OID */
    size_t count;
    bool *used; /* by pattern */
} Walk;

static Node *node_at(const Walk *walk, uint32_t oid)
{
    size_t low = 0, high = walk->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (walk->nodes[middle].oid < oid) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < walk->count && walk->nodes[low].oid == oid ? &walk->nodes[low] : NULL;
}

/* The next relation of above, a cursor into it; NULL at the end. Those that are not among the nodes are passed over. */
static Node *next_above(const Walk *walk, const char **above)
{
    while (**above != '\0') {
        char *end;
        uint32_t oid = (uint32_t)strtoul(*above, &end, 10);
        *above = *end == ',' ? end + 1 : end;
        Node *node = node_at(walk, oid);
        if (node != NULL) {
            return node;
        }
    }
    return NULL;
}

/* The first of the rule that fits; all that do are of use. */
static const SelectionPattern *match_self(const Walk *walk, SelectionRule rule, const Node *node)
{
    const SelectionPattern *found = NULL;
    for (size_t i = 0; i < walk->selection->count; i++) {
        const SelectionPattern *pattern = &walk->selection->patterns[i];
        if (selection_fits(pattern, rule, node->schema, node->name)) {
            walk->used[i] = true;
            found = found != NULL ? found : pattern;
        }
    }
    return found;
}

/* The pattern of the rule that fits the relation or what it is a part of. PostgreSQL allows no circles among parents. */
static const SelectionPattern *match(const Walk *walk, SelectionRule rule, Node *node)
{
    if (!node->met[rule]) {
        node->met[rule] = true;
        node->pattern[rule] = match_self(walk, rule, node);
        const char *above = node->kind != 'S' ? node->above : "";
        for (Node *parent = next_above(walk, &above); parent != NULL && node->pattern[rule] == NULL;
             parent = next_above(walk, &above)) {
            node->pattern[rule] = match(walk, rule, parent);
        }
    }
    return node->pattern[rule];
}

static char *reason_text(const char *format, const char *first, const char *second)
{
    Text text = {0};
    text_printf(&text, format, first, second);
    return text.data;
}

static bool judge(const Walk *walk, Node *node);

/* A child of a table that is not made cannot be made; a partition can, as a table. */
static char *inherits_reason(const Walk *walk, const Node *node)
{
    const char *above = node->is_partition ? "" : node->above;
    for (Node *parent = next_above(walk, &above); parent != NULL; parent = next_above(walk, &above)) {
        if (judge(walk, parent)) {
            return reason_text("inherits from %s.%s", parent->schema, parent->name);
        }
    }
    return NULL;
}

/* NULL: not left; a sequence that no table has goes by its name, as all others do. */
static char *own_reason(const Walk *walk, Node *node)
{
    const SelectionPattern *exclude = match(walk, SELECTION_EXCLUDE, node);
    if (exclude != NULL) {
        return reason_text("--%s %s", "exclude", exclude->text);
    }
    if (selection_has(walk->selection, SELECTION_ONLY) && match(walk, SELECTION_ONLY, node) == NULL) {
        return reason_text("no --%s fits%s", "only", "");
    }
    return inherits_reason(walk, node);
}

static char *sequence_reason(const Walk *walk, Node *node)
{
    const char *above = node->above;
    const Node *user = NULL;
    for (Node *table = next_above(walk, &above); table != NULL; table = next_above(walk, &above)) {
        if (!judge(walk, table)) {
            return NULL;
        }
        user = user != NULL ? user : table;
    }
    return user != NULL ? reason_text("of %s.%s", user->schema, user->name) : own_reason(walk, node);
}

/* Whether all of it stays behind. */
static bool judge(const Walk *walk, Node *node)
{
    if (!node->judged) {
        node->judged = true;
        node->reason = node->kind == 'S' ? sequence_reason(walk, node) : own_reason(walk, node);
        node->left = node->reason != NULL;
    }
    return node->left;
}

static void read_node(const PGresult *rows, int row, Node *out)
{
    *out = (Node){.oid = (uint32_t)strtoul(PQgetvalue(rows, row, COLUMN_OID), NULL, 10),
                  .schema = PQgetvalue(rows, row, COLUMN_SCHEMA),
                  .name = PQgetvalue(rows, row, COLUMN_NAME),
                  .above = PQgetvalue(rows, row, COLUMN_ABOVE),
                  .kind = PQgetvalue(rows, row, COLUMN_KIND)[0],
                  .is_partition = PQgetvalue(rows, row, COLUMN_PARTITION)[0] == 't',
                  .of_extension = PQgetvalue(rows, row, COLUMN_EXTENSION)[0] == 't'};
}

static bool has_contents(char kind)
{
    return strchr("rpm", kind) != NULL;
}

/* Takes what stays behind of node into out. */
static void take(const Walk *walk, Node *node, LeftBehind *out)
{
    bool all = judge(walk, node);
    const SelectionPattern *rows = match(walk, SELECTION_SCHEMA_ONLY, node);
    if (!all && rows != NULL && has_contents(node->kind)) {
        node->reason = reason_text("--%s %s", "schema-only", rows->text);
    }
    if (node->reason == NULL || (all && node->of_extension && !has_contents(node->kind))) {
        free(node->reason);
        out->kept++;
        return;
    }
    out->list[out->count++] = (LeftRelation){.oid = node->oid,
                                             .kind = node->kind,
                                             .extent = all && !node->of_extension ? LEFT_ALL : LEFT_ROWS,
                                             .schema = node->schema,
                                             .name = node->name,
                                             .reason = node->reason};
}

static void name_idle(const Walk *walk, Text *out)
{
    for (size_t i = 0; i < walk->selection->count; i++) {
        const SelectionPattern *pattern = &walk->selection->patterns[i];
        if (!walk->used[i]) {
            text_printf(out, "%s--%s %s", out->size > 0 ? ", " : "", selection_rule_name(pattern->rule),
                        pattern->text);
        }
    }
}

static void *zeroed(size_t count, size_t size)
{
    void *memory = calloc(count + 1, size);
    if (memory == NULL) {
        abort();
    }
    return memory;
}

int left_behind_find(Database *source, const Selection *selection, const char *relation, LeftBehind *out,
                     Error *error)
{
    *out = (LeftBehind){0};
    if (database_query(source, &out->rows, error, relations_sql, 1, relation) != 0) {
        return error_context(error, "looking for what stays behind");
    }
    Walk walk = {.selection = selection, .count = (size_t)PQntuples(out->rows)};
    walk.nodes = zeroed(walk.count, sizeof *walk.nodes);
    walk.used = zeroed(selection->count, sizeof *walk.used);
    out->list = zeroed(walk.count, sizeof *out->list);
    for (size_t i = 0; i < walk.count; i++) {
        read_node(out->rows, (int)i, &walk.nodes[i]);
    }
    for (size_t i = 0; i < walk.count; i++) {
        take(&walk, &walk.nodes[i], out);
    }
    name_idle(&walk, &out->idle);
    free(walk.nodes);
    free(walk.used);
    return 0;
}

void left_behind_free(LeftBehind *left)
{
    for (size_t i = 0; i < left->count; i++) {
        free(left->list[i].reason);
    }
    free(left->list);
    text_free(&left->idle);
    PQclear(left->rows);
    *left = (LeftBehind){0};
}

static int by_oid(const void *key, const void *entry)
{
    uint32_t oid = *(const uint32_t *)key, other = ((const LeftRelation *)entry)->oid;
    return (oid > other) - (oid < other);
}

const LeftRelation *left_behind_at(const LeftBehind *left, uint32_t oid)
{
    return left->count > 0 ? bsearch(&oid, left->list, left->count, sizeof *left->list, by_oid) : NULL;
}

/* --- in a session of the source --- */

static int set_lists(Database *source, const char *all, const char *rows, Error *error)
{
    return database_execute(source, error,
                            "SELECT pg_catalog.set_config('penstock.left_behind', $1, false),"
                            "       pg_catalog.set_config('penstock.left_rows', $2, false)",
                            2, all != NULL ? all : "", rows != NULL ? rows : "");
}

int left_behind_hide(Database *source, const LeftBehind *left, Error *error)
{
    Text lists[2] = {{0}, {0}};
    for (size_t i = 0; i < left->count; i++) {
        Text *list = &lists[left->list[i].extent];
        text_printf(list, "%s%u", list->size > 0 ? "," : "", left->list[i].oid);
    }
    int status = set_lists(source, lists[LEFT_ALL].data, lists[LEFT_ROWS].data, error);
    text_free(&lists[LEFT_ALL]);
    text_free(&lists[LEFT_ROWS]);
    return status;
}

/* --- in the state --- */

static int list_known(Database *target, const char *migration, const char *extent, char **out, Error *error)
{
    return database_value(
        target, out, error,
        "SELECT string_agg(l.source_oid::text, ',' ORDER BY l.source_oid) FROM "
        "penstock.left_behind l WHERE l.migration = $1 AND ($2::text IS NULL OR l.extent = $2)",
        2, migration, extent);
}

int left_behind_hide_known(Database *source, Database *target, const char *migration, Error *error)
{
    char *all = NULL, *rows = NULL;
    int status = list_known(target, migration, "all", &all, error) == 0
                     ? list_known(target, migration, "rows", &rows, error)
                     : -1;
    if (status == 0) {
        status = set_lists(source, all, rows, error);
    }
    free(all);
    free(rows);
    return status;
}

int left_behind_oids(Database *target, const char *migration, char **out, Error *error)
{
    return list_known(target, migration, NULL, out, error);
}

enum { ARRAY_OID, ARRAY_SCHEMA, ARRAY_NAME, ARRAY_KIND, ARRAY_EXTENT, ARRAY_REASON, ARRAYS };

static void make_arrays(const LeftBehind *left, Text arrays[ARRAYS])
{
    for (size_t i = 0; i < left->count; i++) {
        const LeftRelation *relation = &left->list[i];
        Text oid = {0};
        text_printf(&oid, "%u", relation->oid);
        text_array_add(&arrays[ARRAY_OID], oid.data);
        text_array_add(&arrays[ARRAY_SCHEMA], relation->schema);
        text_array_add(&arrays[ARRAY_NAME], relation->name);
        text_array_add(&arrays[ARRAY_KIND], (const char[]){relation->kind, '\0'});
        text_array_add(&arrays[ARRAY_EXTENT], relation->extent == LEFT_ALL ? "all" : "rows");
        text_array_add(&arrays[ARRAY_REASON], relation->reason);
        text_free(&oid);
    }
    for (int i = 0; i < ARRAYS; i++) {
        text_array_end(&arrays[i]);
    }
}

static const char conflict_sql[] =
    "SELECT pg_catalog.format('table %s.%s was copied and is called %s.%s now, by which it would stay behind "
    "(%s)',"
    "         r.schema_name, r.table_name, u.s, u.n, u.w)"
    "  FROM unnest($2::oid[], $3::text[], $4::text[], $5::text[]) AS u (o, s, n, w)"
    "  JOIN penstock.relation r ON r.migration = $1 AND r.source_oid = u.o"
    " UNION ALL SELECT pg_catalog.format('table %s.%s was copied, and is another one now, which would stay "
    "behind (%s)',"
    "         r.schema_name, r.table_name, u.w)"
    "  FROM unnest($2::oid[], $3::text[], $4::text[], $5::text[]) AS u (o, s, n, w)"
    "  JOIN penstock.relation r ON r.migration = $1 AND r.schema_name = u.s AND r.table_name = u.n"
    "       AND r.source_oid <> u.o ORDER BY 1 LIMIT 1";

static const char write_sql[] =
    "WITH gone AS (DELETE FROM penstock.left_behind l WHERE l.migration = $1"
    "       AND NOT EXISTS (SELECT FROM unnest($2::oid[]) AS o WHERE o = l.source_oid))"
    " INSERT INTO penstock.left_behind AS l (migration, source_oid, schema_name, relation_name, kind, "
    "extent, reason)"
    " SELECT $1, o, s, n, k, e, w"
    "   FROM unnest($2::oid[], $3::text[], $4::text[], $5::\"char\"[], $6::text[], $7::text[]) AS u (o, s, "
    "n, k, e, w)"
    " ON CONFLICT (migration, source_oid) DO UPDATE SET schema_name = excluded.schema_name,"
    "    relation_name = excluded.relation_name, extent = excluded.extent, reason = excluded.reason"
    "  WHERE (l.schema_name, l.relation_name, l.extent, l.reason)"
    "        <> (excluded.schema_name, excluded.relation_name, excluded.extent, excluded.reason)";

static int check_moved(Database *target, const char *migration, const Text arrays[ARRAYS], Error *error)
{
    char *conflict = NULL;
    if (database_value(target, &conflict, error, conflict_sql, 5, migration, arrays[ARRAY_OID].data,
                       arrays[ARRAY_SCHEMA].data, arrays[ARRAY_NAME].data, arrays[ARRAY_REASON].data) != 0) {
        return -1;
    }
    if (conflict == NULL) {
        return 0;
    }
    error_set(error, ERROR_STATE, "what is moved has changed: %s", conflict);
    free(conflict);
    return error_hint(error, "Give it the name and the place back that it had, at the source.");
}

/* Writes all that stays behind in place of what was written before. */
static int write_down(Database *target, const char *migration, const LeftBehind *left, Error *error)
{
    Text arrays[ARRAYS] = {{0}};
    make_arrays(left, arrays);
    int status = check_moved(target, migration, arrays, error);
    if (status == 0) {
        status = database_execute(target, error, write_sql, 7, migration, arrays[ARRAY_OID].data,
                                  arrays[ARRAY_SCHEMA].data, arrays[ARRAY_NAME].data, arrays[ARRAY_KIND].data,
                                  arrays[ARRAY_EXTENT].data, arrays[ARRAY_REASON].data);
    }
    for (int i = 0; i < ARRAYS; i++) {
        text_free(&arrays[i]);
    }
    return status == 0 ? 0 : error_context(error, "writing down what stays behind");
}

int left_behind_renew(Database *source, Database *target, const char *migration, Error *error)
{
    Selection selection;
    LeftBehind left = {0};
    if (selection_load(target, migration, &selection, error) != 0) {
        return -1;
    }
    int status = selection.count > 0 ? left_behind_find(source, &selection, NULL, &left, error) : 0;
    if (status == 0) {
        status = write_down(target, migration, &left, error);
    }
    if (status == 0) {
        status = left_behind_hide(source, &left, error);
    }
    left_behind_free(&left);
    selection_free(&selection);
    return status;
}

/* One more, or none when the migration moves it. */
static int write_one(Database *target, const char *migration, const LeftRelation *relation, bool *written,
                     Error *error)
{
    Text oid = {0};
    text_printf(&oid, "%u", relation->oid);
    int status = database_found(
        target, written, error,
        "INSERT INTO penstock.left_behind AS l (migration, source_oid, schema_name, relation_name, kind, "
        "extent, reason)"
        " SELECT $1, $2::oid, $3, $4, $5::\"char\", $6, $7 WHERE NOT EXISTS (SELECT FROM penstock.relation r"
        "     WHERE r.migration = $1 AND (r.source_oid = $2::oid OR r.schema_name = $3 AND r.table_name = "
        "$4))"
        " ON CONFLICT (migration, source_oid) DO UPDATE SET reason = excluded.reason RETURNING 1",
        7, migration, oid.data, relation->schema, relation->name, (const char[]){relation->kind, '\0'},
        relation->extent == LEFT_ALL ? "all" : "rows", relation->reason);
    text_free(&oid);
    return status;
}

int left_behind_judge(Database *source, Database *target, const char *migration, const char *oid, bool *left,
                      Error *error)
{
    Selection selection;
    LeftBehind found = {0};
    if (database_found(target, left, error,
                       "SELECT 1 FROM penstock.left_behind WHERE migration = $1 AND source_oid = $2::oid", 2,
                       migration, oid) != 0) {
        return -1;
    }
    if (*left) {
        return 0; /* by what made it, perhaps: it may have gone at the source since */
    }
    if (selection_load(target, migration, &selection, error) != 0) {
        return -1;
    }
    int status = selection.count > 0 ? left_behind_find(source, &selection, oid, &found, error) : 0;
    const LeftRelation *relation =
        status == 0 ? left_behind_at(&found, (uint32_t)strtoul(oid, NULL, 10)) : NULL;
    if (relation != NULL) {
        status = write_one(target, migration, relation, left, error);
    }
    left_behind_free(&found);
    selection_free(&selection);
    return status;
}

/* Of each table the first parent that stays behind, and whether it has one that does not. */
static const char made_sql[] =
    "SELECT t.value ->> 'oid', t.value ->> 'schema', t.value ->> 'name', t.value ->> 'kind', "
    "  (SELECT concat('a part of ', l.schema_name, '.', l.relation_name) FROM "
    "     jsonb_array_elements_text(t.value -> 'parents') p JOIN penstock.left_behind l ON l.migration = $1 "
    "       AND l.source_oid = p.value::oid AND l.extent = 'all' LIMIT 1), "
    "  EXISTS (SELECT FROM jsonb_array_elements_text(t.value -> 'parents') p WHERE NOT EXISTS (SELECT FROM "
    "     penstock.left_behind l WHERE l.migration = $1 AND l.source_oid = p.value::oid)) "
    "FROM jsonb_array_elements($2::jsonb) t";

enum { MADE_OID, MADE_SCHEMA, MADE_NAME, MADE_KIND, MADE_PARENT, MADE_KEPT_PARENT };

static int judge_made(Database *target, const char *migration, const Selection *selection,
                      const PGresult *rows, int row, Error *error)
{
    bool written;
    LeftRelation relation = {.oid = (uint32_t)strtoul(PQgetvalue(rows, row, MADE_OID), NULL, 10),
                             .kind = PQgetvalue(rows, row, MADE_KIND)[0],
                             .schema = PQgetvalue(rows, row, MADE_SCHEMA),
                             .name = PQgetvalue(rows, row, MADE_NAME)};
    const SelectionPattern *exclude =
        selection_match(selection, SELECTION_EXCLUDE, relation.schema, relation.name);
    const SelectionPattern *rows_only =
        selection_match(selection, SELECTION_SCHEMA_ONLY, relation.schema, relation.name);
    bool kept = PQgetvalue(rows, row, MADE_KEPT_PARENT)[0] == 't' ||
                !selection_has(selection, SELECTION_ONLY) ||
                selection_match(selection, SELECTION_ONLY, relation.schema, relation.name) != NULL;
    if (!PQgetisnull(rows, row, MADE_PARENT)) {
        relation.reason = reason_text("%s%s", PQgetvalue(rows, row, MADE_PARENT), "");
    } else if (exclude != NULL) {
        relation.reason = reason_text("--%s %s", "exclude", exclude->text);
    } else if (!kept) {
        relation.reason = reason_text("no --%s fits%s", "only", "");
    } else if (rows_only != NULL) {
        relation.extent = LEFT_ROWS;
        relation.reason = reason_text("--%s %s", "schema-only", rows_only->text);
    }
    int status = relation.reason != NULL ? write_one(target, migration, &relation, &written, error) : 0;
    free(relation.reason);
    return status;
}

int left_behind_judge_made(Database *target, const char *migration, const char *tables, Error *error)
{
    Selection selection;
    PGresult *rows = NULL;
    if (selection_load(target, migration, &selection, error) != 0) {
        return -1;
    }
    int status =
        selection.count > 0 ? database_query(target, &rows, error, made_sql, 2, migration, tables) : 0;
    for (int i = 0; status == 0 && i < PQntuples(rows); i++) {
        status = judge_made(target, migration, &selection, rows, i, error);
    }
    PQclear(rows);
    selection_free(&selection);
    return status == 0 ? 0 : error_context(error, "judging whether tables that were made stay behind");
}
