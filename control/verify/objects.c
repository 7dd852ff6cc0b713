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

static int compare_definitions(Verify *verify, Error *error)
{
    CatalogDifferences differences;
    if (drift_find(verify->source, verify->target, verify->settings->migration, DRIFT_OF_ALL, &differences,
                   error) != 0) {
        return -1;
    }
    int status = 0;
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
