/*
 * active.h: how many different orgs were active in the last minutes, in a fixed
 * 48 KiB. A HyperLogLog for each minute (P. Flajolet et al., 2007), with its
 * linear counting where there are few: exact up to some dozens in practice, and
 * within about 3 percent (three standard errors of 1.04/sqrt(8192)) beyond.
 */
#ifndef BH_ACTIVE_H
#define BH_ACTIVE_H

#include "base.h"

#define BH_ACTIVE_REGISTERS 8192
#define BH_ACTIVE_MINUTES   6 /* the one that runs, and five whole ones */

struct bh_active {
    int64_t minute[BH_ACTIVE_MINUTES];
    uint8_t rank[BH_ACTIVE_MINUTES][BH_ACTIVE_REGISTERS];
};

/* The org with this HASH did something; NOW in monotonic ms. */
void bh_active_add(struct bh_active *a, uint64_t hash, int64_t now);
/* Different hashes in the running minute and the five before it. */
uint64_t bh_active_count(const struct bh_active *a, int64_t now);

#endif
