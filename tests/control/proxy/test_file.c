/*
 * A configuration file is replaced whole, with its mode, and the old one is kept.
 */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "file.h"

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

static void keeps_mode_and_the_old_text_and_follows_links(void **state)
{
    (void)state;
    char folder[] = "/tmp/penstock-file-XXXXXX";
    char real[64], link[64], before[96];
    struct stat mode;
    Error error;
    assert_non_null(mkdtemp(folder));
    snprintf(real, sizeof real, "%s/real.ini", folder);
    snprintf(link, sizeof link, "%s/link.ini", folder);
    snprintf(before, sizeof before, "%s.penstock-before", real);
    put(real, "old\n");
    assert_int_equal(chmod(real, 0640), 0);
    assert_int_equal(symlink(real, link), 0);

    assert_int_equal(file_replace(link, "new\n", &error), 0);
    assert_holds(real, "new\n");
    assert_holds(before, "old\n");
    assert_int_equal(lstat(link, &mode), 0);
    assert_true(S_ISLNK(mode.st_mode));
    assert_int_equal(stat(real, &mode), 0);
    assert_int_equal(mode.st_mode & 07777, 0640);

    /* The same text again touches nothing: the old one is still kept. */
    assert_int_equal(file_replace(link, "new\n", &error), 0);
    assert_holds(before, "old\n");

    unlink(real);
    unlink(link);
    unlink(before);
    assert_int_equal(rmdir(folder), 0);
}

/* An ACL as the kernel keeps it: version 2; owner rw, user 4242 r, group r, mask r, others none. */
static const unsigned char acl[] = {2,    0,    0,    0,    1,    0,    6,    0,    0xff, 0xff, 0xff,
                                    0xff, 2,    0,    4,    0,    0x92, 0x10, 0,    0,    4,    0,
                                    4,    0,    0xff, 0xff, 0xff, 0xff, 0x10, 0,    4,    0,    0xff,
                                    0xff, 0xff, 0xff, 0x20, 0,    0,    0,    0xff, 0xff, 0xff, 0xff};

static void keeps_the_acl_and_other_attributes(void **state)
{
    (void)state;
    char folder[] = "/tmp/penstock-file-XXXXXX";
    char real[64], before[96], found[sizeof acl + 1];
    Error error;
    assert_non_null(mkdtemp(folder));
    snprintf(real, sizeof real, "%s/real.ini", folder);
    snprintf(before, sizeof before, "%s.penstock-before", real);
    put(real, "old\n");
    bool has_acl = setxattr(real, "system.posix_acl_access", acl, sizeof acl, 0) == 0;
    bool has_note = setxattr(real, "user.note", "kept", 4, 0) == 0;
    if (has_acl || has_note) {
        assert_int_equal(file_check(real, &error), 0);
        assert_holds(real, "old\n");
        assert_int_equal(file_replace(real, "new\n", &error), 0);
        assert_holds(real, "new\n");
    }
    if (has_acl) {
        assert_int_equal(getxattr(real, "system.posix_acl_access", found, sizeof found), sizeof acl);
        assert_memory_equal(found, acl, sizeof acl);
    }
    if (has_note) {
        assert_int_equal(getxattr(real, "user.note", found, sizeof found), 4);
    }
    unlink(real);
    unlink(before);
    assert_int_equal(rmdir(folder), 0);
    if (!has_acl && !has_note) {
        skip(); /* this file system keeps no attributes */
    }
}

/* In a mount namespace of a child's own: what it returns. */
static int replace_a_mounted_file(const char *real, const char *other)
{
    Error error;
    struct stat was, is;
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount(other, real, NULL, MS_BIND, NULL) != 0) {
        return 77;
    }
    if (stat(real, &was) != 0 || file_check(real, &error) != 0 ||
        file_replace(real, "new, and longer\n", &error) != 0 || file_replace(real, "new\n", &error) != 0) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    assert_holds(real, "new\n");
    return stat(real, &is) == 0 && is.st_ino == was.st_ino ? 0 : 2;
}

static void changes_a_file_that_is_mounted_by_itself_where_it_is(void **state)
{
    (void)state;
    char folder[] = "/tmp/penstock-file-XXXXXX";
    char real[64], other[64], before[96];
    int status;
    assert_non_null(mkdtemp(folder));
    snprintf(real, sizeof real, "%s/real.ini", folder);
    snprintf(other, sizeof other, "%s/other.ini", folder);
    snprintf(before, sizeof before, "%s.penstock-before", real);
    put(real, "below\n");
    put(other, "old\n");
    pid_t child = fork();
    if (child == 0) {
        _exit(replace_a_mounted_file(real, other));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 0) {
        assert_holds(other, "new\n");
        assert_holds(real, "below\n");
    }
    unlink(real);
    unlink(other);
    unlink(before);
    assert_int_equal(rmdir(folder), 0);
    if (WEXITSTATUS(status) == 77) {
        skip(); /* no mounts for this user */
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void says_which_file_is_missing(void **state)
{
    (void)state;
    Error error;
    assert_int_equal(file_replace("/nowhere/x.ini", "", &error), -1);
    assert_int_equal(error.code, ERROR_SYSTEM);
    assert_non_null(strstr(error.message, "/nowhere/x.ini"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_mode_and_the_old_text_and_follows_links),
        cmocka_unit_test(keeps_the_acl_and_other_attributes),
        cmocka_unit_test(changes_a_file_that_is_mounted_by_itself_where_it_is),
        cmocka_unit_test(says_which_file_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
