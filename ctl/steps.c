#include "steps.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "clock.h"

#define PROMISED_US 20000
/* A hold of the lock aims at a third of what is promised, and a slice at a
 * quarter of that. */
#define AIM_US      6000
#define SLICE_US    (AIM_US / 4)
#define SLICE_FIRST 16
#define SLICE_MAX   2000
#define REST_MIN_US 500
#define REST_MAX_US 50000

int
bh_steps_init(struct bh_steps *t, struct bh_store *s)
{
    *t = (struct bh_steps){.store = s, .slice = SLICE_FIRST};
    return bh_store_gentle(s);
}

/* The rest of a hold is waiting: for the disk, or for a processor. */
static int64_t
work_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return ts.tv_sec * (int64_t)1000000 + ts.tv_nsec / 1000;
}

void
bh_steps_print(const struct bh_steps *t)
{
    printf("%d times the writers' lock was held, for at most %.1f ms, %.1f of "
           "them at work (%" PRId64 " over 20 ms)\n",
           t->n, (double)t->longest_us / 1000, (double)t->at_work_us / 1000,
           t->over);
}

/* The slowest lately: up at once, down by an eighth each time. */
static int64_t
expect(int64_t expected, int64_t took)
{
    int64_t faded = expected - expected / 8;

    return took > faded ? took : faded;
}

/* As many rows as would have taken the time aimed at; up by half at most. */
static void
adapt(struct bh_steps *t, int64_t took_us)
{
    int64_t fit = t->slice * (int64_t)SLICE_US / (took_us > 0 ? took_us : 1);

    t->slice_us = expect(t->slice_us, took_us);
    if (fit > t->slice + t->slice / 2) fit = t->slice + t->slice / 2 + 1;
    if (fit < 1) fit = 1;
    t->slice = (int)(fit < SLICE_MAX ? fit : SLICE_MAX);
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

/* A hold of the lock has ended. */
static void
settle(struct bh_steps *t, int64_t held_us, int64_t worked_us)
{
    t->n++;
    if (held_us > t->longest_us) {
        t->longest_us = held_us;
        t->at_work_us = worked_us;
    }
    if (held_us > PROMISED_US) t->over++;
    rest(held_us);
}

/* Slices until there is no time for another one and the commit. */
static int
run_slices(struct bh_steps *t, int (*fn)(void *arg, int limit), void *arg,
           int64_t began)
{
    int64_t before = began, now;
    int more;

    do {
        more = fn(arg, t->slice);
        now = bh_now_us();
        adapt(t, now - before);
        before = now;
    } while (more > 0 && now - began + t->slice_us + t->commit_us < AIM_US);
    return more;
}

/* In a hold of its own, since it syncs the log's file. */
static void
checkpoint(struct bh_steps *t)
{
    int64_t held_us = 0, before = work_us();

    if (bh_store_checkpoint(t->store, &held_us) > 0)
        settle(t, held_us, work_us() - before);
}

int
bh_steps_run(struct bh_steps *t, int (*fn)(void *arg, int limit), void *arg)
{
    int rc = bh_store_begin(t->store);
    if (rc < 0) return rc;
    int64_t began = bh_now_us(); /* the lock is ours from here */
    int64_t work_began = work_us();
    int more = run_slices(t, fn, arg, began);
    int64_t worked = bh_now_us();

    if (more >= 0)
        rc = bh_store_commit(t->store);
    else
        bh_store_rollback(t->store);
    int64_t ended = bh_now_us();
    t->commit_us = expect(t->commit_us, ended - worked);
    settle(t, ended - began, work_us() - work_began);
    checkpoint(t);
    return more < 0 ? more : rc < 0 ? rc : more;
}

struct counting {
    struct bh_store *s;
    int64_t rows, upto, head;
};

/* To the head of the first moment: where others go on publishing there would be
 * no end else. */
static int
count(void *arg, int limit)
{
    struct counting *c = arg;
    int n, rc = bh_store_summarize(c->s, limit, &n);

    if (rc == 0) rc = bh_store_summarized(c->s, &c->upto);
    if (rc < 0) return rc;
    c->rows += n;
    return n > 0 && (c->upto < c->head || n >= limit);
}

int
bh_steps_summarize(struct bh_steps *t, struct bh_bar *bar, int64_t *rows)
{
    struct counting c = {.s = t->store};
    struct bh_span span;
    int rc = bh_store_span(t->store, &span);

    *rows = 0;
    if (rc < 0) return rc;
    c.head = span.head;
    do {
        rc = bh_steps_run(t, count, &c);
        *rows = c.rows;
        if (bar != NULL) bh_bar_show(bar, c.rows, 0);
    } while (rc > 0);
    return rc;
}
