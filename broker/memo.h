/*
 * memo.h: how far a client that never sends a cursor has been served. One entry
 * for each (token, channel, filter, client id), kept for two poll times after
 * it was last used, so that such a client too gets each event once. Bounded:
 * when full, the entry that was used least recently goes.
 */
#ifndef BH_MEMO_H
#define BH_MEMO_H

#include "base.h"
#include "proto.h"

struct bh_broker;

struct bh_memo_key {
    uint8_t token[16];
    uint64_t rest; /* hash of channel, filter and client id */
};

struct bh_memo_key bh_memo_key(const struct bh_park *p);
/* The seq it was served up to, or -1 if it isn't known. */
int64_t bh_memo_seq(struct bh_broker *b, const struct bh_memo_key *k);
/* Without memory it is not remembered: such a client may see an event again. */
void bh_memo_set(struct bh_broker *b, const struct bh_memo_key *k, int64_t seq);
void bh_memos_expire(struct bh_broker *b);
/* When the next one is due, monotonic ms; INT64_MAX for never. */
int64_t bh_memos_next(const struct bh_broker *b);
void bh_memos_clear(struct bh_broker *b);

#endif
