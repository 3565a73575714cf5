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
/* Small requests count as company for so long. */
#define BH_QUEUE_COMPANY_US 1000000
/* What long transactions may use of the writer's time meanwhile: so much at
 * once, and of all the time one part in so many. */
#define BH_QUEUE_CREDIT_US 100000
#define BH_QUEUE_PARTS     100
/* The longest time without one, as long as there is credit, and after. */
#define BH_QUEUE_REST_US  50000
#define BH_QUEUE_PAUSE_US 500000
/* Jobs in the queue of one who is out of credit: they wait for seconds. */
#define BH_QUEUE_HOG_JOBS 8
/* Orgs in a transaction. */
#define BH_QUEUE_ORGS 64

/* Jobs and bytes in the queue. */
#define BH_QUEUE_JOBS  1024
#define BH_QUEUE_BYTES (64 * (size_t)1024 * 1024)

/* Who a request is of, by hashes. */
struct bh_party {
    uint64_t publisher, org;
};

struct bh_queue {
    struct bh_link jobs; /* struct bh_job, the oldest first */
    size_t n, bytes;
    bool was_long; /* the last transaction */
    bool stuck;    /* what is there must wait for the end of the rest */

    /* All times monotonic, microseconds. Who had the last long transaction: an
     * org, or a publisher where it was of many. Who had a small request last
     * and isn't that one, and when; 0: nobody. */
    struct bh_party hog;
    bool of_many;
    struct bh_party company;
    int64_t company_us;

    int64_t began_us;  /* when the last transaction was taken */
    int64_t rest_till; /* no long one before */
    int64_t credit_us; /* of long transactions, beside small requests */
    int64_t credit_at; /* when that was */
    bool throttled;    /* there is no credit left */
};

void bh_queue_init(struct bh_queue *q);

/*
 * Whether there is room for one job more of BYTES, by PUBLISHER and for ORG (p
 * NULL: not known yet). Of jobs and bytes, whoever publishes and every org may
 * take as much as it leaves free: one alone half of all, the next a half of
 * the rest, and a newcomer always finds some. An empty queue takes anything.
 * Whoever is out of credit, see below, has a few.
 */
bool bh_queue_has_room(const struct bh_queue *q, struct bh_str publisher,
                       struct bh_str org, size_t bytes);
void bh_queue_add(struct bh_queue *q, struct bh_job *job);
void bh_queue_remove(struct bh_queue *q, struct bh_job *job);

/*
 * Move jobs from the queue to GROUP, now taken: the oldest first, and of each
 * org (the first event's) no more than its share and in their order. After a
 * long transaction comes a short one, if there are jobs for it: so a small
 * request waits for one long transaction at most. And while other orgs (or,
 * where a batch is of many, other publishers) have small requests, each long
 * transaction is followed by as long a time without one; and by a hundred times
 * as long when there have been many: so that of a hundred small requests hardly
 * one waits for any.
 */
void bh_queue_take(struct bh_queue *q, struct bh_link *group, int64_t now_us);
/* What was taken is stored. */
void bh_queue_done(struct bh_queue *q, int64_t now_us);
/* Milliseconds until jobs that are there may be taken; -1: there are none. */
int bh_queue_timeout(const struct bh_queue *q, int64_t now_us);

#endif
