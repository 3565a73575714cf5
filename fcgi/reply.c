#include "reply.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "json.h"

void
bh_reply_init(struct bh_reply *r)
{
    memset(r, 0, sizeof *r);
    r->retry_after = BH_NO_RETRY;
}

void
bh_reply_fini(struct bh_reply *r)
{
    bh_buf_fini(&r->headers);
    bh_buf_fini(&r->body);
}

static void
restart(struct bh_reply *r, int status, const char *type)
{
    bh_buf_reset(&r->headers);
    bh_buf_reset(&r->body);
    r->status = status;
    r->type = type;
    r->refusal = BH_GRANTED;
    r->retry_after = BH_NO_RETRY;
    r->first.pointer[0] = r->first.detail[0] = '\0';
}

struct bh_buf *
bh_reply_json(struct bh_reply *r)
{
    restart(r, 200, "application/json");
    return &r->body;
}

static void
add_string(struct bh_buf *out, const char *name, const char *value)
{
    bh_buf_fmt(out, "\"%s\":", name);
    bh_json_quote(out, value, strlen(value));
}

static void
keep_first(struct bh_reply *r, const char *detail,
           const struct bh_event_errors *errors)
{
    if (errors != NULL && errors->n > 0)
        r->first = errors->v[0];
    else
        snprintf(r->first.detail, sizeof r->first.detail, "%s", detail);
}

static void
add_errors(struct bh_buf *out, const struct bh_event_errors *errors)
{
    bh_buf_str(out, ",\"errors\":[");
    for (size_t i = 0; i < errors->n; i++) {
        bh_buf_str(out, i == 0 ? "{" : ",{");
        add_string(out, "pointer", errors->v[i].pointer);
        bh_buf_str(out, ",");
        add_string(out, "detail", errors->v[i].detail);
        bh_buf_str(out, "}");
    }
    bh_buf_str(out, "]");
}

void
bh_reply_refuse(struct bh_reply *r, enum bh_refusal why, const char *detail,
                const struct bh_event_errors *errors)
{
    int status = bh_refusal_status(why);
    struct bh_buf *b = &r->body;

    restart(r, status, "application/problem+json");
    r->refusal = why;
    if (status == 429 || status == 503)
        r->retry_after = 1 + (int)bh_random_below(5);
    if (detail == NULL) detail = bh_refusal_next(why);
    keep_first(r, detail, errors);
    bh_buf_str(b, "{\"type\":\"about:blank\",");
    add_string(b, "title", bh_refusal_title(why));
    bh_buf_fmt(b, ",\"status\":%d,", status);
    add_string(b, "detail", detail);
    bh_buf_str(b, ",");
    add_string(b, "code", bh_refusal_word(why));
    if (errors != NULL && errors->n > 0) add_errors(b, errors);
    bh_buf_str(b, "}");
}

/* RFC 6750, section 3: without credentials there is no error code. */
void
bh_reply_challenge(struct bh_reply *r, enum bh_refusal why_not, const char *why)
{
    char detail[256];

    snprintf(detail, sizeof detail, "%s%s%s", why != NULL ? why : "",
             why != NULL ? " " : "", bh_refusal_next(why_not));
    bh_reply_refuse(r, why_not, detail, NULL);
    bh_buf_str(&r->headers, "WWW-Authenticate: Bearer realm=\"bellhop\"");
    if (why_not != BH_TOKEN_MISSING) {
        bh_buf_str(&r->headers, ", error=\"invalid_token\"");
        if (why != NULL)
            bh_buf_fmt(&r->headers, ", error_description=\"%s\"", why);
    }
    bh_buf_str(&r->headers, "\r\n");
}

static void
encode(struct bh_buf *out, const struct bh_reply *r, const char *request_id,
       const char *cors)
{
    bh_buf_fmt(out, "Status: %d %s\r\n", r->status,
               bh_status_phrase(r->status));
    if (r->type != NULL)
        bh_buf_fmt(out, "Content-Type: %s\r\nContent-Length: %zu\r\n", r->type,
                   r->body.len);
    bh_buf_fmt(out, "Cache-Control: no-store\r\nX-Request-ID: %s\r\n",
               request_id);
    if (r->retry_after != BH_NO_RETRY)
        bh_buf_fmt(out, "Retry-After: %d\r\n", r->retry_after);
    bh_buf_add(out, r->headers.p, r->headers.len);
    bh_buf_str(out, cors);
    bh_buf_str(out, "\r\n");
    if (r->type != NULL) bh_buf_add(out, r->body.p, r->body.len);
}

void
bh_reply_encode(struct bh_buf *out, const struct bh_reply *r,
                const char *request_id, const char *cors)
{
    bh_buf_reset(out);
    if (!r->body.failed && !r->headers.failed) encode(out, r, request_id, cors);
    if (out->failed || out->len == 0) {
        bh_buf_reset(out);
        bh_buf_fmt(out,
                   "Status: 500 Internal Server Error\r\n"
                   "Content-Type: application/problem+json\r\n"
                   "Cache-Control: no-store\r\nX-Request-ID: %s\r\n%s\r\n",
                   request_id, cors);
        bh_refusal_body(out, BH_INTERNAL);
    }
}
