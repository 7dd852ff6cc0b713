/*
 * What the copy does about DDL at the source: it decides how it is met, installs what captures it before the slot is made, and
 * dumps the schema under a snapshot that is known by what it sees, so that of each statement it can be told whether it came
 * with the dump or comes in the stream.
 */
#pragma once

#include "copy.h"
#include "exported.h"

/* For a migration that begins: what the operator said, or what the source allows. */
int ddl_choose_mode(Copy *copy, Error *error) MUST_CHECK;

/* For one that goes on: it stays as it began. ERROR_STATE when the operator says otherwise. */
int ddl_check_mode(Copy *copy, Error *error) MUST_CHECK;

/* Before the slot is made, and behind that. Nothing unless DDL is captured. */
int ddl_install(Copy *copy, Error *error) MUST_CHECK;
int ddl_note_key(Copy *copy, Error *error) MUST_CHECK;

/*
 * Takes the snapshot in copy->holder, past every transaction that had begun when the slot was made, and writes down what it sees.
 * exported is its name. It lives until ddl_let_go.
 */
int ddl_take_snapshot(Copy *copy, char exported[EXPORTED_SIZE], Error *error) MUST_CHECK;
void ddl_let_go(Copy *copy);

/* The list of the migration's tables is what session sees at the source, and no more. In slot_step.c. */
int copy_list_dumped(Copy *copy, Database *session, Error *error) MUST_CHECK;
