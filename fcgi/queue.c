#include "queue.h"

#include <string.h>

/* What an org has got. */
struct lane {
    struct bh_str domain, org;
    size_t events;
    bool full; /* a request of it was left, so later ones are too */
};

struct taking {
    struct lane lanes[BH_QUEUE_ORGS];
    size_t n, events;
};

static bool
same(struct bh_str a, struct bh_str b)
{
    return a.len == b.len && memcmp(a.p, b.p, a.len) == 0;
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

    if (lane == NULL || lane->full) return false;
    lane->full = lane->events > 0 && lane->events + n > BH_QUEUE_SHARE;
    if (t->events + n > BH_GROUP_MAX) lane->full = true;
    if (lane->full) return false;
    lane->events += n;
    t->events += n;
    return true;
}

bool
bh_queue_take(struct bh_link *queue, struct bh_link *group)
{
    struct taking t;

    t.n = t.events = 0;
    bh_list_each_safe (l, next, queue) {
        struct bh_job *job = bh_job_of(l);
        if (!admit(&t, job)) continue;
        bh_list_del(l);
        bh_list_add(group, l);
        job->state = BH_JOB_TAKEN;
    }
    return !bh_list_empty(queue);
}
