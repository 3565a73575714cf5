#include "base.h"
#include "active.h"

#include <math.h>
#include <string.h>

#define INDEX_BITS 13
_Static_assert(BH_ACTIVE_REGISTERS == 1 << INDEX_BITS, "");

void
bh_active_add(struct bh_active *a, uint64_t hash, int64_t now)
{
    int64_t minute = now / 60000 + 1; /* never 0, as in fresh memory */
    size_t at = (size_t)(minute % BH_ACTIVE_MINUTES);
    size_t index = hash >> (64 - INDEX_BITS);
    uint64_t rest = hash << INDEX_BITS | 1ULL << (INDEX_BITS - 1);
    uint8_t rank = (uint8_t)(__builtin_clzll(rest) + 1);

    if (a->minute[at] != minute) {
        a->minute[at] = minute;
        memset(a->rank[at], 0, sizeof a->rank[at]);
    }
    if (a->rank[at][index] < rank) a->rank[at][index] = rank;
}

uint64_t
bh_active_count(const struct bh_active *a, int64_t now)
{
    const double m = BH_ACTIVE_REGISTERS;
    int64_t minute = now / 60000 + 1;
    double sum = 0;
    size_t zeros = 0;

    for (size_t i = 0; i < BH_ACTIVE_REGISTERS; i++) {
        uint8_t rank = 0;
        for (size_t j = 0; j < BH_ACTIVE_MINUTES; j++)
            if (a->minute[j] > minute - BH_ACTIVE_MINUTES &&
                a->rank[j][i] > rank)
                rank = a->rank[j][i];
        sum += ldexp(1, -rank);
        zeros += rank == 0;
    }
    double estimate = 0.7213 / (1 + 1.079 / m) * m * m / sum;
    if (estimate <= 2.5 * m && zeros > 0) estimate = m * log(m / (double)zeros);
    return (uint64_t)llround(estimate);
}
