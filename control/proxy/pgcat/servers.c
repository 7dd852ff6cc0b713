/*
 * An entry is known by where it stands in the text: its brackets, and its three words. Edits go from the end of the text
 * to its begin, so that what was found stays where it is.
 */
#include "pgcat/servers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "toml.h"
#include "toml_scan.h"

enum { HOST, PORT, ROLE, WORDS };

/* Places, counted from the begin of the text. */
typedef struct Entry {
    size_t begin, end; /* of its brackets */
    size_t word[WORDS], word_end[WORDS];
} Entry;

static int unreadable(const char *raw, Error *error)
{
    return error_set(error, ERROR_STATE, "not a list of [host, port, role]: %.200s", raw);
}

static const char *read_entry(const char *raw, const char *at, Entry *entry)
{
    entry->begin = (size_t)(at++ - raw);
    for (size_t word = 0; word < WORDS; word++) {
        at = toml_skip_space(at);
        entry->word[word] = (size_t)(at - raw);
        const char *end = *at == '"' || *at == '\'' ? toml_skip_string(at) : at + strcspn(at, " \t\r\n,]#[");
        if (end == NULL || end == at) {
            return NULL;
        }
        entry->word_end[word] = (size_t)(end - raw);
        at = toml_skip_space(end);
        at += *at == ',' && word + 1 < WORDS;
    }
    at = toml_skip_space(at + (*at == ','));
    entry->end = (size_t)(at + 1 - raw);
    return *at == ']' ? at + 1 : NULL;
}

static int find_entries(const char *raw, Entry entries[PGCAT_SERVERS], size_t *count, Error *error)
{
    const char *at = toml_skip_space(raw);
    *count = 0;
    if (*at++ != '[') {
        return unreadable(raw, error);
    }
    while (*(at = toml_skip_space(at)) == '[') {
        if (*count == PGCAT_SERVERS || (at = read_entry(raw, at, &entries[(*count)++])) == NULL) {
            return unreadable(raw, error);
        }
        at = toml_skip_space(at);
        at += *at == ',';
    }
    return *at == ']' ? 0 : unreadable(raw, error);
}

static void take_word(const char *raw, const Entry *entry, size_t word, char *out, size_t size)
{
    char *text = toml_unquote(raw + entry->word[word], raw + entry->word_end[word]);
    snprintf(out, size, "%s", text);
    free(text);
}

static void take_server(const char *raw, const Entry *entry, PgcatServer *out)
{
    take_word(raw, entry, HOST, out->host, sizeof out->host);
    take_word(raw, entry, PORT, out->port, sizeof out->port);
    take_word(raw, entry, ROLE, out->role, sizeof out->role);
}

int pgcat_servers_read(const char *raw, PgcatServer out[PGCAT_SERVERS], size_t *count, Error *error)
{
    Entry entries[PGCAT_SERVERS];
    if (find_entries(raw, entries, count, error) != 0) {
        return -1;
    }
    for (size_t i = 0; i < *count; i++) {
        take_server(raw, &entries[i], &out[i]);
    }
    return 0;
}

int pgcat_servers_one(const char *raw, PgcatServer *out, Error *error)
{
    PgcatServer all[PGCAT_SERVERS];
    size_t count;
    if (pgcat_servers_read(raw, all, &count, error) != 0) {
        return -1;
    }
    if (count != 1) {
        return error_set(error, ERROR_STATE, "servers is not one [host, port, role]: %.200s", raw);
    }
    *out = all[0];
    return 0;
}

/* --- writing --- */

static void swap(char **text, size_t from, size_t to, const char *with)
{
    char *edited = toml_replace(*text, *text + from, *text + to, with);
    free(*text);
    *text = edited;
}

/* The words of an entry that are not as they should be; the others stay as they were written. */
static void change_entry(char **text, const Entry *entry, const PgcatServer *server)
{
    PgcatServer now;
    take_server(*text, entry, &now);
    char *host = toml_quote(server->host), *role = toml_quote(server->role);
    if (strcmp(now.role, server->role) != 0) {
        swap(text, entry->word[ROLE], entry->word_end[ROLE], role);
    }
    if (strcmp(now.port, server->port) != 0) {
        swap(text, entry->word[PORT], entry->word_end[PORT], server->port);
    }
    if (strcmp(now.host, server->host) != 0) {
        swap(text, entry->word[HOST], entry->word_end[HOST], host);
    }
    free(host);
    free(role);
}

/* Behind the entry's comma and what else stands on its line, when that is nothing but a comment; 0 when it is more. */
static size_t line_end_behind(const char *text, const Entry *entry)
{
    const char *at = text + entry->end + strspn(text + entry->end, " \t");
    at += *at == ',';
    at += strspn(at, " \t");
    at += *at == '#' ? strcspn(at, "\n") : strspn(at, "\r");
    return *at == '\n' ? (size_t)(at + 1 - text) : 0;
}

static size_t line_begin(const char *text, size_t at)
{
    while (at > 0 && text[at - 1] != '\n') {
        at--;
    }
    return at;
}

/* Takes the entry out, with the rest of its line when nothing else stands there. */
static void drop_entry(char **text, const Entry *before, const Entry *entry)
{
    size_t begin = line_begin(*text, entry->begin), end = line_end_behind(*text, entry);
    if (end > 0 && strspn(*text + begin, " \t") == entry->begin - begin) {
        swap(text, begin, end, "");
    } else {
        swap(text, before->end, entry->end, "");
    }
}

/* Adds an entry behind the last one: on a line of its own when that has one. */
static void add_entry(char **text, const Entry *last, const PgcatServer *server)
{
    size_t begin = line_begin(*text, last->begin), end = line_end_behind(*text, last);
    char *host = toml_quote(server->host), added[700];
    if (end > 0 && strspn(*text + begin, " \t") == last->begin - begin) {
        bool returns = end > 1 && (*text)[end - 2] == '\r';
        snprintf(added, sizeof added, "%.*s[%s, %s, \"%s\"],%s", (int)(last->begin - begin), *text + begin,
                 host, server->port, server->role, returns ? "\r\n" : "\n");
        swap(text, end, end, added);
        if ((*text)[last->end + strspn(*text + last->end, " \t")] != ',') {
            swap(text, last->end, last->end, ",");
        }
    } else {
        snprintf(added, sizeof added, ", [%s, %s, \"%s\"]", host, server->port, server->role);
        swap(text, last->end, last->end, added);
    }
    free(host);
}

int pgcat_servers_write(const char *raw, const PgcatServer *servers, size_t count, char **out, Error *error)
{
    Entry entries[PGCAT_SERVERS];
    size_t now;
    *out = NULL;
    if (find_entries(raw, entries, &now, error) != 0) {
        return -1;
    }
    if (now == 0 || count == 0) {
        return unreadable(raw, error);
    }
    char *text = strdup(raw);
    for (; now > count; now--) {
        drop_entry(&text, &entries[now - 2], &entries[now - 1]);
    }
    for (size_t i = count; i > now; i--) {
        add_entry(&text, &entries[now - 1], &servers[i - 1]);
    }
    for (size_t i = now; i > 0; i--) {
        change_entry(&text, &entries[i - 1], &servers[i - 1]);
    }
    *out = text;
    return 0;
}

char *pgcat_mirrors(const PgcatServer *mirrors, size_t count)
{
    size_t size = count * 300 + 3, used = 1;
    char *out = calloc(1, size);
    out[0] = '[';
    for (size_t i = 0; i < count; i++) {
        char *host = toml_quote(mirrors[i].host);
        used += (size_t)snprintf(out + used, size - used, "%s[%s, %s, 0]", i > 0 ? ", " : "", host,
                                 mirrors[i].port);
        free(host);
    }
    snprintf(out + used, size - used, "]");
    return out;
}
