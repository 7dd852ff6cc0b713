/*
 * Statements on the target, several at a time.
 */
#pragma once

#include "copy.h"

/* Runs each statement (count of them); what says what they do, for messages. */
int statements_run(Copy *copy, char *const *statements, int count, const char *what, Error *error) MUST_CHECK;
