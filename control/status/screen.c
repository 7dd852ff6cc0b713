/*
 * `status --watch` on a terminal: one screen. The lines are those that print.c makes, with a clock that moves, a bar for the
 * copy, the lag of the last looks and the end of the journal; then each is broken between words to fit the width, and what
 * does not fit the height is left out from below.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "status.h"

#define LABEL 12
#define JOURNAL_LINES 5
#define BAR_CELLS 30
#define LOUD '\001' /* at the begin of a line: all of it is shown loudly */
#define LOUD_ON "\033[1;7m"
#define LOUD_OFF "\033[0m"

static const char *const blocks[] = {"\u2581", "\u2582", "\u2583", "\u2584",
                                     "\u2585", "\u2586", "\u2587", "\u2588"};
static const char *const letters[] = {"_", ".", ":", "-", "=", "+", "*", "#"};

void status_trail_add(StatusTrail *trail, const json_t *document)
{
    if (trail->count == STATUS_TRAIL) {
        memmove(trail->lag, trail->lag + 1, (STATUS_TRAIL - 1) * sizeof trail->lag[0]);
        trail->count--;
    }
    trail->lag[trail->count++] = view_number(document, "lag.bytes");
}

/* Whether the terminal says that it shows more than ASCII. */
static bool shows_blocks(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && value[0] != '\0') {
            return strstr(value, "UTF-8") != NULL || strstr(value, "utf8") != NULL;
        }
    }
    return false;
}

static void print_clock(FILE *out, const json_t *document)
{
    char text[32];
    time_t now = time(NULL);
    struct tm parts;
    localtime_r(&now, &parts);
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
    fprintf(out, "%-*sPenstock, looking each second; Ctrl-C ends it\n", LABEL + 9, text);
    if (strcmp(view_text(json_array_get(view_at(document, "health"), 0), "id"), "clients-held") == 0) {
        fprintf(out, "%c%s\n", LOUD, view_text(json_array_get(view_at(document, "health"), 0), "reason"));
    }
}

static void print_bar(FILE *out, const json_t *document, const char *const *cells)
{
    double all = view_number(document, "copy.bytes"), done = view_number(document, "copy.bytes_copied");
    if (all <= 0 || done >= all) {
        return;
    }
    int full = (int)(done / all * BAR_CELLS);
    fprintf(out, "%-*s[", LABEL, "copied");
    for (int i = 0; i < BAR_CELLS; i++) {
        fputs(i < full ? cells[7] : " ", out);
    }
    fprintf(out, "] %.1f %%\n", 100 * done / all);
}

/* Looks whose lag was not known leave a gap. */
static void print_trail(FILE *out, const StatusTrail *trail, const char *const *cells)
{
    char most[32];
    double highest = 0;
    for (int i = 0; i < trail->count; i++) {
        highest = trail->lag[i] > highest ? trail->lag[i] : highest;
    }
    if (trail->count < 2) {
        return;
    }
    fprintf(out, "%-*s", LABEL, "lag so far");
    for (int i = 0; i < trail->count; i++) {
        double part = highest > 0 && trail->lag[i] > 0 ? trail->lag[i] / highest : 0;
        fputs(trail->lag[i] < 0 ? " " : cells[(int)(part * 7)], out);
    }
    fprintf(out, " %s at most\n", view_bytes(highest, most, sizeof most));
}

static void print_journal(FILE *out, const json_t *document)
{
    const json_t *journal = view_at(document, "journal");
    size_t count = json_array_size(journal), from = count > JOURNAL_LINES ? count - JOURNAL_LINES : 0;
    for (size_t i = from; i < count; i++) {
        const json_t *step = json_array_get(journal, i);
        const char *at = view_text(step, "at");
        fprintf(out, "%-*s%.8s %s %s: %s\n", LABEL, i == from ? "journal" : "",
                strlen(at) > 11 ? at + 11 : at, view_text(step, "operation"), view_text(step, "step"),
                view_text(step, "event"));
    }
}

/* Bytes of the longest part of text that has at most width characters and ends between two words; a word that is longer is cut. */
static size_t fitting(const char *text, size_t length, int width)
{
    size_t at = 0, space = 0;
    for (int characters = 0; at < length; characters++) {
        if (characters == width) {
            return space > LABEL ? space : at;
        }
        space = text[at] == ' ' ? at : space;
        at++;
        while (at < length && ((unsigned char)text[at] & 0xC0) == 0x80) {
            at++;
        }
    }
    return length;
}

/* Returns how many lines of the screen it took, at most `left`. */
static int put_line(FILE *out, const char *text, size_t length, int width, int left)
{
    bool loud = length > 0 && text[0] == LOUD;
    int lines = 0, indent = 0;
    text += loud;
    length -= loud;
    do {
        size_t size = fitting(text, length, width - indent);
        if (lines == left) {
            break;
        }
        fprintf(out, "%s%*s%.*s%s\n", loud ? LOUD_ON : "", indent, "", (int)size, text, loud ? LOUD_OFF : "");
        size += size < length && text[size] == ' ';
        text += size;
        length -= size;
        indent = loud ? 0 : LABEL;
        lines++;
    } while (length > 0);
    return lines;
}

void status_screen(FILE *out, const json_t *document, const StatusTrail *trail, int width, int height)
{
    char *text = NULL;
    size_t size = 0;
    const char *const *cells = shows_blocks() ? blocks : letters;
    FILE *lines = open_memstream(&text, &size);
    if (lines == NULL) {
        return;
    }
    print_clock(lines, document);
    print_bar(lines, document, cells);
    status_print(lines, document, true);
    print_trail(lines, trail, cells);
    print_journal(lines, document);
    fclose(lines);
    int left = height - 1;
    width = width > LABEL + 20 ? width : LABEL + 20;
    for (const char *at = text; *at != '\0' && left > 0;) {
        size_t length = strcspn(at, "\n");
        left -= put_line(out, at, length, width, left);
        at += length + (at[length] == '\n');
    }
    free(text);
}
