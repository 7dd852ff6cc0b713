/*
 * A record is composed whole in a buffer on the stack and handed to the kernel with one write(), so that
 * lines of several threads and processes do not mix. Line breaks and other control characters inside a
 * message become spaces: a message from a server cannot pass for a line of its own.
 */
#include "log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "encoding.h"
#include "kinds.h"
#include "lsn.h"

#define LINE_SIZE 4096 /* a pipe takes as much in one piece */
#define VALUE_SIZE 200
#define HINT_SIZE 800
#define TIME_SIZE 32

typedef struct Line {
    size_t used;
    char text[LINE_SIZE];
} Line;

/* What is said in one line, whatever its form. */
typedef struct Event {
    LogLevel level;
    const Error *error; /* or NULL */
    const char *message;
} Event;

static const struct {
    const char *name;
    int priority; /* of syslog(3) */
} levels[] = {
    [LOG_DEBUG] = {"debug", 7},
    [LOG_INFO] = {"info", 6},
    [LOG_WARNING] = {"warning", 4},
    [LOG_ERROR] = {"error", 3},
};

static const char *const format_names[] = {[LOG_TEXT] = "text", [LOG_LOGFMT] = "logfmt", [LOG_JSON] = "json"};

bool log_format_parse(const char *name, LogFormat *out)
{
    for (size_t i = 0; i < sizeof format_names / sizeof *format_names; i++) {
        if (strcmp(name, format_names[i]) == 0) {
            *out = (LogFormat)i;
            return true;
        }
    }
    return false;
}

const char *log_format_name(LogFormat format)
{
    return format_names[format];
}

bool log_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat status;
    return stream != NULL && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
           fstat(STDERR_FILENO, &status) == 0 && status.st_dev == device && status.st_ino == inode;
}

void log_stands(const Log *log, const char *phase, uint64_t lsn)
{
    if (log->place != NULL && phase != NULL) {
        atomic_store_explicit(&log->place->phase, phase, memory_order_relaxed);
    }
    if (log->place != NULL && lsn != 0) {
        atomic_store_explicit(&log->place->lsn, lsn, memory_order_relaxed);
    }
}

/* --- a line that grows --- */

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

static void emit(Line *line)
{
    line->text[line->used++] = '\n';
    for (size_t done = 0; done < line->used;) {
        ssize_t written = write(STDERR_FILENO, line->text + done, line->used - done);
        if (written < 0 && errno != EINTR) {
            return; /* there is nowhere to say so */
        }
        done += written > 0 ? (size_t)written : 0;
    }
}

/* Now, of the length that fits where it goes: "2026-11-22 03:14:07.123", with separator in its middle. */
static void now_text(char separator, char out[TIME_SIZE])
{
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t used = strftime(out, TIME_SIZE, "%Y-%m-%d %H:%M:%S", &utc);
    out[10] = separator;
    snprintf(out + used, TIME_SIZE - used, ".%03ld", now.tv_nsec / 1000000);
}

static void begin(Line *line, const Log *log, LogLevel level)
{
    line->used = 0;
    if (log->journal) {
        add(line, "<%d>", levels[level].priority);
    }
}

/* --- text --- */

static void text_begin(Line *line, const Log *log, LogLevel level, const char *label)
{
    char now[TIME_SIZE];
    begin(line, log, level);
    if (!log->journal) {
        now_text(' ', now);
        add(line, "%s UTC  ", now);
    }
    add(line, "%s  ", label);
}

static void text_end(const Log *log, Line *line)
{
    line->text[line->used] = '\0';
    encoding_to_utf8(line->text, LINE_SIZE - 1, log->encoding);
    line->used = strlen(line->text);
    emit(line);
}

static void write_text(const Log *log, const Event *event)
{
    Line line;
    text_begin(&line, log, event->level, levels[event->level].name);
    add(&line, "%s", event->message);
    text_end(log, &line);
    if (event->level == LOG_ERROR && event->error != NULL && event->error->hint[0] != '\0') {
        text_begin(&line, log, event->level, "hint");
        add(&line, "%s", event->error->hint);
        text_end(log, &line);
    }
}

/* --- fields --- */

/* value, made UTF-8, in quotes as JSON has them (logfmt's readers take the same); at most `most` bytes of it. */
static void add_quoted(Line *line, const Log *log, const char *value, size_t most)
{
    char text[LINE_SIZE];
    snprintf(text, sizeof text, "%s", value);
    encoding_to_utf8(text, sizeof text, log->encoding);
    size_t limit = line->used + most;
    add(line, "\"");
    for (const char *at = text; *at != '\0' && line->used < limit;) {
        int size = (int)encoding_character(at);
        if (*at == '"' || *at == '\\') {
            add(line, "\\%c", *at);
        } else {
            add(line, "%.*s", size, at); /* control characters become spaces */
        }
        at += size > 0 ? size : 1;
    }
    add(line, "\"");
}

static bool is_plain(const char *value)
{
    return value[0] != '\0' && value[strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                                   "0123456789_-./:+")] == '\0';
}

/* A field that has no value is left out. */
static void add_field(Line *line, const Log *log, const char *name, const char *value, size_t most)
{
    if (value == NULL || value[0] == '\0') {
        return;
    }
    if (log->format == LOG_JSON) {
        add(line, "%s\"%s\":", line->text[line->used - 1] == '{' ? "" : ",", name);
        add_quoted(line, log, value, most);
        return;
    }
    add(line, "%s%s=", line->used > 0 && line->text[line->used - 1] != '>' ? " " : "", name);
    if (is_plain(value) && strlen(value) <= most) {
        add(line, "%s", value);
    } else {
        add_quoted(line, log, value, most);
    }
}

static void add_place(Line *line, const Log *log, const Error *error)
{
    LogPlace *place = log->place;
    char lsn[LSN_TEXT_SIZE] = "";
    uint64_t at = error != NULL ? error->lsn : 0;
    if (place != NULL) {
        at = at != 0 ? at : atomic_load_explicit(&place->lsn, memory_order_relaxed);
        add_field(line, log, "program", place->program, VALUE_SIZE);
        add_field(line, log, "migration", place->migration, VALUE_SIZE);
        add_field(line, log, "phase", atomic_load_explicit(&place->phase, memory_order_relaxed), VALUE_SIZE);
    }
    if (at != 0) {
        add_field(line, log, "lsn", lsn_format(at, lsn), VALUE_SIZE);
    }
}

static void write_fields(const Log *log, const Event *event)
{
    Line line;
    char now[TIME_SIZE], code[ERROR_NUMBER_SIZE];
    size_t more = 0;
    begin(&line, log, event->level);
    add(&line, "%s", log->format == LOG_JSON ? "{" : "");
    now_text('T', now);
    more = strlen(now);
    snprintf(now + more, sizeof now - more, "Z");
    add_field(&line, log, "time", now, VALUE_SIZE);
    add_field(&line, log, "level", levels[event->level].name, VALUE_SIZE);
    add_place(&line, log, event->error);
    if (event->error != NULL) {
        add_field(&line, log, "code", error_number(event->error, code), VALUE_SIZE);
        add_field(&line, log, "sqlstate", event->error->sqlstate, VALUE_SIZE);
        add_field(&line, log, "hint", event->error->hint, HINT_SIZE);
    }
    add_field(&line, log, "msg", event->message, LINE_SIZE - 32 - line.used);
    add(&line, "%s", log->format == LOG_JSON ? "}" : "");
    emit(&line);
}

/* --- what others call --- */

static void write_event(const Log *log, const Event *event)
{
    if (log->format == LOG_TEXT) {
        write_text(log, event);
    } else {
        write_fields(log, event);
    }
}

void log_line(const Log *log, LogLevel level, const char *format, ...)
{
    if (level < log->level) {
        return;
    }
    int saved = errno;
    char message[LINE_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    write_event(log, &(Event){.level = level, .message = message});
    errno = saved;
}

/* The message, in text with what fields of their own are for elsewhere. */
static void say_error(const Log *log, LogLevel level, const Error *error, const char *more)
{
    char message[LINE_SIZE], code[ERROR_NUMBER_SIZE];
    bool text = log->format == LOG_TEXT, state = error->sqlstate[0] != '\0';
    error_number(error, code);
    if (text && (state || code[0] != '\0')) {
        snprintf(message, sizeof message, "%s%s (%s%s%s%s)", error->message, more, code,
                 state && code[0] != '\0' ? ", " : "", state ? "SQLSTATE " : "", error->sqlstate);
    } else {
        snprintf(message, sizeof message, "%s%s", error->message, more);
    }
    write_event(log, &(Event){.level = level, .error = error, .message = message});
}

void log_error(const Log *log, const Error *error)
{
    int saved = errno;
    say_error(log, LOG_ERROR, error, "");
    errno = saved;
}

void log_handled(const Log *log, const Error *error, const char *format, ...)
{
    if (LOG_WARNING < log->level) {
        return;
    }
    int saved = errno;
    char more[512] = "; ";
    va_list args;
    va_start(args, format);
    vsnprintf(more + 2, sizeof more - 2, format, args);
    va_end(args);
    say_error(log, LOG_WARNING, error, more);
    errno = saved;
}
