/*
 * Event triggers do not fire for what belongs to the whole server: databases, roles, tablespaces, event triggers themselves
 * (commands/event_trigger.c, EventTriggerSupportsObjectType), nor for what is no DDL. REINDEX fires from 17 on, and changes nothing
 * that would have to be changed on the target.
 *
 * A statement that only builds without holding others up (CONCURRENTLY) is run without that word: nobody but the applier writes to
 * the target's tables, and the stream waits for the statement either way; but only so can it be in one transaction with its
 * place in the stream.
 */
#include "classes.h"

#include <string.h>

#define NODE(name) PG_QUERY__NODE__NODE_##name
#define OBJECT(name) PG_QUERY__OBJECT_TYPE__OBJECT_##name
#define AT(name) PG_QUERY__ALTER_TABLE_TYPE__##name

static const char other_server[] = "it belongs to logical replication of the source's own";
static const char tablespace[] = "the target's tablespaces are others";
static const char temporary[] = "it is temporary";

typedef DdlVerdict (*Look)(const PgQuery__Node *node);

static DdlVerdict look_at_table(const PgQuery__Node *node);
static DdlVerdict look_at_created(const PgQuery__Node *node);
static DdlVerdict look_at_created_as(const PgQuery__Node *node);
static DdlVerdict look_at_index(const PgQuery__Node *node);
static DdlVerdict look_at_drop(const PgQuery__Node *node);
static DdlVerdict look_at_refresh(const PgQuery__Node *node);

typedef struct Row {
    PgQuery__Node__NodeCase node;
    const char *tag; /* the first words of its command tag */
    DdlClass class;
    const char *why;
    Look look; /* decides instead, when there is one */
} Row;

static const Row rows[] = {
    {NODE(CREATE_STMT), "CREATE TABLE", DDL_APPLIED, NULL, look_at_created},
    {NODE(CREATE_TABLE_AS_STMT), "", DDL_APPLIED, NULL, look_at_created_as},
    {NODE(SELECT_STMT), "SELECT INTO", DDL_APPLIED, NULL, look_at_created_as},
    {NODE(ALTER_TABLE_STMT), "ALTER ", DDL_APPLIED, NULL, look_at_table},
    {NODE(INDEX_STMT), "CREATE INDEX", DDL_APPLIED, NULL, look_at_index},
    {NODE(DROP_STMT), "DROP ", DDL_APPLIED, NULL, look_at_drop},
    {NODE(RENAME_STMT), "ALTER ", DDL_APPLIED, NULL, NULL},
    {NODE(ALTER_OBJECT_SCHEMA_STMT), "ALTER ", DDL_APPLIED, NULL, NULL},
    {NODE(ALTER_OWNER_STMT), "ALTER ", DDL_APPLIED, NULL, NULL},
    {NODE(ALTER_OBJECT_DEPENDS_STMT), "ALTER ", DDL_APPLIED, NULL, NULL},
    {NODE(VIEW_STMT), "CREATE VIEW", DDL_APPLIED, NULL, NULL},
    {NODE(REFRESH_MAT_VIEW_STMT), "REFRESH MATERIALIZED VIEW", DDL_APPLIED, NULL, look_at_refresh},
    {NODE(CREATE_FUNCTION_STMT), "CREATE ", DDL_APPLIED, NULL, NULL},
    {NODE(ALTER_FUNCTION_STMT), "ALTER ", DDL_APPLIED, NULL, NULL},
    {NODE(CREATE_TRIG_STMT), "CREATE TRIGGER", DDL_APPLIED, NULL, NULL},
    {NODE(RULE_STMT), "CREATE RULE", DDL_APPLIED, NULL, NULL},
    {NODE(COMPOSITE_TYPE_STMT), "CREATE TYPE", DDL_APPLIED, NULL, NULL},
    {NODE(CREATE_ENUM_STMT), "CREATE TYPE", DDL_APPLIED, NULL, NULL},
    {NODE(ALTER_ENUM_STMT), "ALTER TYPE", DDL_APPLIED, NULL, NULL},
    {NODE(CREATE_RANGE_STMT), "CREATE TYPE", DDL_APPLIED, NULL, NULL},
    {NODE(ALTER_TYPE_STMT), "ALTER TYPE", DDL_APPLIED, NULL, NULL},
    {NODE(DEFINE_STMT), "CREATE ", DDL_APPLIED, NULL, NULL},
    {NODE(CREATE_DOMAIN_STMT), "CREATE DOMAIN", DDL_APPLIED, NULL, NULL},
    {NODE(ALTER_DOMAIN_STMT), "ALTER DOMAIN", DDL_APPLIED, NULL, NULL},
    {NODE(CREATE_SEQ_STMT), "CREATE SEQUENCE", DDL_APPLIED, NULL, NULL},
    {NODE(ALTER_SEQ_STMT), "ALTER SEQUENCE", DDL_APPLIED, NULL, NULL},
    {NODE(CREATE_SCHEMA_STMT), "CREATE SCHEMA", DDL_APPLIED, NULL, NULL},
    {NODE(CREATE_POLICY_STMT), "CREATE POLICY", DDL_APPLIED, NULL, NULL},
    {NODE(ALTER_POLICY_STMT), "ALTER POLICY", DDL_APPLIED, NULL, NULL},
    {NODE(GRANT_STMT), "", DDL_APPLIED, NULL, NULL}, /* GRANT, REVOKE */
    {NODE(ALTER_DEFAULT_PRIVILEGES_STMT), "ALTER DEFAULT PRIVILEGES", DDL_APPLIED, NULL, NULL},
    {NODE(COMMENT_STMT), "COMMENT", DDL_APPLIED, NULL, NULL},
    {NODE(SEC_LABEL_STMT), "SECURITY LABEL", DDL_APPLIED, NULL, NULL},
    {NODE(CREATE_STATS_STMT), "CREATE STATISTICS", DDL_APPLIED, NULL, NULL},
    {NODE(ALTER_STATS_STMT), "ALTER STATISTICS", DDL_APPLIED, NULL, NULL},
    {NODE(CREATE_CAST_STMT), "CREATE CAST", DDL_APPLIED, NULL, NULL},
    {NODE(CREATE_CONVERSION_STMT), "CREATE CONVERSION", DDL_APPLIED, NULL, NULL},
    {NODE(CREATE_TRANSFORM_STMT), "CREATE TRANSFORM", DDL_APPLIED, NULL, NULL},
    {NODE(CREATE_OP_CLASS_STMT), "CREATE OPERATOR CLASS", DDL_APPLIED, NULL, NULL},
    {NODE(CREATE_OP_FAMILY_STMT), "CREATE OPERATOR FAMILY", DDL_APPLIED, NULL, NULL},
    {NODE(ALTER_OP_FAMILY_STMT), "ALTER OPERATOR FAMILY", DDL_APPLIED, NULL, NULL},
    {NODE(ALTER_OPERATOR_STMT), "ALTER OPERATOR", DDL_APPLIED, NULL, NULL},
    {NODE(ALTER_COLLATION_STMT), "ALTER COLLATION", DDL_LEFT_OUT,
     "the version of a collation is each server's own", NULL},
    {NODE(CREATE_AM_STMT), "CREATE ACCESS METHOD", DDL_APPLIED, NULL, NULL},
    {NODE(CREATE_PLANG_STMT), "CREATE LANGUAGE", DDL_APPLIED, NULL, NULL},
    {NODE(ALTER_TSDICTIONARY_STMT), "ALTER TEXT SEARCH", DDL_APPLIED, NULL, NULL},
    {NODE(ALTER_TSCONFIGURATION_STMT), "ALTER TEXT SEARCH", DDL_APPLIED, NULL, NULL},
    {NODE(CREATE_FDW_STMT), "CREATE FOREIGN DATA WRAPPER", DDL_APPLIED, NULL, NULL},
    {NODE(ALTER_FDW_STMT), "ALTER FOREIGN DATA WRAPPER", DDL_APPLIED, NULL, NULL},
    {NODE(CREATE_FOREIGN_SERVER_STMT), "CREATE SERVER", DDL_APPLIED, NULL, NULL},
    {NODE(ALTER_FOREIGN_SERVER_STMT), "ALTER SERVER", DDL_APPLIED, NULL, NULL},
    {NODE(CREATE_FOREIGN_TABLE_STMT), "CREATE FOREIGN TABLE", DDL_APPLIED, NULL, NULL},
    {NODE(CREATE_USER_MAPPING_STMT), "CREATE USER MAPPING", DDL_APPLIED, NULL, NULL},
    {NODE(ALTER_USER_MAPPING_STMT), "ALTER USER MAPPING", DDL_APPLIED, NULL, NULL},
    {NODE(DROP_USER_MAPPING_STMT), "DROP USER MAPPING", DDL_APPLIED, NULL, NULL},
    {NODE(IMPORT_FOREIGN_SCHEMA_STMT), "IMPORT FOREIGN SCHEMA", DDL_ASKS,
     "what it makes depends on what another server has now", NULL},
    {NODE(CREATE_EXTENSION_STMT), "CREATE EXTENSION", DDL_APPLIED, NULL, NULL},
    {NODE(ALTER_EXTENSION_STMT), "ALTER EXTENSION", DDL_ASKS,
     "the target has its own version of the extension", NULL},
    {NODE(ALTER_EXTENSION_CONTENTS_STMT), "ALTER EXTENSION", DDL_ASKS,
     "the target has its own version of the extension", NULL},
    {NODE(ALTER_TABLE_MOVE_ALL_STMT), "ALTER ", DDL_ASKS, tablespace, NULL},
    {NODE(DROP_OWNED_STMT), "DROP OWNED", DDL_ASKS,
     "what the role owns on the target may be more than at the source", NULL},
    {NODE(REASSIGN_OWNED_STMT), "REASSIGN OWNED", DDL_ASKS,
     "what the role owns on the target may be more than at the source", NULL},
    {NODE(CREATE_PUBLICATION_STMT), "CREATE PUBLICATION", DDL_LEFT_OUT, other_server, NULL},
    {NODE(ALTER_PUBLICATION_STMT), "ALTER PUBLICATION", DDL_LEFT_OUT, other_server, NULL},
    {NODE(CREATE_SUBSCRIPTION_STMT), "CREATE SUBSCRIPTION", DDL_LEFT_OUT, other_server, NULL},
    {NODE(ALTER_SUBSCRIPTION_STMT), "ALTER SUBSCRIPTION", DDL_LEFT_OUT, other_server, NULL},
    {NODE(DROP_SUBSCRIPTION_STMT), "DROP SUBSCRIPTION", DDL_LEFT_OUT, other_server, NULL},
};

static const Row *row_of(const PgQuery__Node *node)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].node == node->node_case) {
            return &rows[i];
        }
    }
    return NULL;
}

/* What belongs to the whole server: statements about it fire no trigger. */
static bool is_global(PgQuery__ObjectType type)
{
    return type == OBJECT(DATABASE) || type == OBJECT(TABLESPACE) || type == OBJECT(ROLE) ||
           type == OBJECT(EVENT_TRIGGER) || type == OBJECT(PARAMETER_ACL);
}

static PgQuery__ObjectType type_of(const PgQuery__Node *node)
{
    switch (node->node_case) {
    case NODE(DROP_STMT):
        return node->drop_stmt->remove_type;
    case NODE(RENAME_STMT):
        return node->rename_stmt->rename_type;
    case NODE(ALTER_OWNER_STMT):
        return node->alter_owner_stmt->object_type;
    case NODE(COMMENT_STMT):
        return node->comment_stmt->objtype;
    case NODE(SEC_LABEL_STMT):
        return node->sec_label_stmt->objtype;
    case NODE(GRANT_STMT):
        return node->grant_stmt->objtype;
    default:
        return PG_QUERY__OBJECT_TYPE__OBJECT_TYPE_UNDEFINED;
    }
}

bool ddl_fires(const PgQuery__Node *node)
{
    if (node->node_case == NODE(SELECT_STMT)) {
        return node->select_stmt->into_clause != NULL;
    }
    return row_of(node) != NULL && !is_global(type_of(node));
}

bool ddl_fits_tag(const PgQuery__Node *node, const char *tag)
{
    const Row *row = row_of(node);
    if (row == NULL) {
        return false;
    }
    if (node->node_case == NODE(GRANT_STMT)) {
        return strcmp(tag, node->grant_stmt->is_grant ? "GRANT" : "REVOKE") == 0;
    }
    if (node->node_case == NODE(CREATE_TABLE_AS_STMT)) {
        const char *own = node->create_table_as_stmt->objtype == OBJECT(MATVIEW) ? "CREATE MATERIALIZED VIEW"
                                                                                 : "CREATE TABLE AS";
        return strcmp(tag, own) == 0;
    }
    return strncmp(tag, row->tag, strlen(row->tag)) == 0;
}

DdlVerdict ddl_classify(const PgQuery__Node *node)
{
    const Row *row = row_of(node);
    if (row == NULL) {
        return (DdlVerdict){.class = DDL_ASKS, .why = "it is of a kind that is not known"};
    }
    return row->look != NULL ? row->look(node) : (DdlVerdict){.class = row->class, .why = row->why};
}

static bool is_temporary(const PgQuery__RangeVar *relation)
{
    return relation != NULL && relation->relpersistence != NULL && strcmp(relation->relpersistence, "t") == 0;
}

static bool has_text(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static DdlVerdict look_at_created(const PgQuery__Node *node)
{
    const PgQuery__CreateStmt *create = node->create_stmt;
    if (is_temporary(create->relation)) {
        return (DdlVerdict){.class = DDL_LEFT_OUT, .why = temporary};
    }
    return has_text(create->tablespacename) ? (DdlVerdict){.class = DDL_ASKS, .why = tablespace}
                                            : (DdlVerdict){.class = DDL_APPLIED};
}

static DdlVerdict look_at_created_as(const PgQuery__Node *node)
{
    bool as = node->node_case == NODE(CREATE_TABLE_AS_STMT);
    const PgQuery__IntoClause *into = as ? node->create_table_as_stmt->into : node->select_stmt->into_clause;
    if (is_temporary(into->rel)) {
        return (DdlVerdict){.class = DDL_LEFT_OUT, .why = temporary};
    }
    if (has_text(into->table_space_name)) {
        return (DdlVerdict){.class = DDL_ASKS, .why = tablespace};
    }
    return (DdlVerdict){.class = DDL_APPLIED,
                        .from_columns = !as || node->create_table_as_stmt->objtype != OBJECT(MATVIEW)};
}

static DdlVerdict look_at_index(const PgQuery__Node *node)
{
    const PgQuery__IndexStmt *index = node->index_stmt;
    return has_text(index->table_space)
               ? (DdlVerdict){.class = DDL_ASKS, .why = tablespace}
               : (DdlVerdict){.class = DDL_APPLIED, .without_concurrently = index->concurrent};
}

static DdlVerdict look_at_drop(const PgQuery__Node *node)
{
    const PgQuery__DropStmt *drop = node->drop_stmt;
    if (drop->remove_type == OBJECT(PUBLICATION) || drop->remove_type == OBJECT(SUBSCRIPTION)) {
        return (DdlVerdict){.class = DDL_LEFT_OUT, .why = other_server};
    }
    return (DdlVerdict){.class = DDL_APPLIED, .without_concurrently = drop->concurrent};
}

/* With that word the server makes a temporary table, which nobody may who is confined to a role (as_role.c). */
static DdlVerdict look_at_refresh(const PgQuery__Node *node)
{
    return (DdlVerdict){.class = DDL_APPLIED,
                        .without_concurrently = node->refresh_mat_view_stmt->concurrent};
}

static DdlVerdict look_at_table(const PgQuery__Node *node)
{
    DdlVerdict verdict = {.class = DDL_APPLIED};
    const PgQuery__AlterTableStmt *alter = node->alter_table_stmt;
    for (size_t i = 0; i < alter->n_cmds; i++) {
        const PgQuery__AlterTableCmd *command = alter->cmds[i]->alter_table_cmd;
        if (command->subtype == AT(AT_SetTableSpace)) {
            verdict = (DdlVerdict){.class = DDL_ASKS, .why = tablespace};
        }
        if (command->subtype == AT(AT_DetachPartition) && command->def != NULL &&
            command->def->node_case == NODE(PARTITION_CMD)) {
            verdict.without_concurrently |= command->def->partition_cmd->concurrent;
        }
        if (command->subtype == AT(AT_DetachPartitionFinalize)) {
            verdict = (DdlVerdict){.class = DDL_LEFT_OUT,
                                   .why = "the partition was detached on the target at once"};
        }
    }
    return verdict;
}

bool ddl_only_drops(const PgQuery__Node *node)
{
    bool only = node->node_case == NODE(ALTER_TABLE_STMT);
    for (size_t i = 0; only && i < node->alter_table_stmt->n_cmds; i++) {
        only = node->alter_table_stmt->cmds[i]->alter_table_cmd->subtype == AT(AT_DropConstraint);
    }
    return only || node->node_case == NODE(DROP_STMT);
}

bool ddl_sets_triggers(const PgQuery__Node *node)
{
    if (node->node_case == NODE(CREATE_STMT)) {
        return node->create_stmt->partbound != NULL;
    }
    if (node->node_case != NODE(ALTER_TABLE_STMT)) {
        return false;
    }
    for (size_t i = 0; i < node->alter_table_stmt->n_cmds; i++) {
        PgQuery__AlterTableType type = node->alter_table_stmt->cmds[i]->alter_table_cmd->subtype;
        if ((type >= AT(AT_EnableTrig) && type <= AT(AT_DisableRule)) || type == AT(AT_AttachPartition)) {
            return true;
        }
    }
    return false;
}

/* Rewrites. */

#define REWRITE_PERSISTENCE 1
#define REWRITE_DEFAULT 2
#define REWRITE_TYPE 4

/* Walks through all of a tree: false when something in it may give another value on the target. */
static bool is_repeatable(const ProtobufCMessage *message, Text *functions);

static bool is_repeatable_field(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                                Text *functions)
{
    const char *at = (const char *)message + field->offset;
    if (field->type != PROTOBUF_C_TYPE_MESSAGE) {
        return true;
    }
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        size_t count = *(const size_t *)((const char *)message + field->quantifier_offset);
        ProtobufCMessage *const *list = *(ProtobufCMessage *const *const *)at;
        for (size_t i = 0; i < count; i++) {
            if (!is_repeatable(list[i], functions)) {
                return false;
            }
        }
        return true;
    }
    bool oneof = (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
    if (oneof && *(const uint32_t *)((const char *)message + field->quantifier_offset) != field->id) {
        return true;
    }
    const ProtobufCMessage *one = *(const ProtobufCMessage *const *)at;
    return one == NULL || is_repeatable(one, functions);
}

static void add_function(const PgQuery__FuncCall *call, Text *functions)
{
    const PgQuery__Node *last = call->n_funcname > 0 ? call->funcname[call->n_funcname - 1] : NULL;
    const char *name = last != NULL && last->node_case == NODE(STRING) ? last->string->sval : "";
    text_append_bytes(functions, name, strlen(name) + 1);
}

/* 'now' and 'today' are read as what they mean at that moment. */
static bool is_word_of_time(const PgQuery__AConst *constant)
{
    static const char *const words[] = {"now", "today", "tomorrow", "yesterday"};
    const char *text = constant->val_case == PG_QUERY__A__CONST__VAL_SVAL ? constant->sval->sval : "";
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcasestr(text, words[i]) != NULL) {
            return true;
        }
    }
    return false;
}

static bool is_repeatable(const ProtobufCMessage *message, Text *functions)
{
    const ProtobufCMessageDescriptor *kind = message->descriptor;
    if (kind == &pg_query__sqlvalue_function__descriptor || kind == &pg_query__sub_link__descriptor) {
        return false;
    }
    if (kind == &pg_query__a__const__descriptor && is_word_of_time((const PgQuery__AConst *)message)) {
        return false;
    }
    if (kind == &pg_query__func_call__descriptor) {
        add_function((const PgQuery__FuncCall *)message, functions);
    }
    for (unsigned i = 0; i < kind->n_fields; i++) {
        if (!is_repeatable_field(message, &kind->fields[i], functions)) {
            return false;
        }
    }
    return true;
}

/* A column's type by whose name a sequence comes along. */
static bool is_serial(const PgQuery__TypeName *type)
{
    static const char *const names[] = {"serial",  "serial2",     "serial4",
                                        "serial8", "smallserial", "bigserial"};
    const PgQuery__Node *last = type != NULL && type->n_names == 1 ? type->names[0] : NULL;
    for (size_t i = 0; last != NULL && last->node_case == NODE(STRING) && i < sizeof names / sizeof *names;
         i++) {
        if (strcmp(last->string->sval, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Its values are NULL, or those of a default that the target's rows get, too, by evaluating it there. */
static bool is_added_alike(const PgQuery__ColumnDef *column, Text *functions, Text *plain)
{
    bool has_default = false;
    for (size_t i = 0; i < column->n_constraints; i++) {
        const PgQuery__Constraint *constraint = column->constraints[i]->constraint;
        if (constraint->contype == PG_QUERY__CONSTR_TYPE__CONSTR_IDENTITY) {
            return false;
        }
        if (constraint->contype == PG_QUERY__CONSTR_TYPE__CONSTR_DEFAULT ||
            constraint->contype == PG_QUERY__CONSTR_TYPE__CONSTR_GENERATED) {
            has_default = true;
            if (constraint->raw_expr != NULL && !is_repeatable(&constraint->raw_expr->base, functions)) {
                return false;
            }
        }
    }
    if (!has_default) {
        text_array_add(plain, column->colname);
    }
    return !is_serial(column->type_name);
}

bool ddl_rewrite_is_repeatable(const PgQuery__Node *node, int reasons, Text *functions, Text *plain)
{
    if (node->node_case != NODE(ALTER_TABLE_STMT) ||
        (reasons & ~(REWRITE_DEFAULT | REWRITE_TYPE | REWRITE_PERSISTENCE)) != 0) {
        return false;
    }
    const PgQuery__AlterTableStmt *alter = node->alter_table_stmt;
    for (size_t i = 0; i < alter->n_cmds; i++) {
        const PgQuery__AlterTableCmd *command = alter->cmds[i]->alter_table_cmd;
        const PgQuery__ColumnDef *column = command->def != NULL && command->def->node_case == NODE(COLUMN_DEF)
                                               ? command->def->column_def
                                               : NULL;
        if (command->subtype == AT(AT_SetLogged)) {
            return false; /* what it had while it was unlogged was never in the stream */
        }
        if (command->subtype == AT(AT_AddColumn) && (reasons & REWRITE_DEFAULT) != 0 && column != NULL &&
            !is_added_alike(column, functions, plain)) {
            return false;
        }
        if (command->subtype == AT(AT_AlterColumnType) && column != NULL && column->raw_default != NULL &&
            !is_repeatable(&column->raw_default->base, functions)) {
            return false;
        }
    }
    text_array_end(plain);
    return true;
}
