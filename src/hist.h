/*
 * hist.h: how long things took, in microseconds or whatever unit its user has.
 * A log-linear histogram: 32 steps between two powers of two, so a percentile
 * is at most 3 % too high.
 */
#ifndef BH_HIST_H
#define BH_HIST_H

#include "base.h"

#define BH_HIST_STEPS 32
#define BH_HIST_SLOTS (40 * BH_HIST_STEPS) /* up to 2^40 µs, twelve days */

struct bh_hist {
    uint64_t count, max;
    uint64_t slot[BH_HIST_SLOTS];
};

/* US below 0 counts as 0. */
void bh_hist_add(struct bh_hist *h, int64_t us);
void bh_hist_add_n(struct bh_hist *h, int64_t us, uint64_t n);
/* How many are at most US; a slot that US lies in counts as a whole. */
uint64_t bh_hist_within(const struct bh_hist *h, uint64_t us);
/* The value that PERCENT of all stay at or below; 0 in an empty one. */
uint64_t bh_hist_percentile(const struct bh_hist *h, double percent);

#endif
