#include "turn.h"

#include <pthread.h>
#include <time.h>

#include "mem.h"

struct bh_turns {
    pthread_mutex_t lock;
    pthread_cond_t freed;  /* a turn, or the place of the watch */
    pthread_cond_t to_see; /* what the watch waits for */
    int n, spare;          /* threads; turns that nobody has */
    int waiting;           /* for a turn, the watch not among them */
    bool watch, stop;      /* whether somebody is the watch */
    bool watched;          /* atomic: requests go by, and the watch looks */
    struct bh_turn places[];
};

struct bh_turns *
bh_turns_new(int n, int most)
{
    size_t places = (size_t)n * sizeof(struct bh_turn);
    struct bh_turns *all = bh_zalloc(sizeof *all + places);
    pthread_condattr_t attr;

    if (all == NULL) return NULL;
    pthread_mutex_init(&all->lock, NULL);
    pthread_cond_init(&all->freed, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&all->to_see, &attr);
    pthread_condattr_destroy(&attr);
    all->n = n;
    all->spare = most;
    for (int i = 0; i < n; i++) all->places[i].all = all;
    return all;
}

void
bh_turns_free(struct bh_turns *all)
{
    if (all == NULL) return;
    pthread_cond_destroy(&all->to_see);
    pthread_cond_destroy(&all->freed);
    pthread_mutex_destroy(&all->lock);
    bh_free(all);
}

struct bh_turn *
bh_turns_place(struct bh_turns *all, int i)
{
    return &all->places[i];
}

void
bh_turns_stop(struct bh_turns *all)
{
    pthread_mutex_lock(&all->lock);
    all->stop = true;
    pthread_cond_broadcast(&all->freed);
    pthread_cond_broadcast(&all->to_see);
    pthread_mutex_unlock(&all->lock);
}

/* ---- with the lock held ---- */

/* Another waits in a place of its own rather than the watch, which has more to
 * do. */
static void
spare_one(struct bh_turns *all)
{
    all->spare++;
    if (all->waiting > 0)
        pthread_cond_signal(&all->freed);
    else
        pthread_cond_signal(&all->to_see);
}

/* Whether T waits within the very request of the last look. */
static bool
is_stuck(struct bh_turn *t, bool *moves)
{
    unsigned long n = __atomic_load_n(&t->n, __ATOMIC_ACQUIRE);
    bool same = n == t->was;

    t->was = n;
    *moves |= !same || n % 2 == 1;
    return same && n % 2 == 1;
}

/* Take their turns from those who don't make way. */
static void
look(struct bh_turns *all)
{
    bool moves = false;

    for (int i = 0; i < all->n; i++) {
        struct bh_turn *t = &all->places[i];
        if (!is_stuck(t, &moves)) continue;
        if (__atomic_exchange_n(&t->has, false, __ATOMIC_ACQ_REL)) all->spare++;
    }
    __atomic_store_n(&all->watched, moves, __ATOMIC_RELEASE);
    for (int i = 0; i < all->spare && i < all->waiting; i++)
        pthread_cond_signal(&all->freed);
}

/* Wait to be told that requests begin; then look now and then. */
static void
keep_watch(struct bh_turns *all)
{
    struct timespec till;

    if (!__atomic_load_n(&all->watched, __ATOMIC_ACQUIRE)) {
        pthread_cond_wait(&all->to_see, &all->lock);
        return;
    }
    clock_gettime(CLOCK_MONOTONIC, &till);
    till.tv_nsec += BH_TURN_LOOK_MS * 1000000;
    if (till.tv_nsec >= 1000000000) {
        till.tv_sec++;
        till.tv_nsec -= 1000000000;
    }
    if (pthread_cond_timedwait(&all->to_see, &all->lock, &till) != 0) look(all);
}

static void
be_the_watch(struct bh_turns *all)
{
    all->watch = true;
    while (all->spare == 0 && !all->stop) keep_watch(all);
    all->watch = false;
    if (all->waiting > 0) pthread_cond_signal(&all->freed);
}

static void
wait_for_turn(struct bh_turns *all)
{
    while (all->spare == 0 && !all->stop) {
        if (!all->watch) {
            be_the_watch(all);
            continue;
        }
        all->waiting++;
        pthread_cond_wait(&all->freed, &all->lock);
        all->waiting--;
    }
}

/* ---- the threads' side ---- */

bool
bh_turn_take(struct bh_turn *t)
{
    struct bh_turns *all = t->all;

    if (__atomic_load_n(&t->has, __ATOMIC_ACQUIRE)) return true;
    pthread_mutex_lock(&all->lock);
    wait_for_turn(all);
    bool stop = all->stop;
    if (!stop) {
        all->spare--;
        __atomic_store_n(&t->has, true, __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&all->lock);
    return !stop;
}

void
bh_turn_give(struct bh_turn *t)
{
    struct bh_turns *all = t->all;

    if (!__atomic_exchange_n(&t->has, false, __ATOMIC_ACQ_REL)) return;
    pthread_mutex_lock(&all->lock);
    spare_one(all);
    pthread_mutex_unlock(&all->lock);
}

/* So that the watch looks from now on. */
static void
call_watch(struct bh_turns *all)
{
    pthread_mutex_lock(&all->lock);
    __atomic_store_n(&all->watched, true, __ATOMIC_RELEASE);
    if (all->watch) pthread_cond_signal(&all->to_see);
    pthread_mutex_unlock(&all->lock);
}

void
bh_turn_begin(struct bh_turn *t)
{
    __atomic_add_fetch(&t->n, 1, __ATOMIC_RELEASE);
    if (!__atomic_load_n(&t->all->watched, __ATOMIC_ACQUIRE))
        call_watch(t->all);
}

void
bh_turn_end(struct bh_turn *t)
{
    __atomic_add_fetch(&t->n, 1, __ATOMIC_RELEASE);
}
