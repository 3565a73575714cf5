/*
 * follow.h: the broker's side of the log: open it, read what has come, in
 * order, into the channels; notice when it is another log.
 */
#ifndef BH_FOLLOW_H
#define BH_FOLLOW_H

#include "broker.h"

/* The log is asked whether it has changed this often, note or no note. */
#define BH_FOLLOW_CHECK_MS 100
/* And whether its file has been replaced. */
#define BH_FOLLOW_STAT_MS 1000

/* Read what is new, BH_FOLLOW_ROWS at most; b->behind says that more is there.
 */
void bh_follow_read(struct bh_broker *b);
/* The same where there is something new: one question to the log. */
void bh_follow_look(struct bh_broker *b);
/* In the before-wait hook: what is due by the clock. */
void bh_follow_tick(struct bh_broker *b);
/* How many waiters the row of SEQ was for when it was read. */
uint32_t bh_follow_woken(const struct bh_broker *b, int64_t seq);

#endif
