/* queue.h: which publish requests go into the next transaction, so that nobody
 * who publishes a lot makes the others wait for it. */
#ifndef BH_QUEUE_H
#define BH_QUEUE_H

#include "base.h"
#include "job.h"
#include "list.h"

/* Events of one org in a transaction: as many as one request can have. */
#define BH_QUEUE_SHARE BH_BATCH_MAX
/* Events in a transaction; some ten milliseconds. */
#define BH_QUEUE_MOST (2 * BH_BATCH_MAX)
/* The same in a short transaction. */
#define BH_QUEUE_SHORT       50
#define BH_QUEUE_SHORT_SHARE 5
/* Orgs in a transaction. */
#define BH_QUEUE_ORGS 64

struct bh_queue {
    struct bh_link jobs; /* struct bh_job, the oldest first */
    bool was_long;       /* the last transaction */
};

void bh_queue_init(struct bh_queue *q);

/*
 * Move jobs from the queue to GROUP, now TAKEN: the oldest first, and of each
 * org (the first event's) no more than its share and in their order. After a
 * long transaction comes a short one, if there are jobs for it: so a small
 * request waits for one long transaction at most, and a large one for a short
 * one. Whether jobs are left.
 */
bool bh_queue_take(struct bh_queue *q, struct bh_link *group);

#endif
