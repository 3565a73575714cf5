/* load_hello.c: the mode `hello`: N connections ask for one path, each again as
 * soon as it is answered. */
#include "base.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "load.h"
#include "mem.h"

struct asker {
    struct bh_http http;
    struct bh_load *l;
    int64_t asked_us;
};

static void
ask(struct asker *s, int64_t now_us)
{
    s->asked_us = now_us;
    int e = bh_http_send(&s->http);
    if (e) bh_load_error(s->l, strerror(-e), NULL);
}

static void
answered(struct bh_http *c, const struct bh_http_answer *a)
{
    struct asker *s = bh_container_of(c, struct asker, http);
    struct bh_load *l = s->l;
    int64_t now = bh_now_us();

    if (a && a->status == 200)
        l->answered++;
    else
        bh_load_error(l, "a request failed", a);
    if (a && bh_load_counts(l, now)) {
        l->requests++;
        bh_hist_add(&l->latency, now - s->asked_us);
    }
    if (!bh_load_gives_up(l)) ask(s, now);
}

/* With a key the request is as long as a poll, else as short as can be. */
static void
make_request(struct asker *s, int i)
{
    struct bh_buf *out = &s->http.out;
    char name[32];

    snprintf(name, sizeof name, "user-%d", i);
    bh_load_head(s->l, out, "GET", s->l->path, name, i, NULL);
    if (s->l->key.len) {
        bh_load_browser(out);
        bh_buf_str(out, "Last-Event-ID: 0123456789abcdef-1000\r\n");
    }
    bh_buf_str(out, "\r\n");
}

static int
gives_up(void *arg)
{
    return bh_load_gives_up(arg) ? -1 : 100;
}

int
bh_load_hello(struct bh_load *l)
{
    size_t n = (size_t)l->connections;
    struct asker *v = bh_zalloc(n * sizeof *v);

    if (!v) return -1;
    for (size_t i = 0; i < n; i++) {
        v[i].l = l;
        bh_http_init(&v[i].http, l->epoll, &l->to, answered);
        make_request(&v[i], (int)i);
    }
    bh_load_window(l);
    for (size_t i = 0; i < n && !bh_load_gives_up(l); i++)
        ask(&v[i], bh_now_us());
    bh_http_run(l->epoll, l->until_us, gives_up, l);
    for (size_t i = 0; i < n; i++) bh_http_fini(&v[i].http);
    bh_free(v);
    return 0;
}
