/*
 * What a stage of the pipeline says when it was asked to go on. Stages never call the loop and never wait: they say what they
 * want, and the loop decides.
 */
#pragma once

typedef enum Step {
    STEP_TOOK,            /* something was done, and there may be more to do at once */
    STEP_EMPTY,           /* nothing is left of what has been read: the source is waited for */
    STEP_FULL,            /* memory is: batches have to be done first */
    STEP_NEEDS_RELATIONS, /* the resolver has to answer first */
    STEP_ASKS_AHEAD,      /* the same, and what the source sends next may have more to ask */
    STEP_NEEDS_QUIET,     /* all that came before has to be durable, and every lane at one point */
    STEP_HELD,            /* the copy of the tables, or a comparison, has to go on first */
    STEP_LOOKS_AHEAD,     /* the same, and what the source sends next is of interest */
    STEP_AGAIN,           /* the run has to end, and another to begin */
    STEP_FAILED,          /* the error says why */
} Step;
