/*
 * A file and what it includes are one text, and an edit of that text goes back to the file that it lies in. Through each kind
 * of store.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "config_files.h"
#include "file.h"
#include "ini.h"

typedef struct Folder {
    char path[64];
    char main[96], one[96], two[96], script[96];
} Folder;

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void assert_holds(const char *path, const char *text)
{
    Error error;
    char *found;
    assert_int_equal(file_read(path, &found, &error), 0);
    assert_string_equal(found, text);
    free(found);
}

static int make(void **state)
{
    static Folder folder;
    char text[512];
    snprintf(folder.path, sizeof folder.path, "/tmp/penstock-config-XXXXXX");
    assert_non_null(mkdtemp(folder.path));
    snprintf(folder.main, sizeof folder.main, "%s/main.ini", folder.path);
    snprintf(folder.one, sizeof folder.one, "%s/one.ini", folder.path);
    snprintf(folder.two, sizeof folder.two, "%s/two.ini", folder.path);
    snprintf(folder.script, sizeof folder.script, "%s/script", folder.path);
    snprintf(text, sizeof text, "[databases]\na = host=x\n%%include one.ini\n* = host=x\n[pgbouncer]\nk = v");
    put(folder.main, text);
    snprintf(text, sizeof text, "b = host=x\n %%include %s\nc = host=x", folder.two);
    put(folder.one, text);
    put(folder.two, "d = host=x\n");
    put(folder.script,
        "case $1 in\nread) cat \"${2:-$MAIN}\" ;;\n"
        "write) cat >\"${2:-$MAIN}.new\"; [ $(wc -c <\"${2:-$MAIN}.new\") = $PENSTOCK_BYTES ] &&\n"
        "    [ \"$(cksum <\"${2:-$MAIN}\")\" = \"$PENSTOCK_CKSUM\" ] &&\n"
        "    mv \"${2:-$MAIN}.new\" \"${2:-$MAIN}\" ;;\nesac\n");
    setenv("MAIN", folder.main, 1);
    *state = &folder;
    return 0;
}

static int unmake(void **state)
{
    char command[128];
    Folder *folder = *state;
    snprintf(command, sizeof command, "rm -r %s", folder->path);
    return system(command);
}

/* Points the entries at h, each by an edit of its own. */
static void point(ConfigFiles *files, const char *const *names)
{
    const Endpoint where = {.host = "a-longer-host", .port = "1"};
    Error error;
    for (; *names != NULL; names++) {
        Endpoint to = where;
        char *edited;
        snprintf(to.database, sizeof to.database, "%s", *names);
        assert_int_equal(ini_database_point(files->flat, *names, &to, &edited, &error), 0);
        assert_int_equal(config_files_edit(files, edited, &error), 0);
        assert_string_equal(files->flat, edited);
        free(edited);
    }
}

static void edits_go_back_to_where_they_lie(void **state)
{
    const Folder *folder = *state;
    char main_text[512], one_text[512];
    Store *store;
    ConfigFiles files;
    Error error;
    assert_int_equal(store_open(folder->main, &store, &error), 0);
    assert_int_equal(config_files_read(store, &files, &error), 0);
    assert_int_equal(files.count, 3);
    assert_non_null(strstr(files.flat, "two.ini\nd = host=x\nc = host=x\n* = host=x\n"));
    /* Before, in and behind what is included, in an order that moves what was edited before. */
    point(&files, (const char *const[]){"c", "a", "d", "b", "other", NULL});
    assert_int_equal(config_files_write(store, &files, true, &error), 0);
    snprintf(one_text, sizeof one_text,
             "b = host=a-longer-host port=1\n %%include %s\nc = host=a-longer-host port=1", folder->two);
    snprintf(main_text, sizeof main_text,
             "[databases]\na = host=a-longer-host port=1\n%%include one.ini\nother = host=a-longer-host "
             "port=1\n* = "
             "host=x\n[pgbouncer]\nk = v");
    assert_holds(folder->main, main_text);
    assert_holds(folder->one, one_text);
    assert_holds(folder->two, "d = host=a-longer-host port=1\n");

    /* Read again, it is the same text. */
    ConfigFiles again;
    assert_int_equal(config_files_read(store, &again, &error), 0);
    assert_string_equal(again.flat, files.flat);
    assert_int_equal(config_files_edit(&again, again.flat, &error), 0);
    config_files_free(&again);
    config_files_free(&files);
    store_close(store);
}

static void what_includes_itself_is_an_error(void **state)
{
    const Folder *folder = *state;
    char text[512];
    Store *store;
    ConfigFiles files;
    Error error;
    snprintf(text, sizeof text, "%%include %s\n", folder->one);
    put(folder->two, text);
    assert_int_equal(store_open(folder->main, &store, &error), 0);
    assert_int_equal(config_files_read(store, &files, &error), -1);
    assert_non_null(strstr(error.message, "twice"));
    put(folder->one, "%include /nowhere/x.ini\n");
    assert_int_equal(config_files_read(store, &files, &error), -1);
    assert_non_null(strstr(error.message, "/nowhere/x.ini"));
    store_close(store);
}

static void a_command_reads_and_writes(void **state)
{
    const Folder *folder = *state;
    char name[160], script[160], text[512];
    Store *store;
    ConfigFiles files;
    Error error;
    snprintf(text, sizeof text, "[databases]\n%%include %s\n", folder->two);
    put(folder->main, text);
    snprintf(name, sizeof name, "exec:sh %s", folder->script);
    assert_int_equal(store_open(name, &store, &error), 0);
    assert_null(store_path(store));
    assert_int_equal(config_files_read(store, &files, &error), 0);
    assert_int_equal(config_files_check(store, &files, &error), 0);
    point(&files, (const char *const[]){"d", NULL});
    assert_int_equal(config_files_write(store, &files, true, &error), 0);
    assert_holds(folder->two, "d = host=a-longer-host port=1\n");
    config_files_free(&files);
    store_close(store);

    /* One that says yes and does nothing, one that fails, one that hangs with a child of its own. */
    snprintf(script, sizeof script, "exec:cat %s; cat >/dev/null; :", folder->main);
    assert_int_equal(store_open(script, &store, &error), 0);
    char *read = NULL;
    assert_int_equal(store_read(store, NULL, &read, &error), 0);
    free(read);
    store_close(store);
    assert_int_equal(store_open("exec:echo no such pod >&2; exit 3; :", &store, &error), 0);
    assert_int_equal(store_read(store, NULL, &read, &error), -1);
    assert_non_null(strstr(error.message, "status 3: no such pod"));
    store_close(store);
    assert_int_equal(store_open("exec:sleep 600; :", &store, &error), 0);
    store_limit(store, (AnswerLimit){.answer_ms = 20});
    assert_int_equal(store_read(store, NULL, &read, &error), -1);
    assert_int_equal(error.code, ERROR_LIMIT);
    assert_non_null(strstr(error.message, "not ended within 0.02 s"));
    store_close(store);
    assert_int_equal(store_open("ssh://@/x", &store, &error), 0);
    store_close(store);
    assert_int_equal(store_open("ssh://host", &store, &error), -1);
    assert_int_equal(store_open("ssh://-oProxyCommand=x/y", &store, &error), -1);
}

/* The system's ssh, in whose place stands one that runs the script here. */
static void put_ssh(const Folder *folder)
{
    char path[128], search[512];
    snprintf(path, sizeof path, "%s/ssh", folder->path);
    put(path, "#!/bin/sh\nfor script; do :; done\nexec sh -c \"$script\"\n");
    assert_int_equal(chmod(path, 0755), 0);
    snprintf(search, sizeof search, "%s:%s", folder->path, getenv("PATH"));
    setenv("PATH", search, 1);
}

/* Through each kind of store: nothing is done to a file that is not what was read, and all goes well once it is read again. */
static void what_somebody_else_changed_is_read_again(void **state)
{
    const Folder *folder = *state;
    char ssh[160], command[160];
    put_ssh(folder);
    snprintf(ssh, sizeof ssh, "ssh://host%s", folder->two);
    snprintf(command, sizeof command, "exec:sh %s", folder->script);
    setenv("MAIN", folder->two, 1);
    const char *const names[] = {folder->two, ssh, command};
    for (size_t i = 0; i < 3; i++) {
        Store *store;
        ConfigFiles files;
        Error error;
        put(folder->two, "[databases]\nd = host=x\n");
        assert_int_equal(store_open(names[i], &store, &error), 0);
        assert_int_equal(config_files_read(store, &files, &error), 0);
        put(folder->two, "[databases]\nd = host=x\ne = host=y\n");
        point(&files, (const char *const[]){"d", NULL});
        assert_int_equal(config_files_write(store, &files, true, &error), STORE_CHANGED);
        assert_holds(folder->two, "[databases]\nd = host=x\ne = host=y\n");
        config_files_free(&files);
        assert_int_equal(config_files_read(store, &files, &error), 0);
        point(&files, (const char *const[]){"d", NULL});
        assert_int_equal(config_files_write(store, &files, true, &error), 0);
        assert_holds(folder->two, "[databases]\nd = host=a-longer-host port=1\ne = host=y\n");
        /* And what was written is what is there: it may be written to again. */
        point(&files, (const char *const[]){"e", NULL});
        assert_int_equal(config_files_write(store, &files, true, &error), 0);
        config_files_free(&files);
        store_close(store);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(edits_go_back_to_where_they_lie, make, unmake),
        cmocka_unit_test_setup_teardown(what_includes_itself_is_an_error, make, unmake),
        cmocka_unit_test_setup_teardown(a_command_reads_and_writes, make, unmake),
        cmocka_unit_test_setup_teardown(what_somebody_else_changed_is_read_again, make, unmake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
