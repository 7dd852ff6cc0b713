/*
 * Every candidate folder is asked for its version; the best rank wins, and among equals the one found first,
 * so that PATH comes before what the distribution has installed.
 */
#include "tools.h"

#include <glob.h>
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

/* Takes the programs of folder when they rank better than those in best. */
static void consider(const char *folder, int target_major, Tools *best)
{
    Tools found;
    if (snprintf(found.pg_dump, sizeof(found.pg_dump), "%s/pg_dump", folder) >= (int)sizeof(found.pg_dump) ||
        snprintf(found.pg_restore, sizeof(found.pg_restore), "%s/pg_restore", folder) >=
            (int)sizeof(found.pg_restore) ||
        access(found.pg_dump, X_OK) != 0 || access(found.pg_restore, X_OK) != 0) {
        return;
    }
    found.major = version_of(found.pg_dump);
    int rank = tools_rank(found.major, target_major);
    if (rank >= 0 && (best->major == 0 || rank < tools_rank(best->major, target_major))) {
        *best = found;
    }
}

static void consider_path(int target_major, Tools *best)
{
    char *path = strdup(getenv("PATH") != NULL ? getenv("PATH") : "");
    char *rest = path;
    for (char *folder; path != NULL && (folder = strsep(&rest, ":")) != NULL;) {
        if (folder[0] == '/') {
            consider(folder, target_major, best);
        }
    }
    free(path);
}

static void consider_bindir(int target_major, Tools *best)
{
    const char *const argv[] = {"/usr/bin/pg_config", "--bindir", NULL};
    Process process = {.argv = argv, .what = "pg_config"};
    Text out = {0}, messages = {0};
    Error ignored = {0};
    if (access(argv[0], X_OK) == 0 && process_run(&process, &out, &messages, &ignored) == 0 && out.size > 0) {
        out.data[strcspn(out.data, "\n")] = '\0';
        consider(out.data, target_major, best);
    }
    text_free(&out);
    text_free(&messages);
}

static void consider_installed(int target_major, Tools *best)
{
    glob_t folders = {0};
    if (glob("/usr/lib/postgresql/*/bin", 0, NULL, &folders) == 0) {
        for (size_t i = 0; i < folders.gl_pathc; i++) {
            consider(folders.gl_pathv[i], target_major, best);
        }
    }
    globfree(&folders);
}

int tools_find(int target_major, Tools *out, Error *error)
{
    *out = (Tools){0};
    consider_path(target_major, out);
    consider_bindir(target_major, out);
    consider_installed(target_major, out);
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
