/*
 * A process that compares along takes no part in the answer: what it finds goes into the state with its pieces, and who leads the
 * pass waits for these and sums up. If it dies its pieces are free again, since its sessions end with it: at once, or once the
 * target's keepalives have found that its host is gone.
 */
#include "join_pass.h"

#include <jansson.h>
#include <stdio.h>

#include "clock.h"

#define PAUSE_MS 200
#define SAID_SECONDS 2
#define WAIT_SECONDS 60

static int wait_for_pass(Verify *verify, int *sample, Error *error)
{
    bool found = false, said = false;
    for (double begun = clock_seconds(); clock_seconds() - begun < WAIT_SECONDS; clock_pause_ms(PAUSE_MS)) {
        if (pass_find(verify->target, verify->settings->migration, &verify->pass, sample, &found, error) !=
            0) {
            return -1;
        }
        if (found) {
            return 0;
        }
        if (!said && clock_seconds() - begun > SAID_SECONDS) {
            said = true;
            log_line(&verify->settings->log, LOG_INFO,
                     "waiting for a comparison to join, %d s at most: penstock verify begins one",
                     WAIT_SECONDS);
        }
        if (interrupted()) {
            return error_set(error, ERROR_INTERRUPTED,
                             "interrupted while a comparison to join was waited for");
        }
    }
    error_set(error, ERROR_STATE, "nobody compares migration \"%s\": there is nothing to join",
              verify->settings->migration);
    return error_hint(error, "penstock verify without --join begins a comparison");
}

static void report(const Verify *verify, bool equal)
{
    long long pieces = (long long)atomic_load(&verify->jobs_done),
              rows = (long long)atomic_load(&verify->rows_done);
    double seconds = clock_seconds() - verify->began;
    if (verify->settings->json) {
        json_t *document = json_pack("{s:b, s:b, s:I, s:I, s:f}", "joined", 1, "equal", equal, "pieces",
                                     (json_int_t)pieces, "rows", (json_int_t)rows, "seconds", seconds);
        json_dumpf(document, stdout, JSON_INDENT(2));
        printf("\n");
        json_decref(document);
    } else {
        printf("Compared along: %lld pieces, %lld rows, in %.1f s. %s\n", pieces, rows, seconds,
               equal ? "They hold the same; who leads the comparison has the answer for all."
                     : "DIFFERENT: who leads the comparison lists what.");
    }
}

int join_run_pass(Verify *verify, VerifyOptions *options, bool *equal, Error *error)
{
    if (wait_for_pass(verify, &options->sample, error) != 0 || verify_open_pairs(verify, error) != 0 ||
        verify_rows(verify, error) != 0) {
        return -1;
    }
    if (verify->settings->terminal && !verify->settings->json) {
        printf("\r\033[K");
    }
    *equal = atomic_load(&verify->different) == 0;
    report(verify, *equal);
    return 0;
}
