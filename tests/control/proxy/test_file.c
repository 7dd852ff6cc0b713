/*
 * A configuration file is replaced whole, with its mode, and the old one is kept.
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
        cmocka_unit_test(says_which_file_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
