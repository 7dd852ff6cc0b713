/*
 * How far a pass is, while it runs: on a terminal one line that is drawn over and over, else a line now and then in the log.
 */
#include <stdio.h>

#include "clock.h"
#include "progress.h"
#include "verify.h"

static void make_line(Verify *verify, char *out, size_t size)
{
    Error ignored;
    const Pass *pass = &verify->pass;
    (void)!pass_count(verify->target, &verify->pass, &ignored); /* those who compare along do some, too */
    int64_t now = pass->bytes - pass->bytes_left, done = now - verify->bytes_before;
    double seconds = clock_seconds() - verify->began;
    char have[32], all[32], left[32] = "?";
    progress_size(now, have, sizeof(have));
    progress_size(pass->bytes, all, sizeof(all));
    if (done > 0) {
        progress_time((double)pass->bytes_left * seconds / (double)done, left, sizeof(left));
    }
    snprintf(out, size, "comparing: %lld of %lld pieces, %s of %s, %lld rows, %lld different, about %s left",
             (long long)(pass->jobs - pass->jobs_left), (long long)pass->jobs, have, all,
             (long long)atomic_load(&verify->rows_done), (long long)atomic_load(&verify->different), left);
}

static bool draws(const Verify *verify)
{
    return verify->settings->terminal && !verify->settings->json;
}

static bool is_due(Verify *verify)
{
    double now = clock_seconds();
    bool due = now - verify->shown_at >= (draws(verify) ? 0.5 : 10);
    verify->shown_at = due ? now : verify->shown_at;
    return due;
}

static void put(const Verify *verify, const char *line)
{
    if (draws(verify)) {
        printf("\r\033[K%s", line);
        fflush(stdout);
    } else {
        log_line(&verify->settings->log, LOG_INFO, "%s", line);
    }
}

void verify_show(void *context)
{
    Verify *verify = context;
    char line[300];
    if (is_due(verify)) {
        make_line(verify, line, sizeof(line));
        put(verify, line);
    }
}

void verify_show_what(Verify *verify, const char *what)
{
    char line[100], took[32];
    if (is_due(verify)) {
        snprintf(line, sizeof line, "comparing: %s, %s since the beginning", what,
                 progress_time(clock_seconds() - verify->began, took, sizeof took));
        put(verify, line);
    }
}
