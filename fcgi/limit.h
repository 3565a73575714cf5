/* limit.h: the limits that a request can meet: each is a rate of the
 * configuration and a bucket of rates.h. */
#ifndef BH_LIMIT_H
#define BH_LIMIT_H

#include "call.h"
#include "event.h"

/* False: refused with 429 and counted, and nothing is used up. */

/* A publish that isn't read yet: false where its publisher, or its token's org,
 * was told to wait and doesn't, or has its share of the writer's queue. So a
 * flood costs little. */
bool bh_limit_waited(struct bh_call *call);
/* Refuse one for which the writer has no room. */
void bh_limit_crowded(struct bh_call *call);
/* The events of BATCH, of their publisher and of each of their orgs. */
bool bh_limit_publish(struct bh_call *call, const struct bh_batch *batch);
/* One request of its address. */
bool bh_limit_address(struct bh_call *call);
/* N entries of telemetry. */
bool bh_limit_telemetry(struct bh_call *call, int n);

#endif
