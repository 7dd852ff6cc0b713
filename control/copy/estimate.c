/*
 * Before the first index is made behind the rows nobody knows how fast that goes: ESTIMATE_INDEX stands for it. Indexes that are
 * made while rows are carried share the machine with them, and the time: there both are one work.
 */
#include "estimate.h"

#include <stdbool.h>

/* What is too little to tell a speed from. */
#define LEAST_SHARE 0.01
#define LEAST_SECONDS 0.5

static bool is_known(const EstimateWork *work, double here)
{
    return work->seconds >= LEAST_SECONDS && here > 0 && here >= LEAST_SHARE * work->total;
}

static double positive(double number)
{
    return number > 0 ? number : 0;
}

/* Seconds for each byte of rows and of indexes; 0: nothing is known. */
static void costs(const Estimate *estimate, double *row, double *index)
{
    const EstimateWork *rows = &estimate->rows, *indexes = &estimate->indexes;
    double here = rows->here + ESTIMATE_INDEX * estimate->beside;
    *row = is_known(rows, here) ? rows->seconds / here : 0;
    *index = is_known(indexes, indexes->here) ? indexes->seconds / indexes->here : ESTIMATE_INDEX * *row;
    *row = *row > 0 ? *row : *index / ESTIMATE_INDEX;
}

double estimate_job_left(double share, double seconds)
{
    bool known = share >= LEAST_SHARE && seconds >= LEAST_SECONDS;
    return known ? positive(1 - share) / share * seconds : 0;
}

double estimate_left(const Estimate *estimate)
{
    double row, index;
    double rows = positive(estimate->rows.total - estimate->rows.done);
    double indexes = positive(estimate->indexes.total - estimate->indexes.done);
    costs(estimate, &row, &index);
    if (rows + indexes <= 0) {
        return 0;
    }
    if (row <= 0) {
        return -1;
    }
    double left = rows * row + indexes * index;
    return left > estimate->longest ? left : estimate->longest;
}

double estimate_share(const Estimate *estimate)
{
    double row, index;
    costs(estimate, &row, &index);
    if (row <= 0) {
        row = 1;
        index = ESTIMATE_INDEX;
    }
    double all = estimate->rows.total * row + estimate->indexes.total * index;
    double done = estimate->rows.done * row + estimate->indexes.done * index;
    double share = all > 0 ? done / all : 1;
    return share < 0 ? 0 : share > 1 ? 1 : share;
}
