/*
 * The database that it is moved to is often made last of all. What can be said of its server does not wait for that: the check
 * looks at it from the database postgres, which every server has, and leaves out what is of the database itself.
 */
#include "check.h"

#include <stdlib.h>

#define ANY_DATABASE "postgres"

void stand_in_find(CheckContext *context)
{
    StandIn *stand_in = &context->stand_in;
    const CutoverOptions *ahead = context->request->ahead;
    Error ignored;
    stand_in->target = conninfo_with_database(context->settings->target, ANY_DATABASE);
    if (stand_in->target == NULL ||
        database_connect(stand_in->target, DATABASE_TARGET, "check", &context->target, &ignored) != 0) {
        context->target = NULL;
        return;
    }
    stand_in->stands = true;
    stand_in->settings = *context->settings;
    stand_in->settings.target = stand_in->target;
    context->settings = &stand_in->settings;
    if (ahead != NULL && ahead->reverse_conninfo != NULL) {
        stand_in->reverse_conninfo = conninfo_with_database(ahead->reverse_conninfo, ANY_DATABASE);
    }
}

void stand_in_free(StandIn *stand_in)
{
    free(stand_in->target);
    free(stand_in->reverse_conninfo);
    *stand_in = (StandIn){0};
}
