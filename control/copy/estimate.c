/*
 * Before the first index is made nobody knows how fast that goes: ESTIMATE_INDEX stands for it.
 */
#include "estimate.h"

#include <stdbool.h>

/* What is too little to tell a speed from. */
#define LEAST_SHARE 0.01
#define LEAST_SECONDS 0.5

static bool is_known(const EstimateWork *work)
{
    return work->seconds >= LEAST_SECONDS && work->here > 0 && work->here >= LEAST_SHARE * work->total;
}

static double positive(double number)
{
    return number > 0 ? number : 0;
}

/* Seconds for each byte of rows and of indexes; 0: nothing is known. */
static void costs(const Estimate *estimate, double *row, double *index)
{
    const EstimateWork *rows = &estimate->rows, *indexes = &estimate->indexes;
    *row = is_known(rows) ? rows->seconds / rows->here : 0;
    *index = is_known(indexes) ? indexes->seconds / indexes->here : ESTIMATE_INDEX * *row;
    *row = *row > 0 ? *row : *index / ESTIMATE_INDEX;
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
    return row > 0 ? rows * row + indexes * index : -1;
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
