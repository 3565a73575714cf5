/* job.h: one publish request on its way through the writer thread. */
#ifndef BH_JOB_H
#define BH_JOB_H

#include "base.h"

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

struct bh_job;
/*
 * What has become of JOB, which the callee reads and no more; NULL: it wasn't
 * stored, or that can't be said yet, and sending the same again is safe. Called
 * by the writer thread or the one that looks at the clock: must not wait.
 */
typedef void bh_job_fn(void *arg, const struct bh_job *job);

/* Belongs to the writer from when it is submitted. */
struct bh_job {
    struct bh_link link; /* the queue's, then the group's */
    struct bh_link open; /* in the writer's list until it is answered */
    bh_job_fn *fn;
    void *arg;
    int64_t queued_us; /* monotonic */
    size_t bytes;      /* about what it takes of memory */
    bool taken;        /* out of the queue, for a transaction */

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
#define bh_job_of(l)      bh_container_of(l, struct bh_job, link)
#define bh_job_of_open(l) bh_container_of(l, struct bh_job, open)

#endif
