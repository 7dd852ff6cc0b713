/*
 * DROP DATABASE writes a checkpoint and removes some nine hundred files: as long as all of a small schema took to make. Nothing
 * that comes next needs it to be gone. It has a session of its own, for the caller goes on with his.
 */
#include "trial_end.h"

#include <pthread.h>
#include <stdlib.h>

#include "text.h"

struct TrialEnd {
    char *uri, *name;
    pthread_t thread;
    int status; /* of the thread, as its error */
    Error error;
};

static int drop(const TrialEnd *end, Error *error)
{
    Database *target = NULL;
    Text sql = {0};
    if (database_connect(end->uri, DATABASE_TARGET, "check", &target, error) != 0) {
        return -1;
    }
    text_append(&sql, "DROP DATABASE ");
    text_name_add(&sql, end->name);
    int status = database_execute(target, error, sql.data, 0);
    text_free(&sql);
    database_close(target);
    return status;
}

static void *run(void *context)
{
    TrialEnd *end = context;
    end->status = drop(end, &end->error);
    return NULL;
}

static void end_free(TrialEnd *end)
{
    free(end->uri);
    free(end->name);
    free(end);
}

int trial_end_begin(const char *uri, const char *name, TrialEnd **out, Error *error)
{
    TrialEnd *end = calloc(1, sizeof *end);
    if (end == NULL) {
        abort();
    }
    end->uri = text_copy(uri != NULL ? uri : "");
    end->name = text_copy(name);
    if (pthread_create(&end->thread, NULL, run, end) != 0) {
        end_free(end);
        return error_set(error, ERROR_SYSTEM, "cannot start a thread");
    }
    *out = end;
    return 0;
}

int trial_end_wait(TrialEnd *end, Error *error)
{
    if (end == NULL) {
        return 0;
    }
    pthread_join(end->thread, NULL);
    int status = end->status;
    if (status != 0) {
        *error = end->error;
        error_context(error, "dropping %s, the database in which the schema was tried", end->name);
    }
    end_free(end);
    return status;
}
