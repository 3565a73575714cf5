/* publish.c: POST /<domain>/realtime/publish. */
#include "call.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "count.h"
#include "cursor.h"
#include "json.h"
#include "limit.h"
#include "log.h"
#include "writer.h"

/* How the body held its events, for pointers into it. */
enum shape { SINGLE, ENVELOPE, LINES };

/* A publish as it comes out of its body. */
struct publish {
    enum shape shape;
    struct bh_batch batch;
};

/* ---- the body ---- */

static enum shape
shape_of(enum bh_media media, const struct bh_batch *batch)
{
    if (media == BH_MEDIA_NDJSON) return LINES;
    return batch->enveloped ? ENVELOPE : SINGLE;
}

/* Before the batch goes on its way: what the line in the log says of it. */
static void
note_events(struct bh_call *call, const struct bh_batch *batch)
{
    struct bh_str org = batch->n > 0 ? batch->v[0].org : (struct bh_str){"", 0};
    bool one = batch->n > 0;

    call->events = batch->n;
    for (size_t i = 1; i < batch->n; i++)
        if (batch->v[i].org.len != org.len ||
            memcmp(batch->v[i].org.p, org.p, org.len) != 0)
            one = false;
    if (one)
        bh_log_field(call->org, sizeof call->org, org.p, org.len);
    else
        snprintf(call->org, sizeof call->org, "many");
}

static bool
parse(struct bh_call *call, struct publish *p, const struct bh_buf *body)
{
    enum bh_media media = call->rq->media;
    struct bh_event_errors errors;
    struct bh_str text = {body->p != NULL ? body->p : "", body->len};
    int rc = bh_batch_parse(
        &p->batch, text,
        media == BH_MEDIA_NDJSON ? BH_FORM_NDJSON : BH_FORM_JSON, &errors);

    if (rc == 0) {
        p->shape = shape_of(media, &p->batch);
        note_events(call, &p->batch);
    }
    if (rc == -EINVAL)
        bh_reply_refuse(&call->reply, BH_INVALID_EVENT, NULL, &errors);
    else if (rc < 0)
        bh_refuse(call, BH_INTERNAL, NULL);
    return rc == 0;
}

static bool
read_batch(struct bh_call *call, struct publish *p)
{
    size_t most = (size_t)call->setup->conf->limits.body_bytes;
    struct bh_buf body = BH_BUF_INIT;
    bool ok = false;

    if (call->rq->media != BH_MEDIA_JSON &&
        call->rq->media != BH_MEDIA_NDJSON) {
        bh_refuse(call, BH_UNSUPPORTED_MEDIA_TYPE, NULL);
        return false;
    }
    enum bh_refusal no = bh_request_body(call->rq, &body, most);
    if (no == BH_BAD_REQUEST)
        bh_refuse(call, no, "The body isn't as long as Content-Length says.");
    else if (no != BH_GRANTED)
        bh_refuse(call, no, NULL);
    else
        ok = parse(call, p, &body);
    bh_buf_fini(&body);
    return ok;
}

/* ---- refusals that name an event ---- */

static void
refuse_event(struct bh_call *call, enum bh_refusal why, enum shape shape,
             size_t i, const char *member, const char *detail)
{
    struct bh_event_errors errors = {.n = 1};
    struct bh_json_error *e = &errors.v[0];

    if (shape == SINGLE)
        snprintf(e->pointer, sizeof e->pointer, "/%s", member);
    else
        snprintf(e->pointer, sizeof e->pointer, "%s/%zu/%s",
                 shape == ENVELOPE ? "/events" : "", i, member);
    snprintf(e->detail, sizeof e->detail, "%s", detail);
    bh_reply_refuse(&call->reply, why, NULL, &errors);
}

/* A token with an org publishes to that org and to no other. */
static bool
check_orgs(struct bh_call *call, const struct publish *p)
{
    const char *org = call->claims->org;

    if (org == NULL) return true;
    for (size_t i = 0; i < p->batch.n; i++) {
        struct bh_str of = p->batch.v[i].org;
        if (of.len == strlen(org) && memcmp(of.p, org, of.len) == 0) continue;
        refuse_event(call, BH_FORBIDDEN, p->shape, i, "orgId",
                     "the token is of another organisation");
        return false;
    }
    return true;
}

/* ---- the answer ---- */

/* Not negative. printf(3) takes as long as all the rest of an answer. */
static void
add_number(struct bh_buf *out, int64_t v)
{
    char digits[24];
    size_t at = sizeof digits;

    do digits[--at] = (char)('0' + v % 10);
    while ((v /= 10) > 0);
    bh_buf_add(out, digits + at, sizeof digits - at);
}

static void
add_result(struct bh_buf *out, const struct bh_event *e,
           const struct bh_result *r)
{
    bh_buf_str(out, "{\"eventId\":");
    bh_json_quote(out, e->event_id.p, e->event_id.len);
    bh_buf_str(out, r->what == BH_STORED
                        ? ",\"status\":\"stored\",\"seq\":"
                        : ",\"status\":\"duplicate\",\"seq\":");
    add_number(out, r->seq);
    bh_buf_str(out, ",\"woken\":");
    if (r->woken == BH_WOKEN_UNKNOWN)
        bh_buf_str(out, "null");
    else
        add_number(out, r->woken);
    bh_buf_str(out, "}");
}

static void
count(const struct bh_job *job)
{
    uint64_t stored = 0;

    for (size_t i = 0; i < job->batch.n; i++)
        stored += job->results[i].what == BH_STORED;
    bh_count(BH_M_PUBLISHES, 1);
    bh_count(BH_M_STORED, stored);
    bh_count(BH_M_DUPLICATES, job->batch.n - stored);
}

static void
answer(struct bh_call *call, const struct bh_job *job)
{
    struct bh_buf *out = bh_reply_json(&call->reply);
    char cursor[BH_CURSOR_MAX];
    int64_t last = 0;

    bh_buf_str(out, "{\"results\":[");
    for (size_t i = 0; i < job->batch.n; i++) {
        if (i > 0) bh_buf_str(out, ",");
        add_result(out, &job->batch.v[i], &job->results[i]);
        if (job->results[i].seq > last) last = job->results[i].seq;
    }
    count(job);
    bh_cursor_format(cursor, job->log_id, last);
    bh_buf_fmt(out, "],\"cursor\":\"%s\"}", cursor);
}

void
bh_publish_answer(struct bh_call *call, const struct bh_job *job)
{
    if (job == NULL)
        bh_refuse(call, BH_LOG_UNAVAILABLE, NULL);
    else if (job->outcome == BH_GRANTED)
        answer(call, job);
    else
        refuse_event(call, job->outcome, (enum shape)call->shape, job->conflict,
                     "eventId", "it is stored with another body");
}

static void
store(struct bh_call *call, struct publish *p)
{
    call->shape = (uint8_t)p->shape;
    call->job = bh_job_new(&p->batch, call->rq->domain, call->claims->user);
    if (call->job == NULL) bh_refuse(call, BH_INTERNAL, NULL);
}

void
bh_handle_publish(struct bh_call *call)
{
    struct publish p = {.shape = SINGLE};

    if (bh_limit_waited(call) && read_batch(call, &p) && check_orgs(call, &p) &&
        bh_limit_publish(call, &p.batch))
        store(call, &p);
    bh_batch_fini(&p.batch);
}
