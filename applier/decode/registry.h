/*
 * The relations of one connection, by the number that the wire gives them. A definition that comes again unchanged
 * keeps its object, a changed one gets a new object, and the old one stays for the batches that point to it.
 */
#pragma once

#include "relation.h"

typedef struct Registry Registry;

Registry *registry_new(void);
void registry_free(Registry *registry);

/* Takes in a definition. */
const SourceRelation *registry_define(Registry *registry, const RelationRecord *record);

/* The newest definition under id, or NULL. */
const SourceRelation *registry_find(const Registry *registry, uint32_t id);
