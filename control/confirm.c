#include "confirm.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool confirm_possible(const Settings *settings)
{
    return isatty(STDIN_FILENO) && !settings->json;
}

int confirm(const Settings *settings, const char *operation, const char *question, const char *hint,
            Error *error)
{
    char answer[16] = "";
    if (!confirm_possible(settings)) {
        error_set(error, ERROR_USAGE, "%s asks before it begins, and nobody is here to answer", operation);
        return error_hint(error, "%s", hint);
    }
    printf("%s Type yes: ", question);
    fflush(stdout);
    if (fgets(answer, sizeof answer, stdin) == NULL || strcmp(answer, "yes\n") != 0) {
        return error_set(error, ERROR_INTERRUPTED, "not confirmed: nothing was done");
    }
    printf("\n");
    return 0;
}
