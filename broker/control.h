/*
 * control.h: what an operator says to a running broker: who is turned away,
 * which domains are off, another configuration, how much to log. Rules come
 * from the log's tables: when bellhopctl says RELOAD, when the control page has
 * moved (looked at every 100 ms), and every few seconds in any case.
 */
#ifndef BH_CONTROL_H
#define BH_CONTROL_H

#include "buf.h"
#include "ctlpage.h"
#include "proto.h"
#include "rules.h"

struct bh_broker;

struct bh_control {
    struct bh_ctlfile page;
    struct bh_ctlpage seen;
    struct bh_rules *rules; /* NULL: none have been read */
    bool unread;            /* what the page announced is still to be read */
    int64_t look_at;        /* monotonic ms: the page */
    int64_t read_at;        /* the tables, whatever the page says */
    uint32_t untold;        /* ended by the tick, and by no one's word yet */
    int64_t untold_until;
    struct bh_conf *before; /* what was in force before the last reload; NULL */
    int64_t before_until;   /* a worker may still go by it */
};

/* After the configuration is there. 0 or -ENOMEM; fini either way. */
int bh_control_init(struct bh_broker *b);
void bh_control_fini(struct bh_broker *b);
/* The before-wait hook. */
void bh_control_tick(struct bh_broker *b);

/* GRANTED, or what a request of this user is refused with: a worker may have
 * judged it a moment before the operator spoke. */
enum bh_refusal bh_control_judge(const struct bh_broker *b,
                                 struct bh_str domain, struct bh_str org,
                                 struct bh_str user);

/* End with 401 whom M names. Returns how many. */
uint32_t bh_control_end(struct bh_broker *b, const struct bh_end *m);
/* Look at page and tables now, and end whom they turn away. Returns how many,
 * with those that the tick has ended since the operator announced it. */
uint32_t bh_control_reread(struct bh_broker *b);
/*
 * Read the configuration again: all of it takes effect, but for what needs a
 * restart, or nothing. TEXT: a line for each mistake, or for what needs a
 * restart. *ENDED: waiters of domains that are off now.
 */
bool bh_control_reload(struct bh_broker *b, struct bh_buf *text,
                       uint32_t *ended);

#endif
