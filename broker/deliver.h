/*
 * deliver.h: from events in memory to answers.
 *
 * A lone event goes out at once. Further events within `coalesce` after a
 * delivery are held back for that time, so that a burst costs a client a few
 * polls and not one for each event.
 */
#ifndef BH_DELIVER_H
#define BH_DELIVER_H

#include "waiter.h"

/* Why a client is told of a gap; what it means stands in PROTOCOL.md. */
enum bh_gap { BH_GAP_NONE, BH_GAP_EVICTED, BH_GAP_EXPIRED, BH_GAP_LOG };

/* Of the waiters of CH, how many an event of PROPERTY concerns. */
uint32_t bh_deliver_count(const struct bh_channel *ch, struct bh_str property);

/* CH has new events: deliver in the before-wait hook, or when the hold ends.
 * Its buffer may be over its bound until then. */
void bh_deliver_mark(struct bh_broker *b, struct bh_channel *ch);
/* Deliver what is marked, and what has been held long enough. */
void bh_deliver_due(struct bh_broker *b);
/* Deliver to every waiter of CH that is owed something, now. */
void bh_deliver_channel(struct bh_broker *b, struct bh_channel *ch);
/* When the next hold ends, monotonic ms; INT64_MAX for never. */
int64_t bh_deliver_next(const struct bh_broker *b);

/* Whether the attached waiter is owed an event of those in memory. */
bool bh_deliver_owed(const struct bh_waiter *w);
/* Whether the attached waiter, back from an answer of a burst, is to wait with
 * the others for the end of the hold; it is parked, and CH marked, then. */
bool bh_deliver_holds(const struct bh_waiter *w);
/* Answer with what there is, or with nothing: what a deadline does. */
void bh_deliver_finish(struct bh_waiter *w);
/* Answer, attached or not, with a gap, the cursor at the head. */
void bh_deliver_gap(struct bh_waiter *w, enum bh_gap why);
/* Nothing, overloaded, its own position, come back in 2 to 10 s. */
void bh_deliver_overloaded(struct bh_waiter *w);
/* Nothing, come back in 0 to 5 s: the broker leaves. */
void bh_deliver_goodbye(struct bh_waiter *w);

#endif
