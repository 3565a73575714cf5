#include "base.h"
#include "park.h"

#include <string.h>

#include "clock.h"
#include "deliver.h"
#include "domain.h"
#include "follow.h"
#include "stream.h"

/* The log can't say: don't claim that nothing is missing. */
static enum bh_gap
ask_log(struct bh_broker *b, const struct bh_park *p, struct bh_channel *ch,
        int64_t cursor)
{
    int64_t pruned;
    bool any = true;

    if (!b->store || bh_store_pruned(b->store, p->domain, p->org, &pruned) < 0)
        return BH_GAP_EVICTED;
    if (cursor < pruned) return BH_GAP_EXPIRED;
    if (bh_store_between(b->store, p->domain, p->org, cursor, ch->floor, &any) <
        0)
        return BH_GAP_EVICTED;
    if (any) return BH_GAP_EVICTED;
    ch->floor = cursor; /* nothing of the channel lies between */
    return BH_GAP_NONE;
}

/* Whether CURSOR lies beyond the end of the log itself, as after a restore. */
static bool
beyond(struct bh_broker *b, int64_t cursor)
{
    struct bh_span span;

    if (cursor <= b->head) return false;
    if (!b->store || bh_store_span(b->store, &span) < 0) return false;
    return cursor > span.head;
}

/* Whether the cursor is none of this log. */
static bool
is_foreign(struct bh_broker *b, const struct bh_park *p)
{
    if (!p->has_cursor) return false;
    return p->cursor_log.len != BH_LOG_ID_LEN ||
           memcmp(p->cursor_log.p, b->log_id, BH_LOG_ID_LEN) != 0 ||
           beyond(b, p->cursor_seq);
}

/* Set where the waiter stands; a gap where its events can't all be had. */
static enum bh_gap
judge(struct bh_broker *b, const struct bh_park *p, struct bh_channel *ch,
      struct bh_waiter *w)
{
    int64_t seq =
        p->has_cursor ? p->cursor_seq : bh_memo_seq(b, bh_waiter_memo(w));

    w->since = ch->floor;
    if (is_foreign(b, p)) return BH_GAP_LOG;
    if (seq < 0) return BH_GAP_NONE;
    w->since = seq;
    return seq < ch->floor ? ask_log(b, p, ch, seq) : BH_GAP_NONE;
}

/* The older request of the same client makes way. */
static void
supersede(struct bh_user *u, struct bh_channel *ch, struct bh_str client)
{
    if (client.len == 0) return;
    bh_list_each_safe (l, next, &u->waiters) {
        struct bh_waiter *w = bh_container_of(l, struct bh_waiter, in_user);
        struct bh_str c = bh_waiter_word(w, BH_W_CLIENT);

        if (w->channel != ch || c.len != client.len ||
            memcmp(c.p, client.p, c.len) != 0)
            continue;
        bh_waiter_count(w, superseded, SUPERSEDED, 1);
        bh_waiter_refuse(w, BH_SUPERSEDED);
        return; /* there is never more than one, and U may be gone now */
    }
}

static bool
overloaded(const struct bh_broker *b, const struct bh_waiter *w)
{
    /* W is counted already. */
    return b->n_waiters > b->max_waiters ||
           w->channel->n_waiters >
               (uint32_t)b->conf->broker.waiters_per_channel ||
           w->user->n_waiters > (uint32_t)b->conf->broker.waiters_per_user;
}

static int64_t
deadline(const struct bh_broker *b, const struct bh_waiter *w, uint32_t wait)
{
    uint32_t jitter = (uint32_t)b->conf->broker.poll_jitter_ms;
    int64_t at = b->now + wait;

    if (wait == BH_WAIT_DEFAULT)
        at = b->now + b->conf->broker.poll_ms + bh_random_below(jitter + 1);
    return at < w->expires ? at : w->expires;
}

/* Attached and judged: answer now, or wait. */
static void
answer_or_wait(struct bh_waiter *w, const struct bh_park *p, enum bh_gap gap)
{
    struct bh_broker *b = w->broker;
    bool owed = bh_deliver_owed(w);

    if (w->kind != BH_PARK_POLL) {
        if (overloaded(b, w))
            bh_stream_overloaded(w, gap);
        else
            bh_stream_open(w, gap);
    } else if (gap != BH_GAP_NONE) {
        bh_deliver_gap(w, gap);
    } else if (w->expires <= b->now || p->wait_ms == 0 ||
               (owed && (!bh_deliver_holds(w) || overloaded(b, w)))) {
        bh_deliver_finish(w);
    } else if (overloaded(b, w) ||
               bh_waiter_park(w, deadline(b, w, p->wait_ms)) < 0) {
        bh_deliver_overloaded(w);
    } else {
        if (owed) bh_deliver_mark(b, w->channel);
        if (w->remembered) bh_memo_set(b, bh_waiter_memo(w), w->since);
    }
}

/* Into its channel and user, which are made where they are missing. */
static bool
attach(struct bh_waiter *w, const struct bh_park *p)
{
    struct bh_broker *b = w->broker;
    struct bh_channel *ch = bh_channel_get(b, p->domain, p->org);
    struct bh_user *u = NULL;

    if (ch) u = bh_user_get(&b->users, p->org, p->user);
    if (u) bh_waiter_attach(w, ch, u);
    return u != NULL;
}

/* There is no room for its channel. */
static void
turn_away(struct bh_waiter *w, const struct bh_park *p)
{
    enum bh_gap gap = is_foreign(w->broker, p) ? BH_GAP_LOG : BH_GAP_NONE;

    w->since = p->has_cursor ? p->cursor_seq : w->broker->floor;
    if (w->kind != BH_PARK_POLL)
        bh_stream_overloaded(w, gap);
    else if (gap != BH_GAP_NONE)
        bh_deliver_gap(w, gap);
    else
        bh_deliver_overloaded(w);
}

static void
count(struct bh_waiter *w, const struct bh_park *p)
{
    if (p->kind == BH_PARK_POLL)
        bh_waiter_count(w, polls, POLLED, 1);
    else
        bh_waiter_count(w, streams, STREAMED, 1);
    bh_active_add(&w->domain->active, bh_hash(p->org.p, p->org.len),
                  w->broker->now);
}

void
bh_park(struct bh_broker *b, const struct bh_park *p, int fd)
{
    struct bh_channel *ch;
    struct bh_user *u;

    /* Who won't wait for a note is told of all that is committed: nobody told
     * the broker of what was found to be stored already, for one. */
    if (p->wait_ms == 0) bh_follow_look(b);
    struct bh_waiter *w = bh_waiter_new(b, p, fd);
    if (!w) return;
    count(w, p);
    enum bh_refusal no = b->log_id[0] == '\0'
                             ? BH_LOG_UNAVAILABLE
                             : bh_control_judge(b, p->domain, p->org, p->user);
    if (no != BH_GRANTED) {
        bh_waiter_refuse(w, no);
        return;
    }
    ch = bh_channel_find(b, p->domain, p->org);
    u = bh_user_find(&b->users, p->org, p->user);
    if (ch && u) supersede(u, ch, p->client_id);
    if (attach(w, p))
        answer_or_wait(w, p, judge(b, p, w->channel, w));
    else
        turn_away(w, p);
}

void
bh_park_expire(struct bh_broker *b)
{
    struct bh_timer *t;

    while ((t = bh_heap_first(&b->timers)) && t->at <= b->now) {
        struct bh_waiter *w = bh_container_of(t, struct bh_waiter, timer);

        if (w->begun && w->channel) {
            bh_stream_tick(w);
        } else if (w->pending) {
            bh_waiter_count(w, lost, LOST, 1);
            bh_waiter_drop(w);
        } else {
            bh_deliver_finish(w);
        }
    }
}
