/*
 * The programs that the copy starts.
 */
#include "check.h"
#include "tools.h"

int probe_programs(CheckContext *context, json_t *findings, Error *error)
{
    Tools tools;
    if (tools_find(database_version(context->target) / 10000, &tools, error) != 0) {
        finding_add(findings, "pg_dump and pg_restore", error->message, NULL);
        error->code = ERROR_NONE;
    }
    return 0;
}
