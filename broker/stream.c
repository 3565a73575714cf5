#include "base.h"
#include "stream.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "clock.h"
#include "cursor.h"
#include "domain.h"
#include "send.h"
#include "sock.h"

/* Soft: what a slow reader holds at most, and how many events of one write are
 * shared. */
#define PART_MAX 32768
/* How long a browser waits before it comes back, unless told otherwise. */
#define RETRY_MS 2000
/* Heartbeats without a byte being read from a full socket before it counts as
 * lost. What lies between, TCP most of all, hands on in lumps of 64 KB or so,
 * which take a slow reader a minute. */
#define STALLED_MAX 8

/* ---- what is written ---- */

static void
put_cursor(struct bh_buf *out, const struct bh_waiter *w, int64_t seq)
{
    char text[BH_CURSOR_MAX];

    bh_buf_add(out, text, bh_cursor_format(text, w->broker->log_id, seq));
}

static bool
is_lines(const struct bh_waiter *w)
{
    return w->kind == BH_PARK_NDJSON;
}

static void
put_event(struct bh_buf *out, const struct bh_waiter *w,
          const struct bh_item *i)
{
    bh_buf_str(out, is_lines(w) ? "{\"event\":" : "id: ");
    if (is_lines(w)) {
        bh_buf_add(out, i->text, i->len);
        bh_buf_str(out, ",\"cursor\":\"");
        put_cursor(out, w, i->seq);
        bh_buf_str(out, "\"}\n");
    } else {
        put_cursor(out, w, i->seq);
        bh_buf_str(out, "\ndata: ");
        bh_buf_add(out, i->text, i->len);
        bh_buf_str(out, "\n\n");
    }
}

/* Something else than an event: NAME, and JSON with its particulars. What the
 * client is told of is behind it, so it bears the position W has then. */
static void
put_notice(struct bh_buf *out, const struct bh_waiter *w, const char *name,
           const char *json)
{
    bh_buf_fmt(out, is_lines(w) ? "{\"%s\":%s,\"cursor\":\"" : "event: %s\n",
               name, json);
    if (!is_lines(w)) bh_buf_str(out, "id: ");
    put_cursor(out, w, w->since);
    if (is_lines(w))
        bh_buf_str(out, "\"}\n");
    else
        bh_buf_fmt(out, "\ndata: %s\n\n", json);
}

/* Nothing but that we are there, and the position where the client doesn't know
 * it: events that it isn't to see move it as well. */
static void
put_heartbeat(struct bh_buf *out, struct bh_waiter *w)
{
    if (is_lines(w)) {
        bh_buf_str(out, "{\"cursor\":\"");
        put_cursor(out, w, w->since);
        bh_buf_str(out, "\"}\n");
        return;
    }
    bh_buf_str(out, ":\n");
    if (w->told != w->since) {
        bh_buf_str(out, "id: ");
        put_cursor(out, w, w->since);
        bh_buf_str(out, "\n");
    }
    bh_buf_str(out, "\n");
    w->told = w->since;
}

static void
put_gap(struct bh_buf *out, struct bh_waiter *w, enum bh_gap why)
{
    static const char *const reasons[] = {
        [BH_GAP_EVICTED] = "{\"reason\":\"evicted\"}",
        [BH_GAP_EXPIRED] = "{\"reason\":\"expired\"}",
        [BH_GAP_LOG] = "{\"reason\":\"log\"}",
    };

    /* All that is in memory follows an `evicted`; what the others would leave
     * out can't be told, so they go on from the head. */
    w->since = why == BH_GAP_EVICTED ? w->channel->floor : w->broker->head;
    w->told = w->since;
    bh_waiter_count(w, gaps, GAPS, 1);
    put_notice(out, w, "gap", reasons[why]);
}

/* ---- parts ---- */

void
bh_parts_fini(struct bh_parts *p)
{
    unsigned n = p->n < BH_PARTS_MAX ? p->n : BH_PARTS_MAX;

    for (unsigned j = 0; j < n; j++) bh_answer_put(p->v[j].answer);
}

static const struct bh_item *
first_wanted(const struct bh_waiter *w, const struct bh_item *i)
{
    while (i && !bh_waiter_wants(w, bh_item_property(i))) i = i->next;
    return i;
}

/* From FIRST on, until the part is full. */
static struct bh_answer *
render(const struct bh_waiter *w, const struct bh_item *first)
{
    struct bh_buf out = BH_BUF_INIT;
    int64_t cursor = first->seq;
    uint32_t n = 0;

    for (const struct bh_item *i = first; i && !out.failed;
         i = first_wanted(w, i->next)) {
        if (n > 0 && out.len + i->len > PART_MAX) break;
        put_event(&out, w, i);
        cursor = i->seq;
        n++;
    }
    struct bh_answer *a = bh_answer_part(&out, n, cursor);
    bh_buf_fini(&out);
    return a;
}

/* NULL without memory. The reference is the table's. */
static struct bh_answer *
shared(struct bh_parts *p, const struct bh_waiter *w,
       const struct bh_item *first)
{
    unsigned n = p->n < BH_PARTS_MAX ? p->n : BH_PARTS_MAX;

    for (unsigned j = 0; j < n; j++)
        if (p->v[j].filter == w->filter && p->v[j].first == first &&
            p->v[j].kind == w->kind)
            return p->v[j].answer;
    struct bh_stream_part *m = &p->v[p->n % BH_PARTS_MAX];
    if (p->n >= BH_PARTS_MAX) bh_answer_put(m->answer);
    *m = (struct bh_stream_part){w->filter, first, w->kind, render(w, first)};
    p->n++;
    return m->answer;
}

/* ---- sending ---- */

static void
lose(struct bh_waiter *w)
{
    bh_waiter_count(w, lost, LOST, 1);
    bh_send_log(w, w->events, "connection_lost");
    bh_waiter_drop(w);
}

/* What comes of a write: true where more may follow at once. */
static bool
sent(struct bh_waiter *w, int rc)
{
    if (rc == 0) return true;
    if (rc == -EAGAIN) {
        w->stalled = 0;
        if (bh_waiter_await(w, EPOLLIN | EPOLLRDHUP | EPOLLOUT) == 0)
            return false;
    }
    lose(w);
    return false;
}

static bool
send_text(struct bh_waiter *w, struct bh_buf *text)
{
    struct bh_answer *a = bh_answer_part(text, 0, w->since);
    bool more = sent(w, a ? bh_send_part(w, a) : -ENOMEM);

    bh_answer_put(a);
    bh_buf_fini(text);
    return more;
}

static bool
send_gap(struct bh_waiter *w)
{
    struct bh_buf text = BH_BUF_INIT;

    put_gap(&text, w, BH_GAP_EVICTED);
    return send_text(w, &text);
}

static bool
send_part(struct bh_waiter *w, struct bh_parts *parts,
          const struct bh_item *first)
{
    struct bh_answer *a = shared(parts, w, first);

    if (!a) return sent(w, -ENOMEM);
    w->since = w->told = a->cursor;
    w->events += a->events;
    bh_waiter_count(w, delivered, DELIVERED, a->events);
    return sent(w, bh_send_part(w, a));
}

static void
remember(struct bh_waiter *w)
{
    const struct bh_memo_key *k = bh_waiter_memo(w);

    if (k) bh_memo_set(w->broker, k, w->since);
}

/* All that it is owed, or as much as its socket takes. */
static void
feed(struct bh_waiter *w, struct bh_parts *parts)
{
    const struct bh_item *first;
    bool more = true;

    while (more) {
        if (w->since < w->channel->floor) {
            more = send_gap(w);
            continue;
        }
        first = first_wanted(w, bh_channel_after(w->channel, w->since));
        if (!first) break;
        more = send_part(w, parts, first);
    }
    if (w->source.fd < 0) return;
    if (more && w->since < w->broker->head) w->since = w->broker->head;
    remember(w);
}

/* ---- its end ---- */

/* LAST, the end of the request, and after what is pending. */
static void
end(struct bh_waiter *w, struct bh_buf *last, const char *failure)
{
    struct bh_answer *a = bh_answer_new(last, 0, w->since);

    bh_buf_fini(last);
    bh_send_log(w, w->events, failure);
    remember(w);
    bh_waiter_detach(w);
    bh_waiter_finish(w, a);
    bh_answer_put(a);
}

void
bh_stream_refuse(struct bh_waiter *w, enum bh_refusal r)
{
    struct bh_buf last = BH_BUF_INIT;
    struct bh_buf json = BH_BUF_INIT;

    bh_buf_fmt(&json, "{\"code\":\"%s\"}", bh_refusal_word(r));
    put_notice(&last, w, is_lines(w) ? "end" : bh_refusal_word(r),
               bh_buf_cstr(&json));
    bh_buf_fini(&json);
    end(w, &last, bh_refusal_word(r));
}

void
bh_stream_gap(struct bh_waiter *w, enum bh_gap why)
{
    struct bh_buf last = BH_BUF_INIT;

    put_gap(&last, w, why);
    end(w, &last, NULL);
}

static void
put_retry(struct bh_buf *out, const struct bh_waiter *w, uint32_t ms)
{
    if (!is_lines(w)) bh_buf_fmt(out, "retry: %u\n\n", ms);
}

void
bh_stream_goodbye(struct bh_waiter *w)
{
    struct bh_buf last = BH_BUF_INIT;
    uint32_t ms = bh_random_below(5001);

    put_retry(&last, w, ms);
    if (is_lines(w)) {
        struct bh_buf json = BH_BUF_INIT;
        bh_buf_fmt(&json, "{\"retryAfterMs\":%u}", ms);
        put_notice(&last, w, "end", bh_buf_cstr(&json));
        bh_buf_fini(&json);
    }
    end(w, &last, NULL);
}

/* Its time is over, its token's or its own. */
static void
expire(struct bh_waiter *w)
{
    struct bh_buf last = BH_BUF_INIT;

    if (w->by_token) {
        bh_waiter_count(w, token_expired, TOKEN_EXPIRED, 1);
        bh_stream_refuse(w, BH_TOKEN_EXPIRED);
        return;
    }
    if (w->told != w->since) put_heartbeat(&last, w);
    end(w, &last, NULL);
}

/* ---- its beginning ---- */

static int
send_opening(struct bh_waiter *w, struct bh_buf *text, int retry_after,
             bool last)
{
    struct bh_answer *a = last ? bh_answer_new(text, 0, w->since)
                               : bh_answer_part(text, 0, w->since);
    int rc = a ? bh_send_opening(w, a, retry_after) : -ENOMEM;

    bh_answer_put(a);
    bh_buf_fini(text);
    w->begun = true;
    return rc;
}

void
bh_stream_overloaded(struct bh_waiter *w, enum bh_gap gap)
{
    struct bh_buf text = BH_BUF_INIT;
    struct bh_buf json = BH_BUF_INIT;
    uint32_t s = 2 + bh_random_below(9);

    bh_waiter_count(w, overloaded, OVERLOADED, 1);
    put_retry(&text, w, s * 1000);
    /* The cursor that follows would hide it from then on; with any other gap
     * it is the client's own, which says as much the next time. */
    if (gap == BH_GAP_LOG) put_gap(&text, w, gap);
    bh_buf_fmt(&json, "{\"retryAfterMs\":%u}", s * 1000);
    put_notice(&text, w, "overloaded", bh_buf_cstr(&json));
    bh_buf_fini(&json);
    if (w->begun) {
        end(w, &text, "overloaded");
        return;
    }
    bh_send_log(w, 0, "overloaded");
    bh_waiter_detach(w);
    bh_waiter_sent(w, send_opening(w, &text, (int)s, true));
}

/* When something is to be done for it again. */
static int64_t
next_tick(const struct bh_waiter *w)
{
    int64_t beat = w->broker->now + w->broker->conf->broker.heartbeat_ms;

    return beat < w->expires ? beat : w->expires;
}

/* A fifth more or less, so that streams that began together don't end so. */
static void
set_end(struct bh_waiter *w)
{
    int64_t most = w->broker->conf->broker.stream_max_ms;
    int64_t at = w->broker->now + most - most / 5 +
                 bh_random_below((uint32_t)(most * 2 / 5) + 1);

    w->by_token = w->expires <= at;
    if (!w->by_token) w->expires = at;
}

void
bh_stream_open(struct bh_waiter *w, enum bh_gap gap)
{
    struct bh_buf text = BH_BUF_INIT;
    struct bh_parts parts = {.n = 0};

    if (w->expires <= w->broker->now) {
        bh_waiter_refuse(w, BH_TOKEN_EXPIRED);
        return;
    }
    set_end(w);
    if (bh_waiter_park(w, next_tick(w)) < 0) {
        bh_stream_overloaded(w, gap);
        return;
    }
    w->told = w->remembered ? -1 : w->since;
    put_retry(&text, w, RETRY_MS);
    if (gap != BH_GAP_NONE)
        put_gap(&text, w, gap);
    else
        put_heartbeat(&text, w);
    if (sent(w, send_opening(w, &text, -1, false))) feed(w, &parts);
    bh_parts_fini(&parts);
}

/* ---- what happens to it ---- */

void
bh_stream_deliver(struct bh_waiter *w, struct bh_parts *parts)
{
    if (w->expires <= w->broker->now)
        expire(w);
    else if (!w->pending)
        feed(w, parts);
}

static void
beat(struct bh_waiter *w)
{
    struct bh_buf text = BH_BUF_INIT;

    put_heartbeat(&text, w);
    send_text(w, &text);
}

/* The socket of one that reads slowly is full all the time. */
static bool
is_stalled(struct bh_waiter *w)
{
    int was = w->unread;

    w->unread = bh_sock_unread(w->source.fd);
    if (w->unread != was) w->stalled = 0;
    return ++w->stalled > STALLED_MAX;
}

void
bh_stream_tick(struct bh_waiter *w)
{
    if (w->expires <= w->broker->now) {
        expire(w);
        return;
    }
    bh_heap_set(&w->broker->timers, &w->timer, next_tick(w));
    if (!w->pending)
        beat(w);
    else if (is_stalled(w))
        lose(w);
}

static void
go_on(struct bh_waiter *w)
{
    struct bh_parts parts = {.n = 0};
    int rc = bh_send_more(w);

    if (rc == 0) {
        bh_send_forget(w);
        rc = bh_waiter_await(w, EPOLLIN | EPOLLRDHUP);
        if (rc == 0)
            bh_stream_deliver(w, &parts);
        else
            lose(w);
    } else {
        sent(w, rc);
    }
    bh_parts_fini(&parts);
}

void
bh_stream_serve(struct bh_waiter *w, uint32_t events)
{
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR) &&
        bh_waiter_gone(w, events)) {
        bh_waiter_count(w, gone, GONE, 1);
        bh_send_log(w, w->events, NULL);
        bh_waiter_drop(w);
    } else if (events & EPOLLOUT && w->pending) {
        go_on(w);
    }
}
