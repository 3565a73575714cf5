#include "base.h"
#include "answer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "fcgirec.h"
#include "mem.h"

static struct bh_answer *
frame(const struct bh_buf *body, uint32_t events, int64_t cursor, bool end)
{
    struct bh_buf framed = BH_BUF_INIT;
    struct bh_answer *a = NULL;

    if (!body->failed) {
        if (body->len > 0)
            bh_fcgi_stream(&framed, BH_FCGI_STDOUT, 1, body->p, body->len);
        if (end) bh_fcgi_end(&framed, 1);
        if (!framed.failed) a = bh_alloc(sizeof *a + framed.len);
    }
    if (a) {
        a->refs = 1;
        a->events = events;
        a->content = (uint32_t)body->len;
        a->len = (uint32_t)framed.len;
        a->cursor = cursor;
        memcpy(a->bytes, framed.p, framed.len);
    }
    bh_buf_fini(&framed);
    return a;
}

struct bh_answer *
bh_answer_new(const struct bh_buf *body, uint32_t events, int64_t cursor)
{
    return frame(body, events, cursor, true);
}

struct bh_answer *
bh_answer_part(const struct bh_buf *body, uint32_t events, int64_t cursor)
{
    return frame(body, events, cursor, false);
}

struct bh_answer *
bh_answer_for_id(const struct bh_answer *a, uint16_t id)
{
    struct bh_answer *copy = bh_alloc(sizeof *copy + a->len);

    if (!copy) return NULL;
    memcpy(copy, a, sizeof *a + a->len);
    copy->refs = 1;
    for (size_t at = 0; at + BH_FCGI_HEADER <= a->len;) {
        unsigned char *h = (unsigned char *)copy->bytes + at;

        h[2] = (unsigned char)(id >> 8);
        h[3] = (unsigned char)id;
        at += BH_FCGI_HEADER + ((size_t)h[4] << 8 | h[5]) + h[6];
    }
    return copy;
}

void
bh_answer_get(struct bh_answer *a)
{
    a->refs++;
}

void
bh_answer_put(struct bh_answer *a)
{
    if (a && --a->refs == 0) bh_free(a);
}

/* A head in the making, in the caller's memory. */
struct head {
    char *p;
    size_t len, size;
};

static void BH_PRINTF(2, 3) put(struct head *h, const char *fmt, ...)
{
    va_list args;

    if (h->len >= h->size) return;
    va_start(args, fmt);
    int n = vsnprintf(h->p + h->len, h->size - h->len, fmt, args);
    va_end(args);
    h->len = n < 0 ? h->size : h->len + (size_t)n;
}

/* RFC 6750, section 3. */
static void
put_challenge(struct head *h, enum bh_refusal r)
{
    put(h, "WWW-Authenticate: Bearer realm=\"bellhop\"%s\r\n",
        r == BH_TOKEN_MISSING ? "" : ", error=\"invalid_token\"");
}

size_t
bh_answer_head(char *out, size_t size, uint16_t id, const struct bh_head *in,
               size_t content, struct bh_str request_id, struct bh_str lines)
{
    struct head h = {out + BH_FCGI_HEADER, 0, size - BH_FCGI_HEADER};

    put(&h,
        "Status: %d %s\r\nContent-Type: %s\r\n"
        "Cache-Control: no-store\r\nX-Request-ID: %.*s\r\n",
        in->status, bh_status_phrase(in->status), in->content_type,
        (int)request_id.len, request_id.p);
    if (in->open)
        put(&h, "X-Accel-Buffering: no\r\n");
    else
        put(&h, "Content-Length: %zu\r\n", content);
    if (in->retry_after >= 0) put(&h, "Retry-After: %d\r\n", in->retry_after);
    if (in->status == 401) put_challenge(&h, in->refusal);
    put(&h, "%.*s\r\n", (int)lines.len, lines.p);
    if (h.len >= h.size) return 0;
    bh_fcgi_header((unsigned char *)out, BH_FCGI_STDOUT, id, h.len);
    return BH_FCGI_HEADER + h.len;
}
