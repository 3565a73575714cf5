/* subscribe.c: GET /<domain>/realtime/subscribe and /stream: hand the request
 * over to the broker; without a broker, answer a subscribe from the log. */
#include "call.h"

#include <string.h>

#include "clock.h"
#include "count.h"
#include "filter.h"
#include "log.h"
#include "page.h"
#include "proto.h"
#include "wire.h"

#define POLL_EVENTS 200 /* in one answer from the log */

/* ---- by the broker ---- */

static struct bh_str
str(const char *s)
{
    return (struct bh_str){s, strlen(s)};
}

/* A foreign word as the broker will log it; absent stays empty. */
static struct bh_str
word(char out[BH_WORD_MAX + 1], const char *s)
{
    if (*s == '\0') return str("");
    return str(bh_log_word(out, BH_WORD_MAX + 1, s, strlen(s)));
}

/* One that stands there without quotes. */
static struct bh_str
field(char out[BH_WORD_MAX + 1], const char *s)
{
    if (*s == '\0') return str("");
    return str(bh_log_field(out, BH_WORD_MAX + 1, s, strlen(s)));
}

static void
encode_properties(struct bh_buf *out, const struct bh_filter *f)
{
    for (size_t i = 0; i < f->n; i++)
        bh_buf_lstr(out, f->properties[i].p, f->properties[i].len);
}

static void
encode_park(struct bh_buf *msg, const struct bh_call *call,
            enum bh_park_kind kind, const struct bh_filter *f,
            const struct bh_buf *head, const struct bh_buf *properties)
{
    const struct bh_request *rq = call->rq;
    const struct bh_claims *claims = call->claims;
    char origin[BH_WORD_MAX + 1], ua[BH_WORD_MAX + 1];
    struct bh_park m = {
        .request_id = call->request_id,
        .kind = (uint8_t)kind,
        .has_cursor = rq->has_cursor,
        .all_properties = f->all,
        .cursor_seq = rq->cursor.seq,
        .expires_ms = claims->expires_ms,
        .wait_ms =
            rq->given & BH_WAIT ? (uint32_t)rq->wait_s * 1000 : BH_WAIT_DEFAULT,
        .cursor_log = str(rq->cursor.log_id),
        .domain = rq->domain,
        .org = str(claims->org),
        .user = str(claims->user),
        .client_id = str(rq->client_id),
        .property = str(rq->property),
        .origin = field(origin, rq->origin),
        .ua = word(ua, rq->user_agent),
        .request_id_text = str(rq->id),
        .head = {head->p, head->len},
        .n_properties = (uint16_t)f->n,
        .properties = {properties->p, properties->len},
    };

    memcpy(m.token_digest, claims->digest, sizeof m.token_digest);
    bh_park_encode(msg, &m);
}

/* False where the broker can't have it; the request is then still ours. */
static bool
park(struct bh_call *call, enum bh_park_kind kind, const struct bh_filter *f)
{
    struct bh_buf head = BH_BUF_INIT;
    struct bh_buf properties = BH_BUF_INIT;
    struct bh_buf msg = BH_BUF_INIT;

    bh_call_cors(&head, call);
    encode_properties(&properties, f);
    if (!head.failed && !properties.failed)
        encode_park(&msg, call, kind, f, &head, &properties);
    if (msg.len > 0 && !msg.failed)
        call->parked =
            bh_wire_send(call->worker->wire, &msg, call->connection) == 0;
    bh_buf_fini(&head);
    bh_buf_fini(&properties);
    bh_buf_fini(&msg);
    return call->parked;
}

/* ---- from the log ---- */

static int
read_log(struct bh_call *call, const struct bh_filter *f, struct bh_page *page)
{
    const char *path = call->worker->first->conf->log.path;
    struct bh_page_query q = {.domain = call->rq->domain,
                              .org = str(call->claims->org),
                              .filter = f,
                              .cursor = &call->rq->cursor,
                              .limit = POLL_EVENTS};
    int rc = bh_page_log(call->log, path);

    if (rc < 0) return rc;
    if (call->rq->has_cursor) return bh_page_read(page, *call->log, &q);
    return bh_page_head(page->cursor, *call->log);
}

static void
answer_from_log(struct bh_call *call, const struct bh_filter *f)
{
    struct bh_page page = {.gap = NULL};

    if (read_log(call, f, &page) < 0)
        bh_refuse(call, BH_LOG_UNAVAILABLE, NULL);
    else {
        struct bh_buf *out = bh_reply_json(&call->reply);
        bh_page_open_json(out, &page);
        bh_buf_str(out, "}");
        call->events = (size_t)page.n;
        call->reply.retry_after = 1 + (int)bh_random_below(5);
        bh_count(BH_M_FROM_LOG, 1);
    }
    bh_page_fini(&page);
}

static bool
make_filter(struct bh_call *call, struct bh_filter *f)
{
    if (bh_filter_make(f, call->rq, call->claims)) return true;
    bh_refuse(call, BH_FORBIDDEN, "The token doesn't permit this property.");
    return false;
}

void
bh_handle_subscribe(struct bh_call *call)
{
    struct bh_filter f;

    if (make_filter(call, &f) && !park(call, BH_PARK_POLL, &f))
        answer_from_log(call, &f);
}

void
bh_handle_stream(struct bh_call *call)
{
    enum bh_park_kind kind =
        call->rq->wants_lines ? BH_PARK_NDJSON : BH_PARK_STREAM;
    struct bh_filter f;

    if (make_filter(call, &f) && !park(call, kind, &f))
        bh_refuse(call, BH_BROKER_DOWN, NULL);
}
