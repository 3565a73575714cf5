/*
 * channel.h: a channel is all events of one domain and one org: those of the
 * last seconds, and who waits for the next. A few hundred bytes while idle; a
 * broker may hold a million.
 *
 *      floor          delivered                    head
 *        │  in the log   │   not offered yet         │
 *   ─────┼───────────────┼───────────────────────────┼──► seq
 *  gone  │◄───────────── items: in memory ──────────►│
 *
 * Everything of the channel after `floor` is in memory. Every waiter has been
 * offered everything up to `delivered`.
 */
#ifndef BH_CHANNEL_H
#define BH_CHANNEL_H

#include "base.h"
#include "list.h"
#include "map.h"

struct bh_broker;
struct bh_channel;
struct bh_domain;

/* An event in memory: its text, ready to be joined into an answer. */
struct bh_item {
    struct bh_link age;          /* all items of the broker, in seq order */
    struct bh_item *prev, *next; /* in the channel, in seq order */
    struct bh_channel *channel;
    int64_t seq;
    int64_t expires;  /* monotonic ms */
    int64_t stored;   /* wall clock ms: its commit */
    uint32_t woken;   /* who waited for it when it was read */
    uint32_t len;     /* of the JSON text */
    int16_t property; /* length of the property that follows it; -1: none */
    char text[];      /* JSON text, then the property */
};

struct bh_channel {
    struct bh_node node;
    struct bh_link idle; /* broker's list by last activity, if nobody waits */
    struct bh_link due;  /* broker's list of dirty or of held channels */
    struct bh_link waiters; /* struct bh_waiter.in_channel */
    struct bh_item *first, *last;
    struct bh_domain *domain; /* that counts it */
    int64_t floor, delivered;
    int64_t active;  /* monotonic ms: last event or waiter */
    int64_t woke;    /* monotonic ms: last delivery */
    int64_t held_to; /* monotonic ms: an answer is held until then; 0: none */
    uint32_t n_items;
    uint32_t n_waiters;
    uint32_t n_unfiltered; /* of the waiters */
    uint8_t domain_len, org_len;
    char name[]; /* domain, org */
};

/* The property of an item; p NULL if it has none. */
struct bh_str bh_item_property(const struct bh_item *i);

struct bh_channel *bh_channel_find(const struct bh_broker *b,
                                   struct bh_str domain, struct bh_str org);
/* Found or made; NULL where memory or the configured number is used up. */
struct bh_channel *bh_channel_get(struct bh_broker *b, struct bh_str domain,
                                  struct bh_str org);
/* Nobody may wait in it; its items go. */
void bh_channel_free(struct bh_broker *b, struct bh_channel *ch);
/* It has just been used: off the idle list while somebody waits, else its end.
 */
void bh_channel_touch(struct bh_broker *b, struct bh_channel *ch);

/* The event of SEQ is not kept in memory, nor is any before it in CH (NULL if
 * the channel is absent): whoever has an older cursor will be told. */
void bh_channel_skip(struct bh_broker *b, struct bh_channel *ch, int64_t seq);
/* Put an event at the end of the buffer; TEXT is copied with "seq" added. False
 * where there's no memory: it has been skipped then. */
bool bh_channel_push(struct bh_broker *b, struct bh_channel *ch, int64_t seq,
                     struct bh_str text, struct bh_str property,
                     int64_t expires);
/* The first item after SEQ, or NULL. */
struct bh_item *bh_channel_after(const struct bh_channel *ch, int64_t seq);
/* Take the oldest item out; the floor rises. */
void bh_channel_shift(struct bh_broker *b, struct bh_channel *ch);
/* Down to the configured number of items; counts what is dropped. */
void bh_channel_trim(struct bh_broker *b, struct bh_channel *ch);

/* All channels: drop what is too old or too much; free what is idle. */
void bh_channels_expire(struct bh_broker *b);
/* When the next item or channel is due, monotonic ms; INT64_MAX for never. */
int64_t bh_channels_next(const struct bh_broker *b);
/* Drop every item; every floor is at least SEQ then. */
void bh_channels_clear(struct bh_broker *b, int64_t seq);

#endif
