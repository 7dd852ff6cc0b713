/*
 * pg_dump and pg_restore open the memfd through /proc/self/fd, which gives each process, pg_restore's
 * parallel workers too, a file position of its own. Both sections are asked for instead of --schema-only,
 * because only then does pg_dump write the REFRESH of materialized views.
 */
#include "archive.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conninfo.h"
#include "process.h"
#include "tools.h"

#define MAX_ARGUMENTS 32

struct Archive {
    const SchemaRoad *road;
    Tools tools;
    int fd;
    char path[64];
};

typedef struct Arguments {
    const char *values[MAX_ARGUMENTS + 1];
    int count;
} Arguments;

static void add(Arguments *arguments, const char *value)
{
    if (arguments->count < MAX_ARGUMENTS) {
        arguments->values[arguments->count++] = value;
    }
}

/* A file in memory that a child inherits, and its path for the child. */
static int memory_file(const char *name, int *fd, char path[64], Error *error)
{
    *fd = memfd_create(name, 0);
    if (*fd < 0) {
        return error_set(error, ERROR_SYSTEM, "memfd_create: %s", strerror(errno));
    }
    snprintf(path, 64, "/proc/self/fd/%d", *fd);
    return 0;
}

void archive_free(Archive *archive)
{
    if (archive != NULL) {
        if (archive->fd >= 0) {
            close(archive->fd);
        }
        free(archive);
    }
}

/* "PGOPTIONS=...": the session is set up as ours are, whatever the URI or the environment says besides. */
static void session_environment(Database *database, SessionKind kind, const Text *of_uri, Text *entry)
{
    const char *superuser = PQparameterStatus(database_connection(database), "is_superuser");
    char *options = session_settings_options(kind, database_version(database),
                                             superuser != NULL && strcmp(superuser, "on") == 0,
                                             of_uri->data != NULL ? of_uri->data : getenv("PGOPTIONS"));
    text_printf(entry, "PGOPTIONS=%s", options);
    free(options);
}

/* Runs one of the two programs with the connection string of one end. */
static int run_client(const SchemaRoad *road, bool source, Arguments *arguments, Text *out, Error *error)
{
    Text conninfo = {0}, password = {0}, of_uri = {0}, session = {0}, messages = {0};
    char application[128];
    const char *what = source ? "pg_dump" : "pg_restore";
    Database *database = source ? road->source : road->target;
    snprintf(application, sizeof(application), "penstock %s %s", what, road->migration);
    int status =
        conninfo_split(source ? road->source_uri : road->target_uri, PQdb(database_connection(database)),
                       application, &conninfo, &password, &of_uri, error);
    if (status == 0) {
        session_environment(database, source ? SESSION_DUMPS : SESSION_BUILDS, &of_uri, &session);
        const char *environment[] = {session.data, password.data, NULL};
        add(arguments, "--dbname");
        add(arguments, conninfo.data);
        arguments->values[arguments->count] = NULL;
        Process process = {.argv = arguments->values,
                           .environment = environment,
                           .what = what,
                           .idle = road->idle,
                           .context = road->context};
        status = process_run(&process, out, &messages, error);
    }
    text_free(&conninfo);
    text_free(&password);
    text_free(&of_uri);
    text_free(&session);
    text_free(&messages);
    return status;
}

static int dump(const Archive *archive, Error *error)
{
    const SchemaOptions *options = &archive->road->options;
    Arguments arguments = {0};
    Text out = {0};
    add(&arguments, archive->tools.pg_dump);
    add(&arguments, "--format=custom");
    add(&arguments, "--compress=0");
    add(&arguments, "--section=pre-data");
    add(&arguments, "--section=post-data");
    add(&arguments, "--no-blobs");
    add(&arguments, "--no-subscriptions");
    add(&arguments, "--no-sync");
    add(&arguments, "--no-password");
    add(&arguments, "--lock-wait-timeout=60000");
    add(&arguments, "--exclude-schema=penstock");
    add(&arguments, "--encoding");
    add(&arguments, session_settings_encoding(
                        PQparameterStatus(database_connection(archive->road->source), "server_encoding")));
    if (options->no_privileges) {
        add(&arguments, "--no-privileges");
    }
    add(&arguments, "--file");
    add(&arguments, archive->path);
    int status = run_client(archive->road, true, &arguments, &out, error);
    text_free(&out);
    return status;
}

int archive_dump(const SchemaRoad *road, Archive **out, Error *error)
{
    Archive *archive = calloc(1, sizeof(*archive));
    if (archive == NULL) {
        abort();
    }
    archive->road = road;
    archive->fd = -1;
    if (tools_find(road->target_version / 10000, &archive->tools, error) != 0 ||
        memory_file("penstock-schema", &archive->fd, archive->path, error) != 0 ||
        dump(archive, error) != 0) {
        archive_free(archive);
        if (error->hint[0] == '\0') {
            error_hint(error, "If it is a right that the user of --source lacks, `penstock check` names it.");
        }
        return error_context(error, "dumping the source's schema");
    }
    *out = archive;
    return 0;
}

int archive_list(const Archive *archive, const char *section, Text *list, Error *error)
{
    char section_option[32];
    snprintf(section_option, sizeof(section_option), "--section=%s", section);
    const char *const argv[] = {archive->tools.pg_restore, "--list", section_option, archive->path, NULL};
    Process process = {.argv = argv, .what = "pg_restore --list"};
    Text messages = {0};
    int status = process_run(&process, list, &messages, error);
    text_free(&messages);
    return status;
}

/* Adds a hint to what pg_restore said where we know better than it does. */
static int explain(Error *error)
{
    if (error->code == ERROR_SYSTEM) {
        error->code = ERROR_TARGET;
    }
    if (strstr(error->message, "role \"") != NULL && strstr(error->message, "does not exist") != NULL) {
        error_hint(error,
                   "create the role on the target (pg_dumpall --roles-only on the source says how), or use "
                   "--no-owner and --no-privileges");
    } else if (error->hint[0] == '\0' && error->code == ERROR_TARGET) {
        error_hint(
            error,
            "make the statement possible on the target, or change the object on the source, and run the "
            "command again: it goes on from here");
    }
    return -1;
}

static int write_all(int fd, const Text *text, Error *error)
{
    for (size_t done = 0; done < text->size;) {
        ssize_t wrote = write(fd, text->data + done, text->size - done);
        if (wrote < 0) {
            return error_set(error, ERROR_SYSTEM, "writing a list for pg_restore: %s", strerror(errno));
        }
        done += (size_t)wrote;
    }
    return 0;
}

static int restore(const Archive *archive, const char *list_path, const RestoreMode *mode, Error *error)
{
    const SchemaOptions *options = &archive->road->options;
    Arguments arguments = {0};
    Text out = {0};
    char section[32], jobs[32];
    snprintf(section, sizeof(section), "--section=%s", mode->section);
    snprintf(jobs, sizeof(jobs), "--jobs=%d", mode->jobs);
    add(&arguments, archive->tools.pg_restore);
    add(&arguments, section);
    add(&arguments, "--exit-on-error");
    add(&arguments, "--no-password");
    add(&arguments, "--use-list");
    add(&arguments, list_path);
    add(&arguments, mode->in_one_transaction ? "--single-transaction" : jobs);
    if (mode->drop_first) {
        add(&arguments, "--clean");
        add(&arguments, "--if-exists");
    }
    if (options->no_owner) {
        add(&arguments, "--no-owner");
    }
    if (options->no_privileges) {
        add(&arguments, "--no-privileges");
    }
    if (options->no_tablespaces) {
        add(&arguments, "--no-tablespaces");
    }
    add(&arguments, archive->path);
    /* Commits are made durable by the journal's entry that ends the step. */
    int status = run_client(archive->road, false, &arguments, &out, error);
    text_free(&out);
    return status == 0 ? 0 : explain(error);
}

int archive_restore(const Archive *archive, const Text *use_list, const RestoreMode *mode, Error *error)
{
    int fd = -1;
    char path[64];
    int status = memory_file("penstock-list", &fd, path, error);
    if (status == 0) {
        status = write_all(fd, use_list, error);
    }
    if (status == 0) {
        status = restore(archive, path, mode, error);
    }
    if (fd >= 0) {
        close(fd);
    }
    return status == 0 ? 0 : error_context(error, "restoring the schema (%s)", mode->section);
}
