#include "decide.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void settle(DdlPlan *plan, DdlAction action, const char *reason)
{
    plan->action = action;
    snprintf(plan->reason, sizeof plan->reason, "%s", reason);
}

static void ask_why(DdlPlan *plan, const Error *error)
{
    settle(plan, DO_ASK, error->message);
}

/* CREATE TABLE AS, made of the columns that the source says: its rows come in the stream. */
static int write_columns(const DdlMessage *message, Text *out, Error *error)
{
    const json_t *table = json_array_get(json_object_get(message->root, "tables"), 0), *column;
    size_t i;
    if (table == NULL) {
        return error_set(error, ERROR_STATE, "the source does not say which columns the table has");
    }
    char *schema = database_quote(json_string_value(json_object_get(table, "schema")));
    char *name = database_quote(json_string_value(json_object_get(table, "name")));
    bool unlogged = strcmp(json_string_value(json_object_get(table, "persistence")), "u") == 0;
    text_printf(out, "CREATE %sTABLE %s.%s (", unlogged ? "UNLOGGED " : "", schema, name);
    free(schema);
    free(name);
    json_array_foreach(json_object_get(table, "types"), i, column)
    {
        char *quoted = database_quote(json_string_value(json_object_get(column, "name")));
        const char *collation = json_string_value(json_object_get(column, "collation"));
        text_printf(out, "%s%s %s%s%s", i > 0 ? ", " : "", quoted,
                    json_string_value(json_object_get(column, "type")), collation != NULL ? " COLLATE " : "",
                    collation != NULL ? collation : "");
        free(quoted);
    }
    text_append(out, ")");
    const char *options = json_string_value(json_object_get(table, "options"));
    if (options != NULL) {
        text_printf(out, " WITH (%s)", options);
    }
    return 0;
}

static int write_sql(const DdlMessage *message, DdlPlan *plan, Error *error)
{
    if (plan->verdict.from_columns) {
        return write_columns(message, &plan->sql, error);
    }
    if (plan->verdict.without_concurrently) {
        return ddl_statement_drop_concurrently(&plan->statement, &plan->sql, error);
    }
    text_append(&plan->sql, plan->statement.text.data);
    return 0;
}

static void take_captured(const DdlMessage *message, const DdlKnown *known, DdlPlan *plan)
{
    Error error;
    bool told = known->decided->decision == DECISION_APPLY;
    if (ddl_statement_find(message, &plan->statement, &error) != 0) {
        ask_why(plan, &error);
        return;
    }
    plan->verdict = ddl_classify(plan->statement.node);
    if (plan->verdict.class == DDL_LEFT_OUT) {
        settle(plan, DO_LEAVE_OUT, plan->verdict.why);
    } else if (plan->verdict.class == DDL_ASKS && !told) {
        settle(plan, DO_ASK, plan->verdict.why);
    } else if (message->acting[0] != '\0' && !told) {
        snprintf(plan->reason, sizeof plan->reason,
                 "a SECURITY DEFINER function made it as role %s; it would run as role %s", message->acting,
                 message->role);
        plan->action = DO_ASK;
    } else if (write_sql(message, plan, &error) != 0) {
        ask_why(plan, &error);
    }
}

static void take_edited(const DdlMessage *message, const DdlKnown *known, DdlPlan *plan)
{
    Error ignored;
    if (message->captured) {
        (void)!ddl_statement_find(message, &plan->statement, &ignored); /* for the record */
    }
    plan->edited = true;
    plan->as_target = known->decided->as_target;
    text_append(&plan->sql, known->decided->edited);
}

void ddl_decide(const DdlMessage *message, const DdlKnown *known, DdlPlan *out)
{
    *out = (DdlPlan){.action = DO_RUN};
    if (known->decided->decision == DECISION_SKIP) {
        settle(out, DO_SKIP, "the operator decided so");
    } else if (known->decided->decision == DECISION_EDIT) {
        take_edited(message, known, out);
    } else if (!message->captured) {
        snprintf(out->reason, sizeof out->reason, "the source could not capture it: %s%s%s", message->words,
                 message->words[0] != '\0' ? ", SQLSTATE " : "SQLSTATE ", message->code);
        out->action = DO_ASK;
    } else if (!known->sealed) {
        settle(out, DO_ASK,
               "its message does not have the seal of the event triggers: somebody else wrote it");
    } else if (known->dumped != NULL && snapshot_sees(known->dumped, (uint32_t)message->xid, LSN_INVALID)) {
        settle(out, DO_LEAVE_OUT, "it came with the dump of the schema");
    } else {
        take_captured(message, known, out);
    }
}

void ddl_plan_free(DdlPlan *plan)
{
    ddl_statement_free(&plan->statement);
    text_free(&plan->sql);
}
