/*
 * What became of a run, for people and as JSON.
 */
#pragma once

#include "cutover.h"

typedef enum Ending { ENDING_THERE, ENDING_UNDONE, ENDING_STUCK } Ending;

/* comparison, which may be NULL, is taken over. */
void ending_print(const Cutover *cutover, Ending ending, json_t *comparison);
