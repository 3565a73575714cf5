/* event_parts.h: what the sources behind event.h share with each other; nobody
 * else includes it. */
#ifndef BH_EVENT_PARTS_H
#define BH_EVENT_PARTS_H

#include "event.h"

/* In the sentences that a client gets the bounds are written out. */
_Static_assert(BH_NAME_MAX == 128 && BH_BATCH_MAX == 500 &&
                   BH_EVENT_MAX == 65536 &&
                   BH_TIMESTAMP_MAX == 9007199254740991LL,
               "a bound has changed: change the sentences that name it");
#define BH_EVENT_TOO_LARGE "must not be longer than 65536 bytes"

/* The parse of one publish body. */
struct bh_event_parse {
    struct bh_batch *b;
    struct bh_event_errors *errors;
    struct bh_buf scratch; /* one decoded name */
};

static inline bool
bh_event_errors_full(const struct bh_event_parse *c)
{
    return c->errors->n == BH_ERRORS_MAX;
}

/* List a mistake, where there is room. A raw MEMBER is added to the pointer;
 * its p is NULL where there is none. */
void bh_event_complain(struct bh_event_parse *c, const char *pointer,
                       struct bh_str member, const char *detail);
void bh_event_complain_at(struct bh_event_parse *c, const char *pointer,
                          const char *detail);

/*
 * Judge BODY, a compact value that took SENT bytes when it came and stands at
 * POINTER. Of the names *E has only the lengths afterwards: their bytes follow
 * each other in b->strings, which may still move. bh_event_settle() points
 * them there when all events are read. Out of memory: b->strings.failed.
 */
void bh_event_read(struct bh_event_parse *c, const char *pointer, size_t sent,
                   struct bh_str body, struct bh_event *e);
void bh_event_settle(struct bh_batch *b);

#endif
