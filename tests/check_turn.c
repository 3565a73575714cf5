/* check_turn.c: who may accept: as many as there are turns, others when one
 * waits, and nobody for ever. */
#include "fcgi/turn.h"

#include <poll.h>
#include <pthread.h>
#include <string.h>

#include "clock.h"
#include "suites.h"

#define THREADS 4
#define WITHIN  60000 /* ms, far more than it takes */

/* A thread that takes a turn, counts, and does what it is told. */
struct walker {
    pthread_t id;
    struct bh_turn *turn;
    bool serving; /* begin a request as soon as it has a turn */
    int taken;    /* atomic */
    int go;       /* atomic: end the request, or give the turn, and again */
};

static struct bh_turns *all;
static struct walker walkers[THREADS];

static int
load(int *n)
{
    return __atomic_load_n(n, __ATOMIC_ACQUIRE);
}

static void *
walk(void *arg)
{
    struct walker *w = arg;

    for (int round = 1; bh_turn_take(w->turn); round++) {
        if (w->serving) bh_turn_begin(w->turn);
        __atomic_store_n(&w->taken, round, __ATOMIC_RELEASE);
        while (load(&w->go) < round) poll(NULL, 0, 1);
        if (w->serving) bh_turn_end(w->turn);
        bh_turn_give(w->turn);
    }
    return NULL;
}

static void
start(int i, bool serving)
{
    walkers[i].turn = bh_turns_place(all, i);
    walkers[i].serving = serving;
    ck_assert_int_eq(pthread_create(&walkers[i].id, NULL, walk, &walkers[i]),
                     0);
}

static void
let_go(int i, int rounds)
{
    __atomic_store_n(&walkers[i].go, rounds, __ATOMIC_RELEASE);
}

/* Until thread I has had ROUND turns. */
static void
expect_taken(int i, int round)
{
    int64_t deadline = bh_now_ms() + WITHIN;

    while (load(&walkers[i].taken) < round) {
        ck_assert_int_lt(bh_now_ms(), deadline);
        poll(NULL, 0, 1);
    }
}

static int
n_taken(void)
{
    int n = 0;

    for (int i = 0; i < THREADS; i++) n += load(&walkers[i].taken);
    return n;
}

static void
finish(int threads)
{
    bh_turns_stop(all);
    for (int i = 0; i < threads; i++) let_go(i, 1000000);
    for (int i = 0; i < threads; i++)
        ck_assert_int_eq(pthread_join(walkers[i].id, NULL), 0);
    bh_turns_free(all);
}

static void
open_turns(int most)
{
    memset(walkers, 0, sizeof walkers);
    all = bh_turns_new(THREADS, most);
    ck_assert_ptr_nonnull(all);
}

START_TEST(no_more_than_there_are_turns)
{
    open_turns(2);
    start(0, false);
    start(1, false);
    expect_taken(0, 1);
    expect_taken(1, 1);
    start(2, false);
    start(3, false);
    poll(NULL, 0, 5 * BH_TURN_LOOK_MS); /* nothing tells that nothing comes */
    ck_assert_int_eq(n_taken(), 2);
    finish(4);
}
END_TEST

START_TEST(a_turn_that_is_given_goes_on)
{
    open_turns(1);
    start(0, false);
    expect_taken(0, 1);
    start(1, false);
    ck_assert_int_eq(n_taken(), 1);
    let_go(0, 1);
    /* Either may be the next: who gave it may come back before the other. */
    for (int64_t until = bh_now_ms() + WITHIN; n_taken() < 2; poll(NULL, 0, 1))
        ck_assert_int_lt(bh_now_ms(), until);
    finish(2);
}
END_TEST

/* Both wait in their requests; the others accept all the same. */
START_TEST(one_that_is_stuck_loses_its_turn)
{
    open_turns(2);
    for (int i = 0; i < THREADS; i++) {
        start(i, true);
        expect_taken(i, 1);
    }
    finish(4);
}
END_TEST

/* After it was idle for long, too: nobody looks then until a request comes. */
START_TEST(stuck_after_a_rest)
{
    open_turns(1);
    start(0, true);
    expect_taken(0, 1);
    start(1, true);
    expect_taken(1, 1);
    let_go(0, 1);
    let_go(1, 1);
    expect_taken(0, 2);
    finish(2);
}
END_TEST

/* It had lost its turn while it was stuck; giving it up makes no second one. */
START_TEST(a_turn_that_was_lost_is_not_given_twice)
{
    open_turns(1);
    start(0, true);
    expect_taken(0, 1);
    start(1, true);
    expect_taken(1, 1); /* 0 has none any more */
    walkers[2].serving = walkers[3].serving = false;
    let_go(0, 1);       /* it gives what it hasn't, and waits with the others */
    expect_taken(0, 2); /* for 1 is stuck as well */
    start(2, false);
    expect_taken(2, 1); /* the one turn there is: 0 lost it again */
    start(3, false);
    poll(NULL, 0, 5 * BH_TURN_LOOK_MS);
    ck_assert_int_eq(load(&walkers[3].taken), 0); /* 2 is in no request */
    finish(4);
}
END_TEST

START_TEST(stop_ends_all_waiting)
{
    open_turns(1);
    for (int i = 0; i < THREADS; i++) start(i, false);
    while (n_taken() == 0) poll(NULL, 0, 1);
    finish(4);
}
END_TEST

Suite *
check_turn(void)
{
    Suite *s = suite_create("turn");
    TCase *t = tcase_create("turn");

    tcase_add_test(t, no_more_than_there_are_turns);
    tcase_add_test(t, a_turn_that_is_given_goes_on);
    tcase_add_test(t, one_that_is_stuck_loses_its_turn);
    tcase_add_test(t, stuck_after_a_rest);
    tcase_add_test(t, a_turn_that_was_lost_is_not_given_twice);
    tcase_add_test(t, stop_ends_all_waiting);
    suite_add_tcase(s, t);
    return s;
}
