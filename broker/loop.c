#include "base.h"
#include "loop.h"

#include <errno.h>
#include <unistd.h>

#define BATCH 256

int
bh_loop_init(struct bh_loop *l, int (*before_wait)(void *arg),
             void (*after_wait)(void *arg), void *arg)
{
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    l->stop = false;
    l->before_wait = before_wait;
    l->after_wait = after_wait;
    l->arg = arg;
    return l->epoll < 0 ? -errno : 0;
}

void
bh_loop_fini(struct bh_loop *l)
{
    if (l->epoll >= 0) close(l->epoll);
    l->epoll = -1;
}

static int
control(struct bh_loop *l, int op, struct bh_source *s, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data = {.ptr = s}};

    return epoll_ctl(l->epoll, op, s->fd, &ev) == 0 ? 0 : -errno;
}

int
bh_loop_add(struct bh_loop *l, struct bh_source *s, uint32_t events)
{
    return control(l, EPOLL_CTL_ADD, s, events);
}

int
bh_loop_change(struct bh_loop *l, struct bh_source *s, uint32_t events)
{
    return control(l, EPOLL_CTL_MOD, s, events);
}

void
bh_loop_del(struct bh_loop *l, struct bh_source *s)
{
    control(l, EPOLL_CTL_DEL, s, 0);
}

int
bh_loop_turn(struct bh_loop *l, int timeout)
{
    struct epoll_event batch[BATCH];
    int n = epoll_wait(l->epoll, batch, BATCH, timeout);

    if (n < 0) return errno == EINTR ? 0 : -errno;
    l->after_wait(l->arg);
    for (int i = 0; i < n; i++) {
        struct bh_source *s = batch[i].data.ptr;

        if (s->fd >= 0) s->serve(s, batch[i].events);
    }
    return 0;
}

int
bh_loop_run(struct bh_loop *l)
{
    for (;;) {
        int timeout = l->before_wait(l->arg);

        if (l->stop) return 0;
        int rc = bh_loop_turn(l, timeout);
        if (rc < 0) return rc;
    }
}
