/* load_sub.c: a subscriber, see load.h. It checks what it gets: every event of
 * its org once, in order. */
#include "base.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "load.h"

static void
take_cursor(struct bh_load_sub *s, struct bh_str body)
{
    struct bh_str v = {NULL, 0};
    /* After the events: their payload could hold the word, too. */
    for (size_t i = body.len; i-- > 0 && !v.p;)
        if (body.p[i] == ']') v = bh_load_member(body, i, "cursor");

    if (v.p && v.len < sizeof s->cursor) {
        memcpy(s->cursor, v.p, v.len);
        s->cursor[v.len] = '\0';
    } else {
        bh_load_error(s->l, "an answer without a cursor", NULL);
    }
}

/* Whether the event is the one that had to come next. */
static bool
is_next(struct bh_load_sub *s, uint64_t k)
{
    if (k <= s->got) {
        s->l->doubled++;
        return false;
    }
    s->l->lost += k - s->got - 1;
    s->got = k;
    return true;
}

/* An eventId is "<run>-<k>-<org>", so that ids rise with time, as UUIDv7 do. */
static void
take_event(struct bh_load_sub *s, struct bh_str id, int64_t now_us)
{
    size_t n = sizeof s->l->run - 1;
    char text[64], *end;

    if (id.len < n || id.len >= sizeof text || memcmp(id.p, s->l->run, n)) {
        bh_load_error(s->l, "an event of somebody else's", NULL);
        return;
    }
    memcpy(text, id.p, id.len);
    text[id.len] = '\0';
    uint64_t k = strtoull(text + n + 1, &end, 10);
    long org = *end == '-' ? strtol(end + 1, NULL, 10) : -1;
    if (org != s->org || k == 0)
        bh_load_error(s->l, "an event of another org", NULL);
    else if (is_next(s, k) && s->fn)
        s->fn(s, k, now_us);
}

static int
take_events(struct bh_load_sub *s, struct bh_str body, int64_t now_us)
{
    struct bh_str id = bh_load_member(body, 0, "eventId");
    int n = 0;

    while (id.p) {
        take_event(s, id, now_us);
        n++;
        id = bh_load_member(body, (size_t)(id.p - body.p), "eventId");
    }
    return n;
}

static void
take_answer(struct bh_load_sub *s, struct bh_str body)
{
    static const char no_gap[] = "\"gap\":null", over[] = "\"overloaded\":";
    struct bh_load *l = s->l;
    int64_t now = bh_now_us();
    int n = take_events(s, body, now);

    take_cursor(s, body);
    l->answered++;
    if (!memmem(body.p, body.len, no_gap, sizeof no_gap - 1)) l->gaps++;
    if (n == 0) l->empty++;
    if (n == 0 && memmem(body.p, body.len, over, sizeof over - 1))
        bh_load_error(l, "the broker is overloaded", NULL);
    if (bh_load_counts(l, now)) {
        l->polls++;
        l->requests++;
        l->events += (uint64_t)n;
    }
}

static void
answered(struct bh_http *c, const struct bh_http_answer *a)
{
    struct bh_load_sub *s = bh_container_of(c, struct bh_load_sub, http);

    if (a && a->status == 200)
        take_answer(s, a->body);
    else
        bh_load_error(s->l, "a poll failed", a);
    if (!bh_load_gives_up(s->l)) bh_load_sub_poll(s);
}

void
bh_load_sub_init(struct bh_load_sub *s, struct bh_load *l, int user, int org,
                 const char *cursor, bh_load_event_fn *fn)
{
    char what[128], name[32];

    *s = (struct bh_load_sub){.l = l, .fn = fn, .org = org};
    bh_http_init(&s->http, l->epoll, &l->to, answered);
    snprintf(s->cursor, sizeof s->cursor, "%s", cursor);
    snprintf(what, sizeof what, "/%s/realtime/subscribe", l->domain);
    snprintf(name, sizeof name, "user-%d", user);
    bh_load_head(l, &s->http.out, "GET", what, name, org, NULL);
    bh_load_browser(&s->http.out);
    s->head_len = s->http.out.len;
}

void
bh_load_sub_fini(struct bh_load_sub *s)
{
    bh_http_fini(&s->http);
}

void
bh_load_sub_poll(struct bh_load_sub *s)
{
    struct bh_buf *out = &s->http.out;
    int e;

    out->len = s->head_len;
    bh_buf_str(out, "Last-Event-ID: ");
    bh_buf_str(out, s->cursor);
    bh_buf_str(out, "\r\n\r\n");
    e = bh_http_send(&s->http);
    if (e) bh_load_error(s->l, strerror(-e), NULL);
}
