/*
 * loop.h: one epoll(7) loop. A source is a descriptor and the function that
 * serves it. Events arrive in batches; a source that is closed inside a batch
 * may still be named further on in it, so its owner frees it only in the
 * before-wait hook.
 */
#ifndef BH_LOOP_H
#define BH_LOOP_H

#include "base.h"

#include <sys/epoll.h>

struct bh_source {
    void (*serve)(struct bh_source *s, uint32_t events);
    int fd; /* below 0 when done with: such a source is skipped */
};

struct bh_loop {
    int epoll;
    bool stop;
    /* Called before each wait; returns how long to wait in milliseconds, -1 for
     * ever. Whatever was put off during the batch is done here. */
    int (*before_wait)(void *arg);
    void (*after_wait)(void *arg); /* before a batch is served: the time */
    void *arg;
};

/* 0 or a negative errno. */
int bh_loop_init(struct bh_loop *l, int (*before_wait)(void *arg),
                 void (*after_wait)(void *arg), void *arg);
void bh_loop_fini(struct bh_loop *l);
int bh_loop_add(struct bh_loop *l, struct bh_source *s, uint32_t events);
int bh_loop_change(struct bh_loop *l, struct bh_source *s, uint32_t events);
/* Deregisters. Must precede close(2): while another process holds a copy of the
 * descriptor, the registration would outlive it. */
void bh_loop_del(struct bh_loop *l, struct bh_source *s);
/* Serve until l->stop. 0, or what epoll_wait failed with. */
int bh_loop_run(struct bh_loop *l);
/* One batch, waiting TIMEOUT ms at most; before_wait is not called. For tests
 * and bh_loop_run. */
int bh_loop_turn(struct bh_loop *l, int timeout);

#endif
