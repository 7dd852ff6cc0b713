/*
 * A bound on bytes is kept within a piece by the servers themselves, which sleep between bursts, and between pieces by the
 * brake: small tables are too small for a burst.
 */
#include "pace.h"

#include <stdlib.h>

#include "clock.h"

/* Less than a millisecond's work of a core: no statement of a client waits for longer because of it. */
#define BURST_BYTES 65536.0
/* A session that steps back takes a tenth of a core, with its nap (table_query.c), where nobody waits for one. */
#define YIELD_BYTES 16384.0
#define LEAST_SLEEP 0.001 /* seconds: what a server cannot be much more exact than */

static void say(void *context, const char *line)
{
    const Verify *verify = context;
    log_line(&verify->settings->log, LOG_WARNING, "%s", line);
}

static int read_rate(const Verify *verify, int64_t *out, Error *error)
{
    char *bytes = NULL;
    *out = 0;
    if (verify->options->rate == NULL) {
        return 0;
    }
    if (database_value(verify->target, &bytes, error, "SELECT pg_catalog.pg_size_bytes($1)", 1,
                       verify->options->rate) != 0) {
        return error_context(error, "reading --rate \"%s\"", verify->options->rate);
    }
    *out = bytes != NULL ? strtoll(bytes, NULL, 10) : 0;
    free(bytes);
    return *out > 0 ? 0
                    : error_set(error, ERROR_USAGE, "--rate wants bytes per second, not \"%s\"",
                                verify->options->rate);
}

/* They write to the source, and after the switch to the target. */
static int look_at_clients(Verify *verify, Error *error)
{
    bool switched = verify->migration.phase == PHASE_SWITCHED;
    Database *server = switched ? verify->target : verify->source;
    if (verify->options->full_speed) {
        return 0;
    }
    return verify->clients.looked_at == 0 ? clients_begin(&verify->clients, server, error)
                                          : clients_look(&verify->clients, server, error);
}

int pace_open(Verify *verify, Error *error)
{
    GovernorOptions options = {.source = verify->source,
                               .target = verify->target,
                               .migration = verify->settings->migration,
                               .slot_name = verify->migration.slot_name,
                               .jobs = verify->options->jobs,
                               .what = "the comparison",
                               .say = say,
                               .context = verify};
    verify->brake = brake_new(verify->options->jobs);
    if (read_rate(verify, &options.rate, error) != 0) {
        return -1;
    }
    verify->governor = governor_new(&options, verify->brake);
    return governor_tick(verify->governor, error) == 0 ? look_at_clients(verify, error) : -1;
}

void pace_close(Verify *verify)
{
    governor_free(verify->governor);
    brake_free(verify->brake);
    verify->governor = NULL;
    verify->brake = NULL;
}

int pace_tick(Verify *verify, Error *error)
{
    return governor_tick(verify->governor, error) == 0 && look_at_clients(verify, error) == 0
               ? pairs_tick(verify->pairs, error)
               : -1;
}

ComparePace pace_now(Verify *verify, double row_bytes)
{
    double rate = (double)brake_share(verify->brake);
    if (rate <= 0) {
        double burst = YIELD_BYTES / row_bytes;
        return clients_are_busy(&verify->clients)
                   ? (ComparePace){.rows = burst > 1 ? burst : 1, .yields = true}
                   : (ComparePace){0};
    }
    double least = rate * LEAST_SLEEP;
    double rows = (least > BURST_BYTES ? least : BURST_BYTES) / row_bytes;
    rows = rows > 1 ? rows : 1;
    return (ComparePace){.rows = rows, .seconds = rows * row_bytes / rate};
}

bool pace_spend(Verify *verify, int64_t bytes, const atomic_bool *stop)
{
    for (int ms; (ms = brake_spend(verify->brake, bytes)) > 0; bytes = 0) {
        if (atomic_load(stop) || interrupted()) {
            return false;
        }
        clock_pause_ms(ms);
    }
    return true;
}
