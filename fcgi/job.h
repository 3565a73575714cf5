/* job.h: one publish request on its way through the writer thread. */
#ifndef BH_JOB_H
#define BH_JOB_H

#include "base.h"

#include <pthread.h>

#include "err.h"
#include "event.h"
#include "list.h"
#include "store.h"

#define BH_WOKEN_UNKNOWN (-1)

struct bh_result {
    int64_t seq;
    enum bh_stored what;
    int64_t woken; /* waiters answered, or BH_WOKEN_UNKNOWN */
};

enum bh_job_state { BH_JOB_QUEUED, BH_JOB_TAKEN, BH_JOB_DONE };

/* State and references are the writer's, under its lock; the rest belongs to
 * whoever has the job: the request until it is queued and after it is done, the
 * writer thread between. */
struct bh_job {
    struct bh_link link;
    pthread_cond_t done;
    enum bh_job_state state;
    int refs;
    int64_t queued_us; /* monotonic */

    struct bh_batch batch;
    struct bh_str domain; /* in the names below */
    struct bh_str publisher;
    char names[BH_DOMAIN_MAX + BH_NAME_MAX];

    enum bh_refusal outcome; /* GRANTED, EVENT_CONFLICT, LOG_UNAVAILABLE */
    size_t conflict;         /* the event that conflicts */
    char log_id[BH_LOG_ID_LEN + 1];
    struct bh_result results[]; /* batch.n of them */
};

/* The job of a link. */
#define bh_job_of(l) bh_container_of(l, struct bh_job, link)

#endif
