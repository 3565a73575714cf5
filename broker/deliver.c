#include "base.h"
#include "deliver.h"

#include "clock.h"
#include "cursor.h"
#include "domain.h"
#include "stream.h"

/* Answers made in one pass over a channel: waiters with the same filter that
 * are owed the same first event share one. */
struct made {
    const struct bh_interned *filter;
    const struct bh_item *first;
    struct bh_answer *answer;
};

#define MADE_MAX 16

struct pass {
    struct made v[MADE_MAX];
    unsigned n; /* made in all; the table is used round and round */
};

/* The position up to which a parked waiter has been offered everything. */
static int64_t
offered(const struct bh_waiter *w)
{
    const struct bh_channel *ch = w->channel;

    return w->since > ch->delivered ? w->since : ch->delivered;
}

/* The first item from I on that W wants and does not have. */
static const struct bh_item *
first_owed(const struct bh_waiter *w, const struct bh_item *i)
{
    while (i &&
           (i->seq <= w->since || !bh_waiter_wants(w, bh_item_property(i))))
        i = i->next;
    return i;
}

bool
bh_deliver_owed(const struct bh_waiter *w)
{
    return first_owed(w, bh_channel_after(w->channel, w->since)) != NULL;
}

/* All that it is owed must be new to the channel: a delivery looks no further
 * back for those who wait. */
bool
bh_deliver_holds(const struct bh_waiter *w)
{
    const struct bh_broker *b = w->broker;

    return b->now - w->channel->woke < b->conf->broker.coalesce_ms &&
           w->since >= w->channel->delivered;
}

static void
add_cursor(const struct bh_broker *b, struct bh_buf *body, int64_t seq)
{
    char text[BH_CURSOR_MAX];

    bh_buf_str(body, "],\"cursor\":\"");
    bh_buf_add(body, text, bh_cursor_format(text, b->log_id, seq));
    bh_buf_str(body, "\"");
}

/* The position of one who has everything that has been read. A client that is
 * ahead of us, since it asked the log itself, keeps its own. */
static int64_t
at_head(const struct bh_waiter *w)
{
    return w->since > w->broker->head ? w->since : w->broker->head;
}

/* Join the items from I on that W wants. */
static struct bh_answer *
join(const struct bh_waiter *w, const struct bh_item *i)
{
    const struct bh_broker *b = w->broker;
    struct bh_buf body = BH_BUF_INIT;
    int64_t cursor = at_head(w);
    uint32_t n = 0;

    bh_buf_str(&body, "{\"events\":[");
    for (; i; i = i->next) {
        if (!bh_waiter_wants(w, bh_item_property(i))) continue;
        if (n > 0 && body.len + i->len > BH_ANSWER_MAX) break;
        if (n++ > 0) bh_buf_str(&body, ",");
        bh_buf_add(&body, i->text, i->len);
        if (body.failed) break;
    }
    /* Cut short, the answer ends before the first event that it leaves out. */
    if (i) cursor = i->seq - 1;
    add_cursor(b, &body, cursor);
    bh_buf_str(&body, ",\"gap\":null}");
    struct bh_answer *a = bh_answer_new(&body, n, cursor);
    bh_buf_fini(&body);
    return a;
}

static struct bh_answer *
shared(struct pass *p, const struct bh_waiter *w, const struct bh_item *first)
{
    unsigned n = p->n < MADE_MAX ? p->n : MADE_MAX;

    for (unsigned j = 0; j < n; j++)
        if (p->v[j].filter == w->filter && p->v[j].first == first)
            return p->v[j].answer;
    struct made *m = &p->v[p->n % MADE_MAX];
    if (p->n >= MADE_MAX) bh_answer_put(m->answer);
    *m = (struct made){w->filter, first, join(w, first)};
    p->n++;
    return m->answer;
}

static void
pass_fini(struct pass *p)
{
    unsigned n = p->n < MADE_MAX ? p->n : MADE_MAX;

    for (unsigned j = 0; j < n; j++) bh_answer_put(p->v[j].answer);
}

/* Answer, or let the web server say that it went wrong. */
static void
answer(struct bh_waiter *w, struct bh_answer *a, int retry_after)
{
    if (a)
        bh_waiter_answer(w, a, retry_after);
    else
        bh_waiter_drop(w);
}

static void
deliver(struct bh_waiter *w, struct pass *p, const struct bh_item *from)
{
    const struct bh_item *first;

    if (w->expires <= w->broker->now) {
        bh_waiter_count(w, token_expired, TOKEN_EXPIRED, 1);
        bh_waiter_refuse(w, BH_TOKEN_EXPIRED);
        return;
    }
    if (offered(w) < w->channel->floor) {
        bh_deliver_gap(w, BH_GAP_EVICTED);
        return;
    }
    first = first_owed(w, from);
    if (first) answer(w, shared(p, w, first), -1);
}

/* How long those from I on have taken to get here. */
static void
note_latency(const struct bh_channel *ch, const struct bh_item *i)
{
    int64_t now = bh_wall_ms();

    for (; i; i = i->next)
        if (i->woken > 0)
            bh_domain_latency(ch->domain, now - i->stored, i->woken);
}

void
bh_deliver_channel(struct bh_broker *b, struct bh_channel *ch)
{
    const struct bh_item *from = bh_channel_after(ch, ch->delivered);
    struct bh_parts parts = {.n = 0};
    struct pass p = {.n = 0};

    note_latency(ch, from);
    bh_list_del(&ch->due);
    ch->held_to = 0;
    bh_list_each_safe (l, next, &ch->waiters) {
        struct bh_waiter *w = bh_container_of(l, struct bh_waiter, in_channel);
        if (w->begun)
            bh_stream_deliver(w, &parts);
        else
            deliver(w, &p, from);
    }
    pass_fini(&p);
    bh_parts_fini(&parts);
    ch->delivered = b->head;
    if (p.n > 0 || parts.n > 0) ch->woke = b->now;
    bh_channel_trim(b, ch);
}

uint32_t
bh_deliver_count(const struct bh_channel *ch, struct bh_str property)
{
    uint32_t n = ch->n_unfiltered;

    if (!property.p) return ch->n_waiters;
    if (ch->n_unfiltered == ch->n_waiters) return n;
    bh_list_each (l, &ch->waiters) {
        const struct bh_waiter *w =
            bh_container_of(l, struct bh_waiter, in_channel);

        if (w->filter && bh_waiter_wants(w, property)) n++;
    }
    return n;
}

/* Into the list of those held, by time. Nearly all belong near its end, and
 * within the few milliseconds that it spans there aren't many. */
static void
hold(struct bh_broker *b, struct bh_channel *ch, int64_t till)
{
    struct bh_link *l = b->held.prev;

    ch->held_to = till;
    while (l != &b->held &&
           bh_container_of(l, struct bh_channel, due)->held_to > till)
        l = l->prev;
    bh_list_add(l->next, &ch->due);
}

/* An event soon after the last that went out waits until COALESCE after that
 * one, for others to come with it. */
void
bh_deliver_mark(struct bh_broker *b, struct bh_channel *ch)
{
    int64_t coalesce = b->conf->broker.coalesce_ms;
    bool full = ch->n_items > (uint32_t)b->conf->broker.buffer_events;

    if (ch->n_waiters == 0) {
        bh_channel_trim(b, ch);
    } else if (full || b->now - ch->woke >= coalesce) {
        /* A full buffer is trimmed only after its waiters have got it all. */
        bh_list_del(&ch->due);
        bh_list_add(&b->dirty, &ch->due);
    } else if (bh_list_empty(&ch->due)) {
        hold(b, ch, ch->woke + coalesce);
    }
}

void
bh_deliver_due(struct bh_broker *b)
{
    struct bh_channel *ch;

    while ((ch = bh_list_first(&b->dirty, struct bh_channel, due)))
        bh_deliver_channel(b, ch);
    while ((ch = bh_list_first(&b->held, struct bh_channel, due))) {
        if (ch->held_to > b->now) break;
        bh_deliver_channel(b, ch);
    }
}

int64_t
bh_deliver_next(const struct bh_broker *b)
{
    const struct bh_channel *ch =
        bh_list_first(&b->held, struct bh_channel, due);

    return ch ? ch->held_to : INT64_MAX;
}

/* No events, the cursor at the head: made once for each head. */
static struct bh_answer *
empty(struct bh_waiter *w)
{
    struct bh_broker *b = w->broker;

    if (w->since > b->head) return join(w, NULL);
    if (!b->empty || b->empty->cursor != b->head) {
        bh_answer_put(b->empty);
        b->empty = join(w, NULL);
    }
    if (b->empty) bh_answer_get(b->empty);
    return b->empty;
}

void
bh_deliver_finish(struct bh_waiter *w)
{
    struct pass p = {.n = 0};

    deliver(w, &p, bh_channel_after(w->channel, w->since));
    pass_fini(&p);
    if (w->source.fd < 0 || w->pending) return; /* it was answered */
    struct bh_answer *a = empty(w);
    answer(w, a, -1);
    bh_answer_put(a);
}

/* No events; REST closes the body after the cursor, which names SEQ. */
static void
answer_nothing(struct bh_waiter *w, int64_t seq, const char *rest,
               int retry_after)
{
    struct bh_buf body = BH_BUF_INIT;
    struct bh_answer *a;

    bh_buf_str(&body, "{\"events\":[");
    add_cursor(w->broker, &body, seq);
    bh_buf_str(&body, rest);
    a = bh_answer_new(&body, 0, seq);
    bh_buf_fini(&body);
    answer(w, a, retry_after);
    bh_answer_put(a);
}

void
bh_deliver_gap(struct bh_waiter *w, enum bh_gap why)
{
    static const char *const rest[] = {
        [BH_GAP_NONE] = ",\"gap\":null}",
        [BH_GAP_EVICTED] = ",\"gap\":{\"reason\":\"evicted\"}}",
        [BH_GAP_EXPIRED] = ",\"gap\":{\"reason\":\"expired\"}}",
        [BH_GAP_LOG] = ",\"gap\":{\"reason\":\"log\"}}",
    };

    if (w->begun) {
        bh_stream_gap(w, why);
        return;
    }
    bh_waiter_count(w, gaps, GAPS, 1);
    answer_nothing(w, w->broker->head, rest[why], -1);
}

void
bh_deliver_overloaded(struct bh_waiter *w)
{
    if (w->kind != BH_PARK_POLL) {
        bh_stream_overloaded(w, BH_GAP_NONE);
        return;
    }
    bh_waiter_count(w, overloaded, OVERLOADED, 1);
    answer_nothing(w, w->since, ",\"gap\":null,\"overloaded\":true}",
                   2 + (int)bh_random_below(9));
}

void
bh_deliver_goodbye(struct bh_waiter *w)
{
    if (w->begun)
        bh_stream_goodbye(w);
    else
        answer_nothing(w, at_head(w), ",\"gap\":null}",
                       (int)bh_random_below(6));
}
