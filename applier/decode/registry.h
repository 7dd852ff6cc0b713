/*
 * The relations of the stream, by the number that the wire gives them. A definition that comes again unchanged
 * keeps its object, also over a connection that comes later; a changed one gets a new object, and the old one stays for
 * whoever points to it. Only the event loop changes the registry; objects may be read on any thread.
 */
#pragma once

#include "relation.h"

typedef struct Registry Registry;

Registry *registry_new(void);
void registry_free(Registry *registry);

/* Another connection to the source: a number means nothing until it has been defined there. */
void registry_begin(Registry *registry);

/* Takes in a definition. */
const SourceRelation *registry_define(Registry *registry, const RelationRecord *record);

/* The newest definition under id on this connection, or NULL. */
const SourceRelation *registry_find(const Registry *registry, uint32_t id);
