#include "steps.h"

#include <time.h>

#include "clock.h"

/* A step aims at a third of what is promised, since the next may meet colder
 * pages, or the checkpoint. */
#define PROMISED_US 20000
#define AIM_US      6000
#define LIMIT_MIN   4
#define LIMIT_MAX   5000
#define REST_MIN_US 500
#define REST_MAX_US 50000

void
bh_steps_init(struct bh_steps *t, struct bh_store *s)
{
    *t = (struct bh_steps){.store = s, .limit = 64};
    bh_store_gentle(s);
}

/* As many rows as would have taken the time aimed at; up by half at most. */
static void
adapt(struct bh_steps *t, int64_t held_us)
{
    int64_t fit = t->limit * (int64_t)AIM_US / (held_us > 0 ? held_us : 1);

    if (held_us > PROMISED_US) t->over++;
    if (held_us > t->longest_us) t->longest_us = held_us;
    if (fit > t->limit + t->limit / 2) fit = t->limit + t->limit / 2 + 1;
    t->limit = (int)(fit < LIMIT_MIN ? LIMIT_MIN : fit);
    if (t->limit > LIMIT_MAX) t->limit = LIMIT_MAX;
    t->n++;
}

/* flock(2) is not fair: who takes it again at once gets it again. */
static void
rest(int64_t held_us)
{
    int64_t us = held_us / 2 < REST_MIN_US ? REST_MIN_US : held_us / 2;
    if (us > REST_MAX_US) us = REST_MAX_US;
    struct timespec pause = {0, (long)us * 1000};

    nanosleep(&pause, NULL);
}

int
bh_steps_run(struct bh_steps *t, int (*fn)(void *arg, int limit), void *arg)
{
    int rc = bh_store_begin(t->store);
    if (rc < 0) return rc;
    int64_t began = bh_now_us(); /* the lock is ours from here */

    rc = fn(arg, t->limit);
    if (rc == 0)
        rc = bh_store_commit(t->store);
    else
        bh_store_rollback(t->store);
    int64_t held = bh_now_us() - began;
    adapt(t, held);
    rest(held);
    return rc;
}

struct counting {
    struct bh_store *s;
    int last; /* rows of the last step */
    int64_t upto;
};

static int
count(void *arg, int limit)
{
    struct counting *c = arg;
    int rc = bh_store_summarize(c->s, limit, &c->last);

    return rc < 0 ? rc : bh_store_summarized(c->s, &c->upto);
}

/* To the head of this moment: where others go on publishing there would be no
 * end else. */
int
bh_steps_summarize(struct bh_steps *t, struct bh_bar *bar, int64_t *rows)
{
    struct counting c = {.s = t->store};
    struct bh_span span;
    int limit, rc = bh_store_span(t->store, &span);

    *rows = 0;
    do {
        limit = t->limit;
        if (rc == 0) rc = bh_steps_run(t, count, &c);
        *rows += c.last;
        if (bar != NULL) bh_bar_show(bar, *rows, 0);
    } while (rc == 0 && c.last > 0 && (c.upto < span.head || c.last >= limit));
    return rc;
}
