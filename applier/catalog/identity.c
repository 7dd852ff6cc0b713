#include "identity.h"

#include <stdio.h>

void identity_columns(const SourceRelation *source, Text *out)
{
    for (uint32_t c = 0; c < source->column_count; c++) {
        const SourceColumn *column = &source->columns[c];
        definition_add_column(out, column->number, column->type, column->typmod, column->name);
    }
    text_array_end(out);
}

/* The caller frees columns. */
static Definition definition_of(const SourceRelation *source, Text *columns)
{
    identity_columns(source, columns);
    return (Definition){
        .schema = source->schema, .table = source->name, .oid = source->id, .columns = columns->data};
}

int identity_remember(Database *target, const SourceRelation *const *sources,
                      const DefinitionFound *const *found, size_t count, Error *error)
{
    Text ids = {0}, columns = {0};
    size_t news = 0;
    for (size_t i = 0; i < count; i++) {
        if (found[i]->news && !found[i]->other_table && found[i]->changed == NULL) {
            Text one = {0};
            char id[24];
            snprintf(id, sizeof id, "%lld", (long long)found[i]->number);
            identity_columns(sources[i], &one);
            text_array_add(&ids, id);
            text_array_add(&columns, one.data);
            text_free(&one);
            news++;
        }
    }
    text_array_end(&ids);
    text_array_end(&columns);
    int status = news == 0 ? 0 : definitions_add(target, ids.data, columns.data, error);
    text_free(&ids);
    text_free(&columns);
    return status == 0 ? 0 : error_context(error, "remembering new columns of %zu tables", news);
}

static int say_how_to_go_on(Error *error)
{
    return error_hint(
        error,
        "Nothing in the stream says what the other rows have now. Make the same change on the target, and "
        "run penstock copy, which copies the table again; or start with "
        "--on-undecodable=recopy, to leave it out until then.");
}

int identity_check(const SourceRelation *source, const DefinitionFound *found, Error *error)
{
    const char *schema = source->schema, *name = source->name;
    if (!found->listed && found->known_as != NULL) {
        error_set(error, ERROR_CONFLICT,
                  "table %s.%s is the one that was copied as %s: it was renamed at the source", schema, name,
                  found->known_as);
        return error_hint(
            error, "Rename it on the target, too, and run penstock copy, which copies it again under its "
                   "new name; or start with --on-undecodable=recopy, to leave it out until then.");
    }
    if (found->other_table) {
        error_set(
            error, ERROR_CONFLICT,
            "table %s.%s of the source is another one than the table that was copied under that name: it was "
            "dropped and made anew, or another one was renamed%s%s",
            schema, name, found->known_as != NULL ? "; this is the one that was copied as " : "",
            found->known_as != NULL ? found->known_as : "");
        return say_how_to_go_on(error);
    }
    if (found->changed != NULL) {
        error_set(
            error, ERROR_CONFLICT,
            "column \"%s\" of table %s.%s is not as it was when the table was copied: at the source it was "
            "made anew, or renamed, or has got another type",
            found->changed, schema, name);
        return say_how_to_go_on(error);
    }
    return 0;
}

int identity_note_replaced(Database *target, const char *migration, const SourceRelation *source,
                           Lsn commit_lsn, Error *error)
{
    Text columns = {0};
    Definition now = definition_of(source, &columns);
    int status = definition_note_replaced(
        target, migration, &now, commit_lsn,
        "at the source it was made anew, swapped by rename, or given another type", error);
    text_free(&columns);
    return status;
}
