/*
 * load_poll.c: the modes `poll` and `park`. In `poll` each subscriber has an
 * org of its own. As soon as a publisher is free it posts one event for every
 * subscriber whose poll is out and whose last event has come; whoever gets its
 * event polls again at once.
 */
#include "base.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "list.h"
#include "load.h"
#include "mem.h"

struct member {
    struct bh_load_sub sub;
    struct race *race;
    struct bh_link ready; /* in race->ready while it has no event to come */
    uint64_t sent;        /* the number of the last event posted */
    int64_t sent_us;
    bool stored; /* that one was answered 200 */
};

struct race {
    struct bh_load *l;
    struct member *v;
    struct bh_load_pub *pubs;
    struct bh_link ready;
    size_t n;
};

static void
on_event(struct bh_load_sub *s, uint64_t k, int64_t now_us)
{
    struct member *m = bh_container_of(s, struct member, sub);

    if (k != m->sent) {
        bh_load_error(s->l, "an event that was never posted", NULL);
        return;
    }
    if (bh_load_counts(s->l, now_us))
        bh_hist_add(&s->l->latency, now_us - m->sent_us);
    bh_list_add(&m->race->ready, &m->ready);
}

/* p->data holds the members of the batch. */
static void
on_batch(struct bh_load_pub *p, bool stored)
{
    struct member **batch = p->data;

    for (int i = 0; batch && batch[i]; i++) {
        batch[i]->stored = stored;
        batch[i] = NULL;
    }
}

static void
post_batch(struct race *r, struct bh_load_pub *p)
{
    struct member **batch = p->data;
    int64_t now = bh_now_us();

    while (p->n < r->l->batch && !bh_list_empty(&r->ready)) {
        struct member *m = bh_list_first(&r->ready, struct member, ready);
        bh_list_del(&m->ready);
        batch[p->n] = m;
        bh_load_pub_add(p, m->sub.org, ++m->sent);
        m->sent_us = now;
        m->stored = false;
    }
    batch[p->n] = NULL;
    bh_load_pub_post(p);
}

static int
publish_ready(void *arg)
{
    struct race *r = arg;

    if (bh_load_gives_up(r->l)) return -1;
    for (int i = 0; i < r->l->publishers; i++)
        if (!r->pubs[i].busy && !bh_list_empty(&r->ready))
            post_batch(r, &r->pubs[i]);
    return 100;
}

static int
until_drained(void *arg)
{
    struct race *r = arg;

    if (bh_load_gives_up(r->l)) return -1;
    for (int i = 0; i < r->l->publishers; i++)
        if (r->pubs[i].busy) return 100;
    for (size_t i = 0; i < r->n; i++)
        if (r->v[i].sub.got < r->v[i].sent && r->v[i].stored) return 100;
    return -1;
}

/* One org for each, or l->orgs shared ones. */
static int
start_members(struct race *r, bh_load_event_fn *fn)
{
    const char *cursor = r->pubs[0].cursor;

    for (size_t i = 0; i < r->n; i++) {
        struct member *m = &r->v[i];
        m->race = r;
        bh_load_sub_init(&m->sub, r->l, (int)i, (int)i % r->l->orgs, cursor,
                         fn);
        bh_list_init(&m->ready);
        bh_list_add(&r->ready, &m->ready);
        bh_load_sub_poll(&m->sub);
        if (bh_load_gives_up(r->l)) return -1;
    }
    return 0;
}

static int
open_race(struct race *r, struct bh_load *l)
{
    size_t pubs = (size_t)l->publishers;

    *r = (struct race){.l = l, .n = (size_t)l->connections};
    bh_list_init(&r->ready);
    r->v = bh_zalloc(r->n * sizeof *r->v);
    r->pubs = bh_zalloc(pubs * sizeof *r->pubs);
    if (!r->v || !r->pubs) return -1;
    for (size_t i = 0; i < pubs; i++) {
        bh_load_pub_init(&r->pubs[i], l, on_batch);
        r->pubs[i].data =
            bh_zalloc(((size_t)l->batch + 1) * sizeof(struct member *));
        if (!r->pubs[i].data) return -1;
    }
    return bh_load_pub_first(&r->pubs[0]);
}

static void
close_race(struct race *r)
{
    for (size_t i = 0; r->v && i < r->n; i++)
        if (r->v[i].race) bh_load_sub_fini(&r->v[i].sub);
    for (int i = 0; r->pubs && i < r->l->publishers; i++) {
        if (!r->pubs[i].l) continue;
        bh_load_pub_fini(&r->pubs[i]);
        bh_free(r->pubs[i].data);
    }
    bh_free(r->v);
    bh_free(r->pubs);
}

int
bh_load_poll(struct bh_load *l)
{
    struct race r;
    int e;

    l->orgs = l->connections;
    e = open_race(&r, l);
    if (!e) e = start_members(&r, on_event);
    if (!e) {
        bh_load_window(l);
        bh_http_run(l->epoll, l->until_us, publish_ready, &r);
        bh_http_run(l->epoll, bh_now_us() + BH_LOAD_DRAIN_US, until_drained,
                    &r);
        for (size_t i = 0; i < r.n; i++)
            if (r.v[i].stored) l->lost += r.v[i].sent - r.v[i].sub.got;
    }
    close_race(&r);
    return e;
}

static int
hold(void *arg)
{
    return bh_load_gives_up(arg) ? -1 : 100;
}

int
bh_load_park(struct bh_load *l)
{
    struct race r;
    int e;

    if (l->orgs == 0 || l->orgs > l->connections) l->orgs = l->connections;
    e = open_race(&r, l);
    bh_load_window(l);
    if (!e) e = start_members(&r, NULL);
    if (!e) bh_http_run(l->epoll, l->until_us, hold, l);
    close_race(&r);
    return e;
}
