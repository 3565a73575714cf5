/*
 * load_fanout.c: the mode `fanout`: one org, N subscribers, R events a second
 * in an open loop. The k-th event is due at a fixed time, whatever the
 * server does, and its delay counts from then; what falls due while the one
 * publisher waits for an answer goes out together with the next.
 */
#include "base.h"

#include "clock.h"
#include "load.h"
#include "mem.h"

struct crowd {
    struct bh_load *l;
    struct bh_load_sub *v;
    struct bh_load_pub pub;
    int64_t start_us;
    uint64_t sent;   /* posted up to here */
    uint64_t stored; /* and answered 200 */
    size_t n;
};

static struct crowd crowd;

static int64_t
due_us(uint64_t k)
{
    return crowd.start_us +
           (int64_t)((k - 1) * 1000000 / (uint64_t)crowd.l->rate);
}

static void
on_event(struct bh_load_sub *s, uint64_t k, int64_t now_us)
{
    if (bh_load_counts(s->l, now_us))
        bh_hist_add(&s->l->latency, now_us - due_us(k));
}

static void
on_batch(struct bh_load_pub *p, bool stored)
{
    (void)p;
    if (stored) crowd.stored = crowd.sent;
}

static int
publish_due(void *arg)
{
    struct bh_load *l = arg;
    struct bh_load_pub *p = &crowd.pub;
    int64_t now = bh_now_us();

    if (bh_load_gives_up(l)) return -1;
    if (p->busy) return 100;
    while (p->n < l->batch && due_us(crowd.sent + 1) <= now)
        bh_load_pub_add(p, 0, ++crowd.sent);
    if (p->n) {
        bh_load_pub_post(p);
        return 100;
    }
    return (int)((due_us(crowd.sent + 1) - now + 999) / 1000);
}

static int
until_drained(void *arg)
{
    if (bh_load_gives_up(arg)) return -1;
    if (crowd.pub.busy) return 100;
    for (size_t i = 0; i < crowd.n; i++)
        if (crowd.v[i].got < crowd.stored) return 100;
    return -1;
}

static void
count_lost(struct bh_load *l)
{
    for (size_t i = 0; i < crowd.n; i++)
        if (crowd.v[i].got < crowd.stored)
            l->lost += crowd.stored - crowd.v[i].got;
}

static void
race(struct bh_load *l)
{
    for (size_t i = 0; i < crowd.n && !bh_load_gives_up(l); i++) {
        bh_load_sub_init(&crowd.v[i], l, (int)i, 0, crowd.pub.cursor, on_event);
        bh_load_sub_poll(&crowd.v[i]);
    }
    bh_load_window(l);
    crowd.start_us = bh_now_us();
    bh_http_run(l->epoll, l->until_us, publish_due, l);
    bh_http_run(l->epoll, bh_now_us() + BH_LOAD_DRAIN_US, until_drained, l);
    count_lost(l);
}

int
bh_load_fanout(struct bh_load *l)
{
    int e;

    l->orgs = 1;
    crowd = (struct crowd){.l = l, .n = (size_t)l->connections};
    crowd.v = bh_zalloc(crowd.n * sizeof *crowd.v);
    if (!crowd.v) return -1;
    bh_load_pub_init(&crowd.pub, l, on_batch);
    e = bh_load_pub_first(&crowd.pub);
    if (!e) race(l);
    for (size_t i = 0; i < crowd.n; i++)
        if (crowd.v[i].l) bh_load_sub_fini(&crowd.v[i]);
    bh_load_pub_fini(&crowd.pub);
    bh_free(crowd.v);
    return e;
}
