#include "hist.h"

/* Values below STEPS have a slot each; above, the slot is the power of two
 * and the five bits after the leading one. */
static size_t
slot_of(uint64_t v)
{
    if (v < BH_HIST_STEPS) return (size_t)v;

    unsigned shift = 58u - (unsigned)__builtin_clzll(v);
    size_t slot = (size_t)(shift + 1) * BH_HIST_STEPS +
                  ((size_t)(v >> shift) - BH_HIST_STEPS);
    return slot < BH_HIST_SLOTS ? slot : BH_HIST_SLOTS - 1;
}

/* The highest value of a slot. */
static uint64_t
top_of(size_t slot)
{
    if (slot < BH_HIST_STEPS) return slot;

    size_t shift = slot / BH_HIST_STEPS - 1;
    uint64_t lead = slot % BH_HIST_STEPS + BH_HIST_STEPS;
    return ((lead + 1) << shift) - 1;
}

void
bh_hist_add_n(struct bh_hist *h, int64_t us, uint64_t n)
{
    uint64_t v = us > 0 ? (uint64_t)us : 0;

    if (n == 0) return;
    h->slot[slot_of(v)] += n;
    h->count += n;
    if (v > h->max) h->max = v;
}

void
bh_hist_add(struct bh_hist *h, int64_t us)
{
    bh_hist_add_n(h, us, 1);
}

uint64_t
bh_hist_within(const struct bh_hist *h, uint64_t us)
{
    uint64_t n = 0;

    for (size_t i = 0; i <= slot_of(us); i++) n += h->slot[i];
    return n;
}

uint64_t
bh_hist_percentile(const struct bh_hist *h, double percent)
{
    double rank = (double)h->count * percent / 100;
    uint64_t seen = 0;

    for (size_t i = 0; i < BH_HIST_SLOTS; i++) {
        seen += h->slot[i];
        if (seen && (double)seen >= rank)
            return top_of(i) < h->max ? top_of(i) : h->max;
    }
    return h->max;
}
