/*
 * The programs that the copy starts.
 */
#include "check.h"
#include "tools.h"

int check_tools(CheckContext *context, Error *error)
{
    if (context->tools.major == 0 &&
        tools_find(database_version(context->target) / 10000, &context->tools, error) != 0) {
        return -1;
    }
    if (context->request->tools != NULL) {
        *context->request->tools = context->tools;
    }
    return 0;
}

int probe_programs(CheckContext *context, json_t *findings, Error *error)
{
    if (check_tools(context, error) != 0) {
        finding_add(findings, "pg_dump and pg_restore", error->message, NULL);
        error->code = ERROR_NONE;
    }
    return 0;
}
