/*
 * The database that it is moved to is often made last of all. What can be said of its server does not wait for that: the check looks
 * at it from the database postgres, which every server has, and leaves out what is of the database itself.
 */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"

#define ANY_DATABASE "postgres"

/* As keyword = 'value', with another database; NULL: it cannot be read. The caller frees it. */
static char *with_any_database(const char *conninfo)
{
    PQconninfoOption *all = PQconninfoParse(conninfo, NULL);
    Text out = {0};
    if (all == NULL) {
        return NULL;
    }
    for (const PQconninfoOption *one = all; one->keyword != NULL; one++) {
        if (one->val == NULL || strcmp(one->keyword, "dbname") == 0) {
            continue;
        }
        text_conninfo_add(&out, one->keyword, one->val);
    }
    text_conninfo_add(&out, "dbname", ANY_DATABASE);
    PQconninfoFree(all);
    return out.data;
}

void stand_in_find(CheckContext *context)
{
    StandIn *stand_in = &context->stand_in;
    const CutoverOptions *ahead = context->request->ahead;
    Error ignored;
    stand_in->target = with_any_database(context->settings->target);
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
        stand_in->reverse_conninfo = with_any_database(ahead->reverse_conninfo);
    }
}

void stand_in_free(StandIn *stand_in)
{
    free(stand_in->target);
    free(stand_in->reverse_conninfo);
    *stand_in = (StandIn){0};
}
