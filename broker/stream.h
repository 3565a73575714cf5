/*
 * stream.h: a waiter that stays: Server-Sent Events, or one JSON object a line.
 *
 * There is no queue for a subscriber. What it is owed is rendered in parts of
 * some events each, shared by all that are owed the same; one that reads slowly
 * holds one part, and goes on from the channel's buffer by its position when
 * its socket has room. Where the buffer has moved on meanwhile, it is told of
 * the gap.
 *
 *   open ──► attached, nothing pending ──► ended (an answer under way, as of a
 *                 ▲         │             poll)
 *              writable   full
 *                 └─ part pending
 */
#ifndef BH_STREAM_H
#define BH_STREAM_H

#include "deliver.h"

/* Parts made in one pass over a channel. */
#define BH_PARTS_MAX 16
struct bh_parts {
    struct bh_stream_part {
        const struct bh_interned *filter;
        const struct bh_item *first;
        uint8_t kind;
        struct bh_answer *answer;
    } v[BH_PARTS_MAX];
    unsigned n; /* made in all; the table is used round and round */
};
void bh_parts_fini(struct bh_parts *p);

/* Attached and judged: begin with the head and what is owed. */
void bh_stream_open(struct bh_waiter *w, enum bh_gap gap);
/* Turned away at a limit, begun or not, attached or not. Where GAP says that
 * the cursor is another log's, that is told first. */
void bh_stream_overloaded(struct bh_waiter *w, enum bh_gap gap);
/* The channel has something new. */
void bh_stream_deliver(struct bh_waiter *w, struct bh_parts *parts);
/* Its timer: a heartbeat, or its end. */
void bh_stream_tick(struct bh_waiter *w);
/* Its socket. */
void bh_stream_serve(struct bh_waiter *w, uint32_t events);
/* End one that has begun, saying why. */
void bh_stream_refuse(struct bh_waiter *w, enum bh_refusal r);
/* End it with a gap. */
void bh_stream_gap(struct bh_waiter *w, enum bh_gap why);
/* The broker leaves: come back in 0 to 5 s. */
void bh_stream_goodbye(struct bh_waiter *w);

#endif
