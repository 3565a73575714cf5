#include "queue.h"

#include <string.h>

#include "map.h"

_Static_assert(BH_QUEUE_MOST <= BH_GROUP_MAX, "more than a NOTE can name");

/* What an org has got. */
struct lane {
    struct bh_str domain, org;
    size_t events;
    bool closed; /* a job of it was left, so later ones are too */
};

struct taking {
    size_t most, share; /* events, in all and of an org */
    size_t n, events;
    struct lane lanes[BH_QUEUE_ORGS];
};

void
bh_queue_init(struct bh_queue *q)
{
    memset(q, 0, sizeof *q);
    bh_list_init(&q->jobs);
    q->credit_us = BH_QUEUE_CREDIT_US;
}

void
bh_queue_add(struct bh_queue *q, struct bh_job *job)
{
    bh_list_add(&q->jobs, &job->link);
    q->stuck = false;
    q->n++;
    q->bytes += job->bytes;
}

void
bh_queue_remove(struct bh_queue *q, struct bh_job *job)
{
    bh_list_del(&job->link);
    q->n--;
    q->bytes -= job->bytes;
}

static bool
same(struct bh_str a, struct bh_str b)
{
    return a.len == b.len && memcmp(a.p, b.p, a.len) == 0;
}

/* ---- who makes others wait ---- */

static struct bh_party
party(struct bh_str publisher, struct bh_str org)
{
    return (struct bh_party){bh_hash(publisher.p, publisher.len),
                             bh_hash(org.p, org.len)};
}

static struct bh_party
party_of(const struct bh_job *job)
{
    return party(job->publisher, job->batch.v[0].org);
}

static bool
is_hog(const struct bh_queue *q, struct bh_party who)
{
    return q->of_many ? who.publisher == q->hog.publisher
                      : who.org == q->hog.org;
}

/* ---- who may come in ---- */

/* What somebody has in the queue. */
struct part {
    size_t n, bytes;
};

static void
add_to(struct part *p, const struct bh_job *job)
{
    p->n++;
    p->bytes += job->bytes;
}

static bool
fits(const struct bh_queue *q, const struct part *own, size_t bytes)
{
    return own->n < BH_QUEUE_JOBS - q->n && q->bytes <= BH_QUEUE_BYTES &&
           own->bytes + bytes <= BH_QUEUE_BYTES - q->bytes;
}

bool
bh_queue_has_room(const struct bh_queue *q, struct bh_str publisher,
                  struct bh_str org, size_t bytes)
{
    struct part of_publisher = {0, 0}, of_org = {0, 0};

    if (q->n == 0) return true;
    if (q->n >= BH_QUEUE_JOBS) return false;
    bh_list_each (l, &q->jobs) {
        const struct bh_job *job = bh_job_of(l);
        if (same(job->publisher, publisher)) add_to(&of_publisher, job);
        if (same(job->batch.v[0].org, org)) add_to(&of_org, job);
    }
    if (q->throttled && is_hog(q, party(publisher, org)) &&
        (q->of_many ? of_publisher : of_org).n >= BH_QUEUE_HOG_JOBS)
        return false;
    return fits(q, &of_publisher, bytes) && fits(q, &of_org, bytes);
}

/* NULL where there are too many. */
static struct lane *
lane_of(struct taking *t, const struct bh_job *job)
{
    struct bh_str org = job->batch.v[0].org;

    for (size_t i = 0; i < t->n; i++)
        if (same(t->lanes[i].org, org) && same(t->lanes[i].domain, job->domain))
            return &t->lanes[i];
    if (t->n == BH_QUEUE_ORGS) return NULL;
    t->lanes[t->n] = (struct lane){job->domain, org, 0, false};
    return &t->lanes[t->n++];
}

static bool
admit(struct taking *t, const struct bh_job *job)
{
    struct lane *lane = lane_of(t, job);
    size_t n = job->batch.n;

    if (lane == NULL || lane->closed) return false;
    lane->closed = lane->events + n > t->share || t->events + n > t->most;
    if (lane->closed) return false;
    lane->events += n;
    t->events += n;
    return true;
}

/* How many events were moved, MOST at most and of each org SHARE. */
static size_t
take(struct bh_queue *q, struct bh_link *group, size_t most, size_t share)
{
    struct taking t;

    t.most = most;
    t.share = share;
    t.n = t.events = 0;
    bh_list_each_safe (l, next, &q->jobs) {
        struct bh_job *job = bh_job_of(l);
        if (!admit(&t, job)) continue;
        bh_queue_remove(q, job);
        bh_list_add(group, l);
        job->taken = true;
    }
    return t.events;
}

static void
look_for_company(struct bh_queue *q, const struct bh_link *group,
                 int64_t now_us)
{
    bh_list_each (l, group) {
        const struct bh_job *job = bh_job_of(l);
        struct bh_party who = party_of(job);
        if (job->batch.n > BH_QUEUE_SHORT_SHARE || is_hog(q, who)) continue;
        q->company = who;
        q->company_us = now_us;
    }
}

/* First and last tell whether a batch is of many orgs. */
static void
find_hog(struct bh_queue *q, const struct bh_link *group)
{
    bh_list_each (l, group) {
        const struct bh_job *job = bh_job_of(l);
        const struct bh_batch *b = &job->batch;
        if (b->n <= BH_QUEUE_SHORT_SHARE) continue;
        q->hog = party_of(job);
        q->of_many = !same(b->v[0].org, b->v[b->n - 1].org);
    }
    if (is_hog(q, q->company)) q->company_us = 0;
}

void
bh_queue_take(struct bh_queue *q, struct bh_link *group, int64_t now_us)
{
    bool resting = now_us < q->rest_till;
    size_t n = 0;

    if (q->was_long || resting)
        n = take(q, group, BH_QUEUE_SHORT, BH_QUEUE_SHORT_SHARE);
    if (n == 0 && !resting) n = take(q, group, BH_QUEUE_MOST, BH_QUEUE_SHARE);
    q->stuck = n == 0;
    q->began_us = now_us;
    q->was_long = n > BH_QUEUE_SHORT;
    if (q->was_long) find_hog(q, group);
    look_for_company(q, group, now_us);
}

static int64_t
least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* How long to rest after a long transaction of TOOK microseconds. */
static int64_t
pay(struct bh_queue *q, int64_t took, int64_t now_us)
{
    int64_t most = BH_QUEUE_PAUSE_US / BH_QUEUE_PARTS;
    int64_t earned = (now_us - q->credit_at) / BH_QUEUE_PARTS;

    q->credit_at = now_us;
    q->credit_us = least(q->credit_us + earned, BH_QUEUE_CREDIT_US) - took;
    q->throttled = q->credit_us < 0;
    if (!q->throttled) return least(took, BH_QUEUE_REST_US);
    if (q->credit_us < -most) q->credit_us = -most;
    return -q->credit_us * BH_QUEUE_PARTS;
}

void
bh_queue_done(struct bh_queue *q, int64_t now_us)
{
    bool company =
        q->company_us > 0 && now_us - q->company_us < BH_QUEUE_COMPANY_US;

    if (!company) q->throttled = false;
    if (q->was_long && company)
        q->rest_till = now_us + pay(q, now_us - q->began_us, now_us);
}

int
bh_queue_timeout(const struct bh_queue *q, int64_t now_us)
{
    if (bh_list_empty(&q->jobs)) return -1;
    if (now_us >= q->rest_till || !q->stuck) return 0;
    return (int)((q->rest_till - now_us + 999) / 1000);
}
