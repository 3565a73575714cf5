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
/* The longest time without a long transaction. */
#define BH_QUEUE_REST_US 50000
/* Orgs in a transaction. */
#define BH_QUEUE_ORGS 64

/* Jobs and bytes in the queue. */
#define BH_QUEUE_JOBS  1024
#define BH_QUEUE_BYTES (64 * (size_t)1024 * 1024)

struct bh_queue {
    struct bh_link jobs; /* struct bh_job, the oldest first */
    size_t n, bytes;
    bool was_long;      /* the last transaction */
    uint64_t hog;       /* who had the last long one: a hash */
    bool stuck;         /* what is there must wait for the end of the rest */
    int64_t began_us;   /* when the last transaction was taken */
    int64_t rest_till;  /* no other before */
    uint64_t company;   /* who had a small request last, not that one */
    int64_t company_us; /* when; 0: nobody */
};

void bh_queue_init(struct bh_queue *q);

/*
 * Whether there is room for one job more of BYTES, by PUBLISHER and for ORG (p
 * NULL: not known yet). Of jobs and bytes, whoever publishes and every org may
 * take as much as it leaves free: one alone half of all, the next a half of
 * the rest, and a newcomer always finds some. An empty queue takes anything.
 */
bool bh_queue_has_room(const struct bh_queue *q, struct bh_str publisher,
                       struct bh_str org, size_t bytes);
void bh_queue_add(struct bh_queue *q, struct bh_job *job);
void bh_queue_remove(struct bh_queue *q, struct bh_job *job);

/*
 * Move jobs from the queue to GROUP, now taken: the oldest first, and of each
 * org (the first event's) no more than its share and in their order. After a
 * long transaction comes a short one, if there are jobs for it: so a small
 * request waits for one long transaction at most. And while other publishers
 * have small requests, each long transaction is followed by as long a time
 * without one: so most small requests wait for none.
 */
void bh_queue_take(struct bh_queue *q, struct bh_link *group, int64_t now_us);
/* What was taken is stored. */
void bh_queue_done(struct bh_queue *q, int64_t now_us);
/* Milliseconds until jobs that are there may be taken; -1: there are none. */
int bh_queue_timeout(const struct bh_queue *q, int64_t now_us);

#endif
