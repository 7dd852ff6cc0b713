/*
 * A record is composed whole in a buffer on the stack and handed to the kernel with one write(), so that
 * lines of several threads and processes do not mix. Line breaks and other control characters inside a
 * message become spaces: a message from a server cannot pass for a line of its own.
 */
#include "log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "encoding.h"

#define LINE_SIZE 4096

typedef struct Line {
    size_t used;
    char text[LINE_SIZE];
} Line;

static const char *const level_names[] = {
    [LOG_DEBUG] = "debug",
    [LOG_INFO] = "info",
    [LOG_WARNING] = "warning",
    [LOG_ERROR] = "error",
};

/* Appends, cutting what would not leave room for the line break. */
static void append(Line *line, const char *format, va_list args)
{
    size_t room = LINE_SIZE - 1 - line->used;
    int length = vsnprintf(line->text + line->used, room, format, args);
    if (length <= 0) {
        return;
    }
    size_t added = (size_t)length < room ? (size_t)length : room - 1;
    for (size_t i = 0; i < added; i++) {
        unsigned char *c = (unsigned char *)&line->text[line->used + i];
        if (*c < ' ' || *c == 0x7f) {
            *c = ' ';
        }
    }
    line->used += added;
}

static void __attribute__((format(printf, 2, 3))) add(Line *line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    append(line, format, args);
    va_end(args);
}

static void start(Line *line, const char *label)
{
    struct timespec now;
    struct tm utc;
    line->used = 0;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    add(line, "%04d-%02d-%02d %02d:%02d:%02d.%03ld UTC  %s  ", utc.tm_year + 1900, utc.tm_mon + 1,
        utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, now.tv_nsec / 1000000, label);
}

static void emit(const Log *log, Line *line)
{
    line->text[line->used] = '\0';
    encoding_to_utf8(line->text, LINE_SIZE - 1, log->encoding);
    line->used = strlen(line->text);
    line->text[line->used++] = '\n';
    for (size_t done = 0; done < line->used;) {
        ssize_t written = write(STDERR_FILENO, line->text + done, line->used - done);
        if (written < 0 && errno != EINTR) {
            return; /* there is nowhere to say so */
        }
        done += written > 0 ? (size_t)written : 0;
    }
}

void log_line(const Log *log, LogLevel level, const char *format, ...)
{
    if (level < log->level) {
        return;
    }
    int saved = errno;
    Line line;
    start(&line, level_names[level]);
    va_list args;
    va_start(args, format);
    append(&line, format, args);
    va_end(args);
    emit(log, &line);
    errno = saved;
}

void log_error(const Log *log, const Error *error)
{
    int saved = errno;
    Line line;
    start(&line, level_names[LOG_ERROR]);
    add(&line, "%s", error->message);
    if (error->sqlstate[0] != '\0') {
        add(&line, " (SQLSTATE %s)", error->sqlstate);
    }
    emit(log, &line);
    if (error->hint[0] != '\0') {
        start(&line, "hint");
        add(&line, "%s", error->hint);
        emit(log, &line);
    }
    errno = saved;
}
