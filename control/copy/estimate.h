/*
 * How long a copy will take yet: rows by the bytes of the tables that are left, indexes by the bytes that they have at the
 * source, each at the speed at which this run goes; and no less than the longest of the jobs that run. Pure.
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
        indexes; /* all but keys, which are part of the rows' work, ESTIMATE_INDEX for each byte; here and
                             seconds: those that were made behind all rows */
    double
        beside; /* bytes of indexes that this run has made while rows were carried, within the rows' seconds */
    double longest; /* seconds that one of the running jobs takes yet at its own speed; 0: not known */
} Estimate;

/* Seconds that a job takes yet of which this share, from 0 to 1, has taken so many; 0: not known. */
double estimate_job_left(double share, double seconds);

/* Seconds; -1: not known yet. */
double estimate_left(const Estimate *estimate);

/* From 0 to 1: of the time that it takes as a whole. */
double estimate_share(const Estimate *estimate);
