/*
 * broker.h: the broker's state, and what bounds it. One thread owns all of it.
 *
 *   conn ──PARK──► park ──► waiter in channel ──► deliver ──► answer to the web
 * server ──NOTE──► follow ──► store ──► channel's items ──┘
 */
#ifndef BH_BROKER_H
#define BH_BROKER_H

#include "base.h"
#include "channel.h"
#include "conf.h"
#include "control.h"
#include "heap.h"
#include "list.h"
#include "loop.h"
#include "map.h"
#include "proto.h"
#include "stat.h"
#include "store.h"

struct bh_answer;
struct bh_domain;
struct bh_waiter;

/* Rows read from the log in one turn of the loop. */
#define BH_FOLLOW_ROWS 1000
/* The woken counts of the last rows read; a power of two over BH_GROUP_MAX. */
#define BH_RECENT 8192

struct bh_recent {
    int64_t seq;
    uint32_t woken;
};

struct bh_broker {
    struct bh_conf *conf;
    struct bh_loop loop;
    int64_t now;         /* monotonic ms, read once a turn */
    int64_t watchdog_at; /* when systemd is to hear from us; 0: never */
    struct bh_stats stats;
    struct bh_domain *domains[BH_DOMAINS_MAX + 1]; /* the first: all others */
    size_t n_domains;
    struct bh_counts counts; /* of all workers */
    struct bh_control control;

    /* The log as far as it has been read. */
    struct bh_store *store; /* NULL while it can't be opened */
    char log_id[BH_LOG_ID_LEN + 1];
    int64_t head;     /* the last seq read */
    int64_t hole;     /* numbers are missing before this row; 0: none are */
    int64_t floor;    /* every event in (floor, head] is in memory */
    bool behind;      /* the last turn stopped at its bound: go on at once */
    bool unread;      /* there may be rows that no commit will announce again */
    bool failing;     /* it can't be read, and our log says so */
    int64_t check_at; /* when to ask the log whether it has changed */
    int64_t stat_at;  /* when to look whether the file was replaced */
    struct bh_recent *recent; /* BH_RECENT of them, by seq */

    /* What is in memory. */
    struct bh_map channels, users, interned, memos;
    struct bh_link idle;  /* channels nobody waits in, by last activity */
    struct bh_link dirty; /* channels with something to deliver this turn */
    struct bh_link held;  /* channels whose answers are held back */
    struct bh_link age;   /* items, by seq */
    struct bh_link memo_lru;
    struct bh_heap timers;    /* waiters' deadlines */
    struct bh_link unwatched; /* waiters, by the time they came */
    size_t n_items, n_waiters, n_memos;
    size_t item_bytes;
    size_t max_waiters;
    size_t
        n_by_kind[BH_PARK_NDJSON + 1]; /* of the waiters, enum bh_park_kind */

    /* Connections of workers. */
    struct bh_source listener;
    bool listening;    /* the listener is in the loop */
    int64_t listen_at; /* when to listen again after descriptors ran out */
    struct bh_link conns;
    size_t n_conns;
    struct bh_link notes; /* NOTEs whose rows have not been read yet */
    size_t n_notes;

    /* Freed in the before-wait hook, never inside a batch. */
    struct bh_link dead_waiters, dead_conns;
    struct bh_answer *empty; /* no events, the cursor at `head` */
    uid_t *peers;            /* who may connect */
    size_t n_peers;
};

/* CONF becomes the broker's; to be called once there is a socket, since its
 * file is read once more. 0 or a negative errno; bh_broker_fini either way. */
int bh_broker_init(struct bh_broker *b, struct bh_conf *conf);
void bh_broker_fini(struct bh_broker *b);
/* FRESH takes the place of b->conf, which is the caller's then. 0 or -ENOMEM:
 * nothing has changed. */
int bh_broker_adopt(struct bh_broker *b, struct bh_conf *fresh);
/* The before-wait hook: deliver, expire, free; returns the wait in ms. */
int bh_broker_before_wait(void *b);
/* Serve what workers have sent, their NOTEs too, and end their connections;
 * then answer everybody with what there is and a Retry-After, and flush for a
 * while.
 */
void bh_broker_drain(struct bh_broker *b);
/* For tests: whether lists, counts and orders agree with each other. */
bool bh_broker_valid(const struct bh_broker *b);

#endif
