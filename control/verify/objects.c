/*
 * What is not in tables. Definitions and sequences know no snapshots: they are read as they are. Large objects are rows of a
 * catalog, and are read under a pair.
 */
#include <stdlib.h>

#include "drift.h"
#include "large_objects.h"
#include "sequences.h"
#include "text.h"
#include "verify.h"
#include "verify_sequences.h"

/* Those of an interrupted run come anew. */
static int forget(Verify *verify, Error *error)
{
    return database_execute(verify->target, error,
                            "DELETE FROM penstock.verify_difference WHERE pass = $1::int8 AND kind <> 'row'",
                            1, verify->pass.id);
}

typedef struct Sessions {
    Verify *verify;
    Database *source, *target;
} Sessions;

static void close_sessions(Sessions *sessions)
{
    database_close(sessions->source);
    database_close(sessions->target);
    sessions->source = sessions->target = NULL;
}

static int renew(void *context, Database **source, Database **target, Error *error)
{
    Sessions *sessions = context;
    const Settings *settings = sessions->verify->settings;
    close_sessions(sessions);
    verify_show_what(sessions->verify, "definitions");
    if (verify_connect(settings, DATABASE_SOURCE, "verify", &sessions->source, error) != 0 ||
        verify_connect(settings, DATABASE_TARGET, "verify", &sessions->target, error) != 0) {
        return -1;
    }
    *source = sessions->source;
    *target = sessions->target;
    return 0;
}

static int compare_definitions(Verify *verify, Error *error)
{
    CatalogDifferences differences;
    Sessions sessions = {.verify = verify};
    const CatalogSessions renewed = {.renew = renew, .context = &sessions};
    int status = drift_find(verify->source, verify->target, verify->settings->migration, DRIFT_OF_ALL,
                            &renewed, &differences, error);
    close_sessions(&sessions);
    if (status != 0) {
        return -1;
    }
    for (size_t i = 0; status == 0 && i < differences.count; i++) {
        const CatalogDifference *one = &differences.list[i];
        Text object = {0};
        text_printf(&object, "%s %s", one->kind, one->object);
        status = pass_note(verify->target, &verify->pass, "definition", object.data, one->part, one->source,
                           one->target, error);
        text_free(&object);
    }
    atomic_fetch_add(&verify->different, (int64_t)differences.count);
    catalog_differences_free(&differences);
    return status;
}

/* Of a part of the tables only their sequences are looked at: definitions hang on each other. */
int verify_objects(Verify *verify, Error *error)
{
    bool part = verify->options->selection.count > 0;
    if (verify->options->rows_only) {
        return 0;
    }
    return forget(verify, error) == 0 && (part || compare_definitions(verify, error) == 0) &&
                   sequences_verify(verify, error) == 0 && (part || large_objects_verify(verify, error) == 0)
               ? 0
               : -1;
}
