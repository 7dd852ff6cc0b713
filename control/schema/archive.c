/*
 * pg_dump and pg_restore open the memfd through /proc/self/fd, which gives each process a file position of its own. Both
 * sections are asked for instead of --schema-only, because only then does pg_dump write the REFRESH of materialized views.
 *
 * The scripts are in UTF-8, whatever the source's encoding; but of a source that does not know its encoding
 * (SQL_ASCII) they have the bytes as they are: the server would refuse to call them UTF-8 (pg_server_to_any).
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
static void session_environment(Database *database, const Text *of_uri, Text *entry)
{
    const char *superuser = PQparameterStatus(database_connection(database), "is_superuser");
    char *options = session_settings_options(SESSION_DUMPS, database_version(database),
                                             superuser != NULL && strcmp(superuser, "on") == 0,
                                             of_uri->data != NULL ? of_uri->data : getenv("PGOPTIONS"));
    text_printf(entry, "PGOPTIONS=%s", options);
    free(options);
}

/* Runs pg_dump with the connection string of the source. */
static int run_dump(const SchemaRoad *road, Arguments *arguments, Text *out, Error *error)
{
    Text conninfo = {0}, password = {0}, of_uri = {0}, session = {0}, messages = {0};
    char application[128];
    snprintf(application, sizeof(application), "penstock pg_dump %s", road->migration);
    int status = conninfo_split(road->source_uri, PQdb(database_connection(road->source)), application,
                                &conninfo, &password, &of_uri, error);
    if (status == 0) {
        session_environment(road->source, &of_uri, &session);
        const char *environment[] = {session.data, password.data, NULL};
        add(arguments, "--dbname");
        add(arguments, conninfo.data);
        Process process = {.argv = arguments->values,
                           .environment = environment,
                           .what = "pg_dump",
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

const char *archive_encoding(const SchemaRoad *road)
{
    const char *server = PQparameterStatus(database_connection(road->source), "server_encoding");
    return server != NULL && strcmp(server, "SQL_ASCII") == 0 ? "SQL_ASCII" : "UTF8";
}

static int dump(const Archive *archive, Error *error)
{
    const SchemaOptions *options = &archive->road->options;
    Arguments arguments = {0};
    Text out = {0};
    char encoding[40];
    snprintf(encoding, sizeof(encoding), "--encoding=%s", archive_encoding(archive->road));
    add(&arguments, archive->tools.pg_dump);
    add(&arguments, encoding);
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
    if (archive->road->snapshot != NULL) {
        add(&arguments, "--snapshot");
        add(&arguments, archive->road->snapshot);
    }
    add(&arguments, "--file");
    add(&arguments, archive->path);
    int status = run_dump(archive->road, &arguments, &out, error);
    text_free(&out);
    return status;
}

static int find_tools(Archive *archive, Error *error)
{
    const SchemaRoad *road = archive->road;
    if (road->tools == NULL || road->tools->major == 0) {
        return tools_find(database_version(road->target) / 10000, &archive->tools, error);
    }
    archive->tools = *road->tools;
    return 0;
}

int archive_dump(const SchemaRoad *road, Archive **out, Error *error)
{
    Archive *archive = calloc(1, sizeof(*archive));
    if (archive == NULL) {
        abort();
    }
    archive->road = road;
    archive->fd = -1;
    if (find_tools(archive, error) != 0 ||
        memory_file("penstock-schema", &archive->fd, archive->path, error) != 0 ||
        dump(archive, error) != 0) {
        archive_free(archive);
        if (strstr(error->message, DATABASE_LOCKS_SETTING) != NULL) {
            database_hint_locks(DATABASE_SOURCE, error);
        } else if (error->hint[0] == '\0') {
            error_hint(error, "If it is a right that the user of --source lacks, `penstock check` names it.");
        }
        return error_context(error, "dumping the source's schema");
    }
    *out = archive;
    return 0;
}

/* Says of an error of pg_restore's, which works without a server here, what it did. */
static int run_restore(const Archive *archive, const Arguments *arguments, Text *script, Error *error)
{
    Text messages = {0};
    Process process = {.argv = arguments->values,
                       .what = "pg_restore",
                       .idle = archive->road->idle,
                       .context = archive->road->context};
    int status = process_run(&process, script, &messages, error);
    text_free(&messages);
    return status;
}

int archive_script(const Archive *archive, const char *section, SchemaScript *out, Error *error)
{
    const SchemaOptions *options = &archive->road->options;
    Arguments arguments = {0};
    Text script = {0};
    char section_option[32];
    snprintf(section_option, sizeof(section_option), "--section=%s", section);
    *out = (SchemaScript){0};
    add(&arguments, archive->tools.pg_restore);
    add(&arguments, section_option);
    add(&arguments, "--verbose"); /* only then are objects told apart by more than their name */
    if (archive->tools.major >= 12) {
        add(&arguments, "--file=-"); /* those before write to stdout unless told otherwise */
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
    if (run_restore(archive, &arguments, &script, error) != 0) {
        text_free(&script);
        return error_context(error, "reading the schema (%s)", section);
    }
    if (script_parse(script.data, out, error) != 0) {
        return -1;
    }
    for (size_t i = 0; i < out->count; i++) {
        out->objects[i].tablespace = tablespaces_set(options->tablespaces, out->objects[i].tablespace);
    }
    return 0;
}
