/*
 * Names are compared as they are written: what a name means where the proxy runs is not for us to say.
 */
#include "place.h"

#include <string.h>

bool place_is_local(const char *host)
{
    return *host == '\0' || *host == '/' || *host == '@' || strcmp(host, "localhost") == 0 ||
           strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

bool place_same_host(const char *one, const char *other)
{
    return strcmp(one, other) == 0 || (place_is_local(one) && place_is_local(other));
}
