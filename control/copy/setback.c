#include "setback.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *sqlstate;
    Setback setback;
} setbacks[] = {
    {"55P03", SETBACK_LOCKED},   /* lock_not_available: our lock_timeout */
    {"53100", SETBACK_NO_ROOM},  /* disk_full */
    {"40001", SETBACK_RECOVERY}, /* of a standby: "canceling statement due to conflict with recovery" */
    {"40P01", SETBACK_RECOVERY}, /* deadlock_detected; a standby's with its replay, too */
};

Setback setback_of(const Error *error)
{
    for (size_t i = 0; i < sizeof setbacks / sizeof *setbacks; i++) {
        if (strcmp(error->sqlstate, setbacks[i].sqlstate) == 0) {
            return setbacks[i].setback;
        }
    }
    return SETBACK_NONE;
}
