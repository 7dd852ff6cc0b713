/*
 * Every candidate folder is asked for its version; the best rank wins, and among equals the one found first,
 * so that PATH comes before what the distribution has installed. To ask is to start a program: a folder that comes by several ways
 * is asked once, nobody is asked once the target's own major is found, and Debian's wrapper, a Perl script that leads to one of the
 * installed folders, is none.
 */
#include "tools.h"

#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process.h"

int tools_major(const char *version_line)
{
    const char *at = strstr(version_line, "(PostgreSQL) ");
    return at != NULL ? (int)strtol(at + strlen("(PostgreSQL) "), NULL, 10) : 0;
}

int tools_rank(int major, int target_major)
{
    if (major < target_major || (major >= 17 && target_major < 17)) {
        return -1;
    }
    return major - target_major;
}

static int version_of(const char *program)
{
    const char *const argv[] = {program, "--version", NULL};
    Process process = {.argv = argv, .what = program};
    Text out = {0}, messages = {0};
    Error ignored = {0};
    int major = process_run(&process, &out, &messages, &ignored) == 0
                    ? tools_major(out.data != NULL ? out.data : "")
                    : 0;
    text_free(&out);
    text_free(&messages);
    return major;
}

typedef struct Search {
    int target_major;
    Tools best;
    Text asked; /* "\npath\n" of each program that was */
} Search;

/* Whether this is another program than all that were asked; it counts as asked from here on. */
static bool is_another(Search *search, const char *program)
{
    char *path = realpath(program, NULL);
    Text line = {0};
    bool another = false;
    text_printf(&line, "\n%s\n", path != NULL ? path : program);
    if (path == NULL || strcmp(strrchr(path, '/'), "/pg_wrapper") != 0) {
        another = search->asked.data == NULL || strstr(search->asked.data, line.data) == NULL;
        text_append(&search->asked, line.data);
    }
    text_free(&line);
    free(path);
    return another;
}

/* Takes the programs of folder when they rank better than the best so far. */
static void consider(const char *folder, Search *search)
{
    Tools found;
    Tools *best = &search->best;
    int target_major = search->target_major;
    if (best->major == target_major) {
        return;
    }
    if (snprintf(found.pg_dump, sizeof(found.pg_dump), "%s/pg_dump", folder) >= (int)sizeof(found.pg_dump) ||
        snprintf(found.pg_restore, sizeof(found.pg_restore), "%s/pg_restore", folder) >=
            (int)sizeof(found.pg_restore) ||
        access(found.pg_dump, X_OK) != 0 || access(found.pg_restore, X_OK) != 0 ||
        !is_another(search, found.pg_dump)) {
        return;
    }
    found.major = version_of(found.pg_dump);
    int rank = tools_rank(found.major, target_major);
    if (rank >= 0 && (best->major == 0 || rank < tools_rank(best->major, target_major))) {
        *best = found;
    }
}

static void consider_path(Search *search)
{
    char *path = strdup(getenv("PATH") != NULL ? getenv("PATH") : "");
    char *rest = path;
    for (char *folder; path != NULL && (folder = strsep(&rest, ":")) != NULL;) {
        if (folder[0] == '/') {
            consider(folder, search);
        }
    }
    free(path);
}

static void consider_bindir(Search *search)
{
    const char *const argv[] = {"/usr/bin/pg_config", "--bindir", NULL};
    Process process = {.argv = argv, .what = "pg_config"};
    Text out = {0}, messages = {0};
    Error ignored = {0};
    if (search->best.major != search->target_major && access(argv[0], X_OK) == 0 &&
        process_run(&process, &out, &messages, &ignored) == 0 && out.size > 0) {
        out.data[strcspn(out.data, "\n")] = '\0';
        consider(out.data, search);
    }
    text_free(&out);
    text_free(&messages);
}

static void consider_installed(Search *search)
{
    glob_t folders = {0};
    if (glob("/usr/lib/postgresql/*/bin", 0, NULL, &folders) == 0) {
        for (size_t i = 0; i < folders.gl_pathc; i++) {
            consider(folders.gl_pathv[i], search);
        }
    }
    globfree(&folders);
}

int tools_find(int target_major, Tools *out, Error *error)
{
    Search search = {.target_major = target_major};
    consider_path(&search);
    consider_bindir(&search);
    consider_installed(&search);
    text_free(&search.asked);
    *out = search.best;
    if (out->major == 0) {
        error_set(error, ERROR_SYSTEM,
                  "no pg_dump and pg_restore fit for a target of version %d were found on PATH, "
                  "in pg_config's bindir or in /usr/lib/postgresql",
                  target_major);
        return error_hint(error,
                          "install the client programs of PostgreSQL %d (Debian: postgresql-client-%d)",
                          target_major, target_major);
    }
    return 0;
}
