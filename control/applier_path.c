#include "applier_path.h"

#include <libgen.h>
#include <stdio.h>
#include <unistd.h>

const char *applier_path(char out[PATH_MAX])
{
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length > 0) {
        self[length] = '\0';
        int size = snprintf(out, PATH_MAX, "%s/" APPLIER_NAME, dirname(self));
        if (size < PATH_MAX && access(out, X_OK) == 0) {
            return out;
        }
    }
    return APPLIER_NAME;
}
