#include "heap.h"

#include <errno.h>

#include "mem.h"

#define CAP_MIN 64

void
bh_heap_init(struct bh_heap *h)
{
    *h = (struct bh_heap){0};
}

void
bh_heap_fini(struct bh_heap *h)
{
    bh_free(h->v);
    bh_heap_init(h);
}

void
bh_timer_init(struct bh_timer *t)
{
    *t = (struct bh_timer){.index = BH_HEAP_NONE};
}

static void
place(struct bh_heap *h, struct bh_timer *t, uint32_t i)
{
    h->v[i] = t;
    t->index = i;
}

/* Move the entry at I towards the root until its parent is not later. */
static void
rise(struct bh_heap *h, uint32_t i)
{
    struct bh_timer *t = h->v[i];

    while (i > 0 && h->v[(i - 1) / 2]->at > t->at) {
        place(h, h->v[(i - 1) / 2], i);
        i = (i - 1) / 2;
    }
    place(h, t, i);
}

/* Move the entry at I away from the root until no child is earlier. */
static void
sink(struct bh_heap *h, uint32_t i)
{
    struct bh_timer *t = h->v[i];

    while (i < h->len / 2) {
        uint32_t child = 2 * i + 1;
        if (child + 1 < h->len && h->v[child + 1]->at < h->v[child]->at)
            child++;
        if (h->v[child]->at >= t->at) break;
        place(h, h->v[child], i);
        i = child;
    }
    place(h, t, i);
}

static int
resize(struct bh_heap *h, uint32_t cap)
{
    struct bh_timer **v = bh_realloc(h->v, cap * sizeof(struct bh_timer *));

    if (v == NULL) return -ENOMEM;
    h->v = v;
    h->cap = cap;
    return 0;
}

static int
make_room(struct bh_heap *h)
{
    if (h->len < h->cap) return 0;
    /* 2 * i + 1 must not wrap, nor an index reach BH_HEAP_NONE. */
    if (h->cap > UINT32_MAX / 4) return -ENOMEM;
    return resize(h, h->cap < CAP_MIN ? CAP_MIN : h->cap * 2);
}

int
bh_heap_set(struct bh_heap *h, struct bh_timer *t, int64_t at)
{
    if (t->index == BH_HEAP_NONE) {
        int rc = make_room(h);
        if (rc != 0) return rc;
        place(h, t, h->len++);
    }
    t->at = at;
    rise(h, t->index);
    sink(h, t->index);
    return 0;
}

void
bh_heap_del(struct bh_heap *h, struct bh_timer *t)
{
    uint32_t i = t->index;

    if (i == BH_HEAP_NONE) return;
    t->index = BH_HEAP_NONE;
    struct bh_timer *last = h->v[--h->len];
    if (last != t) {
        place(h, last, i);
        rise(h, i);
        sink(h, last->index);
    }
    /* Give back what a rush of deadlines took; a refusal does no harm. */
    if (h->cap > CAP_MIN && h->len < h->cap / 4) (void)resize(h, h->cap / 2);
}

struct bh_timer *
bh_heap_first(const struct bh_heap *h)
{
    return h->len > 0 ? h->v[0] : NULL;
}

bool
bh_heap_valid(const struct bh_heap *h)
{
    for (uint32_t i = 0; i < h->len; i++)
        if (h->v[i]->index != i ||
            h->v[(i > 0 ? i - 1 : 0) / 2]->at > h->v[i]->at)
            return false;
    return h->len <= h->cap;
}
