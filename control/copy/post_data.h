/*
 * The schema's road, as the copy takes it, and what of the schema is made after the rows.
 */
#pragma once

#include "copy.h"

/* For the copy's own thread; what is told goes to copy->progress. Its strings are the copy's. */
SchemaRoad post_data_road(const Copy *copy);

/* Triggers and rules that would act on the rows that the stream brings, or a second copy, are switched off. */
int post_data_silence(Copy *copy, Error *error) MUST_CHECK;
