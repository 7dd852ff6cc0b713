/* PostgreSQL 11: publications, and which of them a table is in. */
#pragma once

#include "nodes/pg_list.h"

typedef struct PublicationActions {
    bool pubinsert;
    bool pubupdate;
    bool pubdelete;
    bool pubtruncate;
} PublicationActions;

typedef struct Publication {
    Oid oid;
    char *name;
    bool alltables;
    PublicationActions pubactions;
} Publication;

extern Publication *GetPublicationByName(const char *name, bool missing_ok);
extern List *GetRelationPublications(Oid relation);
