/*
 * heap.h: a binary min-heap of deadlines. Each entry stores its own index, so
 * that it can be moved or removed without a search: O(log n) for all.
 */
#ifndef BH_HEAP_H
#define BH_HEAP_H

#include "base.h"

#define BH_HEAP_NONE UINT32_MAX /* the index of an entry in no heap */

struct bh_timer {
    int64_t at;     /* monotonic milliseconds */
    uint32_t index; /* BH_HEAP_NONE while in no heap */
};

struct bh_heap {
    struct bh_timer **v;
    uint32_t len, cap;
};

void bh_heap_init(struct bh_heap *h);
void bh_heap_fini(struct bh_heap *h); /* the entries are the caller's */
void bh_timer_init(struct bh_timer *t);
/* Insert, or move where it is in already. 0, or -ENOMEM (only on insertion). */
int bh_heap_set(struct bh_heap *h, struct bh_timer *t, int64_t at);
void bh_heap_del(struct bh_heap *h, struct bh_timer *t); /* harmless if out */
struct bh_timer *bh_heap_first(const struct bh_heap *h); /* NULL if empty */
/* For tests: whether order and indexes hold. */
bool bh_heap_valid(const struct bh_heap *h);

#endif
