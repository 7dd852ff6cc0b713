/*
 * A publication is taken as a list of tables. One that publishes only some operations, rows or columns is refused and not
 * half obeyed: a reader that keeps a copy would have rows that the source does not have.
 */
#include "compat.h"
#include "publication.h"

static void refuse(const char *publication, const char *what)
{
    ereport(
        ERROR,
        (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("penstock: publication \"%s\" %s", publication, what),
         errdetail("The option \"publications\" takes from a publication which tables are sent, whole.")));
}

static const Publication *find_publication(const char *name)
{
    const Publication *publication = GetPublicationByName(name, true);
    if (publication == NULL) {
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                        errmsg("penstock: publication \"%s\" does not exist", name),
                        errdetail("The option \"publications\" names it."),
                        errhint("It must exist where decoding is: create the publication before the slot.")));
    }
    const PublicationActions *actions = &publication->pubactions;
    if (!actions->pubinsert || !actions->pubupdate || !actions->pubdelete || !actions->pubtruncate) {
        refuse(name, "does not publish all operations");
    }
    return publication;
}

/* The entry of the table in the publication, if there is one, must be for all of its rows and columns. */
static void check_whole(const Publication *publication, Oid relation)
{
#if PG_VERSION_NUM >= 150000
    HeapTuple entry =
        SearchSysCache2(PUBLICATIONRELMAP, ObjectIdGetDatum(relation), ObjectIdGetDatum(publication->oid));
    if (!HeapTupleIsValid(entry)) {
        return;
    }
    bool all_rows, all_columns;
    SysCacheGetAttr(PUBLICATIONRELMAP, entry, Anum_pg_publication_rel_prqual, &all_rows);
    SysCacheGetAttr(PUBLICATIONRELMAP, entry, Anum_pg_publication_rel_prattrs, &all_columns);
    ReleaseSysCache(entry);
    if (!all_rows || !all_columns) {
        refuse(publication->name, all_rows ? "has a column list" : "has a row filter");
    }
#else
    (void)publication;
    (void)relation;
#endif
}

static bool has_member(const Publication *publication, Oid relation)
{
    if (!list_member_oid(GetRelationPublications(relation), publication->oid)) {
        return false;
    }
    check_whole(publication, relation);
    return true;
}

static bool has_schema_of(const Publication *publication, Oid relation)
{
#if PG_VERSION_NUM >= 150000
    return list_member_oid(GetSchemaPublications(get_rel_namespace(relation)), publication->oid);
#else
    (void)publication;
    (void)relation;
    return false;
#endif
}

static bool has_parent_of(const Publication *publication, Relation relation)
{
#if PG_VERSION_NUM >= 130000
    if (relation->rd_rel->relispartition) {
        ListCell *cell;
        foreach (cell, get_partition_ancestors(RelationGetRelid(relation))) {
            if (has_member(publication, lfirst_oid(cell)) || has_schema_of(publication, lfirst_oid(cell))) {
                return true;
            }
        }
    }
#else
    (void)publication;
    (void)relation;
#endif
    return false;
}

bool publication_has_table(const List *names, Relation relation)
{
    ListCell *cell;
    bool found = false;
    foreach (cell, names) {
        const Publication *publication = find_publication(lfirst(cell));
        found = publication->alltables || has_member(publication, RelationGetRelid(relation)) ||
                has_schema_of(publication, RelationGetRelid(relation)) ||
                has_parent_of(publication, relation) || found;
    }
    return found;
}
