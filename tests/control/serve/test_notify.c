/*
 * What is told, and when: a reason that stands, that comes and goes, limits, phases, a target that is away; and a command that
 * is run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "clock.h"
#include "notify.h"

bool interrupted(void)
{
    return false;
}

static const Log quiet = {.level = LOG_ERROR};

static void look(Notify *notify, const char *json, double now)
{
    json_t *document = json != NULL ? json_loads(json, 0, NULL) : NULL;
    assert_true(json == NULL || document != NULL);
    notify_look(notify, document, now);
    json_decref(document);
}

/* The next event has these words, in this order. */
static void expect(Notify *notify, const char *event, const char *reason, const char *text)
{
    char *line = notify_take(notify);
    assert_non_null(line);
    assert_non_null(strstr(line, event));
    assert_non_null(strstr(line, reason));
    assert_non_null(strstr(line, text));
    free(line);
}

static void expect_nothing(Notify *notify)
{
    assert_null(notify_take(notify));
}

#define WELL "{\"name\": \"m\", \"phase\": \"copied\", \"health\": []}"
#define ILL                                                                                                  \
    "{\"name\": \"m\", \"phase\": \"copied\", \"health\": [{\"id\": \"applier-failed\", \"reason\": "        \
    "\"why\"}]}"

static void a_reason_is_told_once_and_again_when_it_is_gone(void **unused)
{
    (void)unused;
    Notify *notify = notify_new(&(NotifyOptions){.after = 10, .log = &quiet});
    look(notify, WELL, 0);
    look(notify, ILL, 2);
    look(notify, ILL, 11);
    expect_nothing(notify);
    look(notify, ILL, 12);
    expect(notify, "attention", "applier-failed", "why");
    look(notify, ILL, 100);
    expect_nothing(notify);
    look(notify, WELL, 102);
    expect(notify, "resolved", "applier-failed", "why");
    look(notify, ILL, 104);
    look(notify, WELL, 106); /* too short to be told, so it is not told that it is gone */
    expect_nothing(notify);
    notify_free(notify);
}

static void limits_phases_and_a_target_that_is_away(void **unused)
{
    (void)unused;
    Notify *notify = notify_new(&(NotifyOptions){.lag_seconds = 60, .wal_bytes = 1024, .log = &quiet});
    look(notify,
         "{\"name\": \"m\", \"phase\": \"copied\", \"lag\": {\"seconds\": 61}, \"slot\": {\"kept_bytes\": "
         "2048}}",
         0);
    expect(notify, "attention", "\"lag\"", "behind");
    expect(notify, "attention", "wal-kept", "2.0 kB");
    look(notify, "{\"name\": \"m\", \"phase\": \"switched\", \"next\": \"look\"}", 2);
    expect(notify, "phase", "switched", "look");
    expect(notify, "resolved", "\"lag\"", "");
    expect(notify, "resolved", "wal-kept", "");
    look(notify, NULL, 4);
    expect(notify, "attention", "target-unreachable", "\"m\"");
    expect_nothing(notify);
    notify_free(notify);
}

static void a_command_is_run_with_the_event(void **unused)
{
    char path[] = "/tmp/test-notify-XXXXXX", command[256], said[512] = "";
    int file = mkstemp(path);
    (void)unused;
    assert_true(file >= 0);
    snprintf(command, sizeof command,
             "{ cat; echo \"$PENSTOCK_EVENT $PENSTOCK_REASON $PENSTOCK_TEXT\"; } >>%s", path);
    Notify *notify = notify_new(&(NotifyOptions){.to = command, .log = &quiet});
    look(notify, ILL, 0);
    for (int i = 0; i < 1000 && strstr(said, "attention applier-failed why") == NULL; i++) {
        clock_pause_ms(10);
        ssize_t size = pread(file, said, sizeof said - 1, 0);
        said[size > 0 ? size : 0] = '\0';
    }
    assert_non_null(strstr(said, "\"reason\":\"applier-failed\""));
    assert_non_null(strstr(said, "attention applier-failed why"));
    notify_free(notify);
    close(file);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reason_is_told_once_and_again_when_it_is_gone),
        cmocka_unit_test(limits_phases_and_a_target_that_is_away),
        cmocka_unit_test(a_command_is_run_with_the_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
