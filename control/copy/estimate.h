/*
 * How long a copy will take yet: rows by the bytes of the tables that are left, indexes by the bytes that they have at the
 * source, each at the speed at which this run goes. Pure.
 */
#pragma once

/* What a byte of an index costs before one was made, in bytes of a table: on two cores it was between 1.5 and 2.6. */
#define ESTIMATE_INDEX 2

typedef struct EstimateWork {
    double total, done; /* bytes, as the source has them */
    double here;        /* of done, by this run ... */
    double seconds;     /* ... in so many */
} EstimateWork;

typedef struct Estimate {
    EstimateWork rows;
    EstimateWork
        indexes; /* those that are made after the rows; keys are part of the rows' work, ESTIMATE_INDEX for each byte */
} Estimate;

/* Seconds; -1: not known yet. */
double estimate_left(const Estimate *estimate);

/* From 0 to 1: of the time that it takes as a whole. */
double estimate_share(const Estimate *estimate);
