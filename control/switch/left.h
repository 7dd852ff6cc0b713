/*
 * What stays behind, by the migration's selection, is said before a switch, and has to be accepted. Private to this folder.
 */
#pragma once

#include "cutover.h"

/* Looks anew at what stays behind, hides it in the source's session, and names it. ERROR_STATE unless it is accepted. */
int left_check(Cutover *cutover, Error *error) MUST_CHECK;
