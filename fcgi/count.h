/* count.h: what this worker process has counted since it started; the broker
 * sums it up over all of them. */
#ifndef BH_COUNT_H
#define BH_COUNT_H

#include "base.h"
#include "proto.h"
#include "wire.h"

/* Both from any thread. */
void bh_count(enum bh_worker_metric m, uint64_t n);
void bh_count_refused(enum bh_refusal r);
uint64_t bh_counted(enum bh_worker_metric m);

/*
 * Hand what has been counted since the last time to SEND, which returns 0 or a
 * negative errno; after an error it will be handed over again. Nothing happens
 * where there is nothing new. One thread at a time is let in.
 */
int bh_counts_report(int (*send)(void *arg, const struct bh_buf *msg),
                     void *arg);
/* The same, to the broker at the other end of the wire. */
int bh_counts_send(struct bh_wire *wire);

#endif
