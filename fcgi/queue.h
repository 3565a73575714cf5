/* queue.h: which publish requests go into the next transaction, so that nobody
 * who publishes a lot makes the others wait for it. */
#ifndef BH_QUEUE_H
#define BH_QUEUE_H

#include "base.h"
#include "job.h"
#include "list.h"

/* Events of one org in a transaction, unless a single request has more: as many
 * as one request can have, so that a full batch is as good as many small. */
#define BH_QUEUE_SHARE BH_BATCH_MAX
/* Orgs in a transaction. */
#define BH_QUEUE_ORGS 64

/*
 * Move jobs (struct bh_job) from QUEUE to GROUP, now TAKEN: the oldest first,
 * of each org (the first event's) no more than its share and in their order,
 * BH_GROUP_MAX events together. The oldest job always goes. Whether some are
 * left.
 */
bool bh_queue_take(struct bh_link *queue, struct bh_link *group);

#endif
