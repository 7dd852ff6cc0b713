/*
 * The error of a change that cannot be applied, in words for the operator.
 */
#pragma once

#include "session.h"

/*
 * Completes error about change: kind, relation, key, commit LSN and number before the message, and what to do
 * unless it says so already. May ask the server how to write the key, so the session's transaction must be
 * over.
 */
void conflict_explain(Session *session, const Change *change, Error *error);

/* The class of an SQLSTATE that is about the rows, not about the table or the server. */
bool conflict_is_about_rows(const char *sqlstate);

/* The error of a change that concerned `rows` rows instead of one. */
void conflict_miscounted(const Change *change, uint64_t rows, Error *error);
