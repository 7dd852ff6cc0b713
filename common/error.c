/*
 * Every text is formatted into a scratch buffer first and copied afterwards, so that the arguments may come
 * from the very Error that is being filled: error_set(error, code, "%s, again", error->message) is fine.
 */
#include "error.h"

#include <stdio.h>
#include <string.h>

int error_set(Error *error, ErrorCode code, const char *format, ...)
{
    char text[sizeof error->message];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    error->code = code;
    error->sqlstate[0] = '\0';
    error->lsn = 0;
    error->format = format;
    error->hint[0] = '\0';
    snprintf(error->message, sizeof error->message, "%s", text);
    return -1;
}

int error_hint(Error *error, const char *format, ...)
{
    char text[sizeof error->hint];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    snprintf(error->hint, sizeof error->hint, "%s", text);
    return -1;
}

int error_context(Error *error, const char *format, ...)
{
    char text[sizeof error->message];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    size_t used = strlen(text);
    int wanted = snprintf(text + used, sizeof text - used, ": %s", error->message);
    if (wanted < 0 || (size_t)wanted >= sizeof text - used) {
        memcpy(text + sizeof text - sizeof "...", "...",
               sizeof "..."); /* both do not fit: the end of the message gives way */
    }
    snprintf(error->message, sizeof error->message, "%s", text);
    return -1;
}

bool error_is_retryable(const Error *error)
{
    return error->code == ERROR_CONNECTION || error->code == ERROR_TRANSIENT;
}

int error_exit_status(const Error *error)
{
    switch (error->code) {
    case ERROR_USAGE:
        return 2;
    case ERROR_INTERRUPTED:
        return 4;
    default:
        return 3;
    }
}
