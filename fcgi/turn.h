/*
 * turn.h: which of a worker's threads accept.
 *
 * Connections that wait are taken fastest by few threads that never sleep:
 * woken by turns, as accept does it, each thread would cost a switch for each
 * request. So only half as many as there are processors have a turn at a time.
 * A thread waits for nothing that is foreseen: not for a commit, which is the
 * writer's. One that waits nevertheless (a body that drips, a peer that doesn't
 * read) loses its turn: while requests are served, one of the other threads
 * looks every BH_TURN_LOOK_MS whether each still makes way.
 */
#ifndef BH_TURN_H
#define BH_TURN_H

#include "base.h"

#define BH_TURN_LOOK_MS 20

struct bh_turns;

/* One thread's place; its members are turn.c's. */
struct bh_turn {
    struct bh_turns *all;
    bool has;          /* atomic */
    unsigned long n;   /* atomic; odd while it serves, two for each request */
    unsigned long was; /* n, when somebody last looked */
};

/* N threads, of which MOST have a turn at a time. NULL: no memory. */
struct bh_turns *bh_turns_new(int n, int most);
/* After the last thread has left. */
void bh_turns_free(struct bh_turns *all);
/* The place of thread I, from 0, which that thread alone may use. */
struct bh_turn *bh_turns_place(struct bh_turns *all, int i);
/* Nobody waits for a turn from now on. */
void bh_turns_stop(struct bh_turns *all);

/* Wait for a turn, unless the thread has one. False after bh_turns_stop(). */
bool bh_turn_take(struct bh_turn *t);
/* Let somebody else have it; nothing happens where the thread has none. */
void bh_turn_give(struct bh_turn *t);
/* A request begins, and ends. */
void bh_turn_begin(struct bh_turn *t);
void bh_turn_end(struct bh_turn *t);

#endif
