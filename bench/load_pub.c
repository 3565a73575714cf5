/* load_pub.c: a publisher, see load.h. */
#include "base.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "load.h"

#define START_ORG     (-1)
#define FIRST_WAIT_US 5000000

static int
count(struct bh_str body, const char *word)
{
    const char *p = body.p, *end = body.p + body.len;
    size_t n = strlen(word);
    int found = 0;

    while ((p = memmem(p, (size_t)(end - p), word, n))) {
        found++;
        p += n;
    }
    return found;
}

/* The sum of `"woken":N`; a null adds nothing. */
static uint64_t
sum_woken(struct bh_str body)
{
    static const char word[] = "\"woken\":";
    const char *p = body.p, *end = body.p + body.len;
    uint64_t sum = 0;

    while ((p = memmem(p, (size_t)(end - p), word, sizeof word - 1))) {
        uint64_t v = 0;
        p += sizeof word - 1;
        while (p < end && *p >= '0' && *p <= '9')
            v = v * 10 + (uint64_t)(*p++ - '0');
        sum += v;
    }
    return sum;
}

static void
take_cursor(struct bh_load_pub *p, struct bh_str body)
{
    struct bh_str v = bh_load_member(body, 0, "cursor");

    if (!v.p || v.len >= sizeof p->cursor) return;
    memcpy(p->cursor, v.p, v.len);
    p->cursor[v.len] = '\0';
}

static bool
take_answer(struct bh_load_pub *p, const struct bh_http_answer *a)
{
    struct bh_load *l = p->l;

    if (!a || a->status != 200) {
        bh_load_error(l, "a publish failed", a);
        return false;
    }
    if (count(a->body, "\"status\":\"stored\"") != p->n) {
        bh_load_error(l, "a publish stored less than was sent", a);
        return false;
    }
    take_cursor(p, a->body);
    l->answered++;
    if (bh_load_counts(l, bh_now_us())) {
        l->publishes++;
        l->requests++;
        l->posted += (uint64_t)p->n;
        l->woken += sum_woken(a->body);
    }
    return true;
}

static void
answered(struct bh_http *c, const struct bh_http_answer *a)
{
    struct bh_load_pub *p = bh_container_of(c, struct bh_load_pub, http);
    bool stored = take_answer(p, a);

    p->busy = false;
    p->n = 0;
    bh_buf_reset(&p->body);
    if (p->fn) p->fn(p, stored);
}

void
bh_load_pub_init(struct bh_load_pub *p, struct bh_load *l, bh_load_pub_fn *fn)
{
    char what[128];

    *p = (struct bh_load_pub){.l = l, .fn = fn};
    bh_http_init(&p->http, l->epoll, &l->to, answered);
    snprintf(what, sizeof what, "/%s/realtime/publish", l->domain);
    bh_load_head(l, &p->head, "POST", what, "publisher", START_ORG,
                 "realtime:publish");
    bh_buf_str(&p->head, "Content-Type: application/json\r\n");
}

void
bh_load_pub_fini(struct bh_load_pub *p)
{
    bh_http_fini(&p->http);
    bh_buf_fini(&p->head);
    bh_buf_fini(&p->body);
}

void
bh_load_pub_add(struct bh_load_pub *p, int org, uint64_t k)
{
    static const char pad[] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                              "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    const char *run = p->l->run;

    bh_buf_fmt(&p->body,
               "%s{\"eventId\":\"%s-%08" PRIu64 "-%d\","
               "\"eventType\":\"BenchEvent\",\"timestamp\":%" PRId64 ","
               "\"orgId\":\"%s-%d\",\"payload\":{\"pad\":\"%.*s\"}}",
               p->n ? "," : "{\"events\":[", run, k, org, bh_wall_ms(), run,
               org, p->l->pad, pad);
    p->n++;
}

void
bh_load_pub_post(struct bh_load_pub *p)
{
    struct bh_buf *out = &p->http.out;
    int e;

    bh_buf_str(&p->body, "]}");
    bh_buf_reset(out);
    bh_buf_add(out, p->head.p, p->head.len);
    bh_buf_fmt(out, "Content-Length: %zu\r\n\r\n", p->body.len);
    bh_buf_add(out, p->body.p, p->body.len);
    if (p->body.failed) out->failed = true;
    p->busy = true;
    e = bh_http_send(&p->http);
    if (e) {
        bh_load_error(p->l, strerror(-e), NULL);
        answered(&p->http, NULL);
    }
}

static int
until_idle(void *arg)
{
    const struct bh_load_pub *p = arg;
    return p->busy ? 100 : -1;
}

int
bh_load_pub_first(struct bh_load_pub *p)
{
    bh_load_pub_add(p, START_ORG, 1);
    bh_load_pub_post(p);
    bh_http_run(p->l->epoll, bh_now_us() + FIRST_WAIT_US, until_idle, p);
    if (p->cursor[0]) return 0;
    if (!p->l->errors) bh_load_error(p->l, "no cursor with a publish", NULL);
    return -1;
}
