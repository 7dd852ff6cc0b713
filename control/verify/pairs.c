/*
 * One mutex guards the present pair: who comes while it is made waits for it.
 */
#include "pairs_parts.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "still.h"
#include "verify.h"

#define LOOK_SECONDS 0.5

int pairs_new(const PairsOptions *options, Pairs **out, Error *error)
{
    Pairs *pairs = calloc(1, sizeof(*pairs));
    if (pairs == NULL) {
        abort();
    }
    pairs->options = *options;
    pthread_mutex_init(&pairs->mutex, NULL);
    pairs->follower = options->switched || options->joined ? NULL : follower_new(options->settings);
    if (verify_connect(options->settings, DATABASE_TARGET, "verify", &pairs->state, error) != 0 ||
        verify_connect(options->settings, DATABASE_SOURCE, "verify", &pairs->marker, error) != 0 ||
        database_execute(pairs->marker, error, "SET synchronous_commit = local", 0) != 0) {
        pairs_free(pairs);
        return -1;
    }
    *out = pairs;
    return 0;
}

static void drop(Pairs *pairs)
{
    for (int i = 0; i < 2; i++) {
        database_close(pairs->holders[i]);
        pairs->holders[i] = NULL;
    }
}

void pairs_free(Pairs *pairs)
{
    if (pairs != NULL) {
        drop(pairs);
        follower_free(pairs->follower);
        database_close(pairs->state);
        database_close(pairs->marker);
        pthread_mutex_destroy(&pairs->mutex);
        free(pairs);
    }
}

void pairs_summary(Pairs *pairs, PairsSummary *out)
{
    pthread_mutex_lock(&pairs->mutex);
    *out = pairs->summary;
    pthread_mutex_unlock(&pairs->mutex);
}

static int open_holders(Pairs *pairs, Error *error)
{
    const Settings *settings = pairs->options.settings;
    return verify_connect(settings, DATABASE_SOURCE, "verify snapshot", &pairs->holders[0], error) == 0 &&
                   verify_connect(settings, DATABASE_TARGET, "verify snapshot", &pairs->holders[1], error) ==
                       0
               ? 0
               : -1;
}

static int make(Pairs *pairs, Error *error)
{
    if (open_holders(pairs, error) != 0) {
        return -1;
    }
    PairsSummary *summary = &pairs->summary;
    int status = pairs->options.switched ? still_take(pairs->holders, pairs->state, pairs->exported,
                                                      pairs->options.stop, summary->last_point, error)
                                         : matched_take(pairs, error);
    if (status != 0) {
        return -1;
    }
    pairs->made_at = clock_seconds();
    if (summary->count++ == 0) {
        memcpy(summary->first_point, summary->last_point, sizeof(summary->first_point));
    }
    return shared_publish(pairs, error);
}

/* As old as a cycle: whoever reads under it goes on, and nobody begins to. */
static void drop_old(Pairs *pairs)
{
    if (pairs->holders[0] != NULL && clock_seconds() - pairs->made_at >= pairs->options.cycle) {
        drop(pairs);
    }
}

static int adopt(Pairs *pairs, Database *source, Database *target, int *number, Error *error)
{
    drop_old(pairs);
    if (pairs->holders[0] == NULL && make(pairs, error) != 0) {
        drop(pairs);
        return -1;
    }
    *number = pairs->summary.count;
    return exported_adopt(source, pairs->exported[0], error) == 0
               ? exported_adopt(target, pairs->exported[1], error)
               : -1;
}

static int adopt_again(Pairs *pairs, Database *source, Database *target, int *number, Error *error)
{
    drop(pairs);
    return database_execute(source, error, "ROLLBACK", 0) == 0 &&
                   database_execute(target, error, "ROLLBACK", 0) == 0
               ? adopt(pairs, source, target, number, error)
               : -1;
}

int pairs_adopt(Pairs *pairs, Database *source, Database *target, int *number, Error *error)
{
    pthread_mutex_lock(&pairs->mutex);
    int status = (pairs->options.joined ? shared_adopt : adopt)(pairs, source, target, number, error);
    if (status != 0 && !pairs->options.joined && exported_is_gone(error)) {
        status = adopt_again(pairs, source, target, number, error);
    }
    pthread_mutex_unlock(&pairs->mutex);
    return status;
}

int pairs_at_point(Pairs *pairs, PairsWork work, void *context, Error *error)
{
    pthread_mutex_lock(&pairs->mutex);
    drop(pairs);
    pairs->work = work;
    pairs->work_context = context;
    int status = make(pairs, error);
    pairs->work = NULL;
    if (status != 0) {
        drop(pairs);
    }
    pthread_mutex_unlock(&pairs->mutex);
    return status;
}

/* The applier gives a point up by an update of this row, and goes on only when that is done. */
int pairs_lock_point(Database *target, const char *migration, int64_t point, bool *stands, Error *error)
{
    char number[24];
    snprintf(number, sizeof(number), "%lld", (long long)point);
    return database_found(target, stands, error,
                          "SELECT 1 FROM penstock.point WHERE migration = $1 AND number = $2::int8"
                          "   AND state = 'reached' FOR UPDATE",
                          2, migration, number);
}

static int tick(Pairs *pairs, Error *error)
{
    bool wanted = false;
    if (clock_seconds() - pairs->looked_at < LOOK_SECONDS) {
        return 0;
    }
    pairs->looked_at = clock_seconds();
    drop_old(pairs);
    if (shared_is_wanted(pairs, &wanted, error) != 0) {
        return -1;
    }
    if (wanted) {
        drop(pairs);
    }
    return wanted && make(pairs, error) != 0 ? -1 : 0;
}

int pairs_tick(Pairs *pairs, Error *error)
{
    if (pairs->options.joined) {
        return 0;
    }
    pthread_mutex_lock(&pairs->mutex);
    int status = tick(pairs, error);
    if (status != 0) {
        drop(pairs);
    }
    pthread_mutex_unlock(&pairs->mutex);
    return status;
}

void pairs_renew(Pairs *pairs, int number)
{
    Error ignored;
    pthread_mutex_lock(&pairs->mutex);
    if (pairs->options.joined) {
        (void)!shared_want(pairs, number, &ignored); /* the pair itself is tried again then */
    } else if (pairs->summary.count == number) {
        drop(pairs);
    }
    pthread_mutex_unlock(&pairs->mutex);
}
