/*
 * What must be true of the source before its stream is opened.
 */
#pragma once

#include "database.h"
#include "receiver.h"

/* Is the server at the other end of a replication connection the one that the migration began with? *timeline is its own. */
int source_check(Database *source, const ReceiverOptions *options, int *timeline, Error *error) MUST_CHECK;

/* Waits until the slot is free and checks it; *confirmed is where it stands. */
int slot_check(Database *source, const ReceiverOptions *options, int timeline, Lsn *confirmed,
               Error *error) MUST_CHECK;
