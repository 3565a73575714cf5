#include "serve.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <fcgiapp.h>

#include "clock.h"
#include "exchange.h"
#include "log.h"
#include "mem.h"
#include "sock.h"
#include "thread.h"
#include "turn.h"

#define PAUSE_MS 100  /* when there are no descriptors left */
#define NUDGE_MS 10   /* between two looks whether threads have left */
#define LOOK_MS  1000 /* an idle thread looks by itself whether it should */
#define GRACE_MS 8000 /* what a request under way may take at the end */

struct thread {
    pthread_t id;
    struct bh_worker *worker;
    struct bh_turn *turn;
    struct bh_exchange *exchange; /* NULL until it is needed */
    struct bh_store *log;         /* reader, NULL until it is needed */
    bool failing;                 /* accept does, and the log says so */
    bool accepting;               /* atomic: it waits for a connection */
    bool left;                    /* atomic */
};

struct bh_serve {
    struct bh_worker *worker;
    struct bh_turns *turns;
    int n;
    struct thread threads[];
};

static void
nap(long ms)
{
    struct timespec ts = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&ts, NULL);
}

static bool
is_stopping(struct bh_worker *w)
{
    return __atomic_load_n(&w->stop, __ATOMIC_SEQ_CST);
}

/* ---- accept ---- */

/*
 * Our own, since libfcgi's knows neither close-on-exec nor timeouts. No signal
 * may end the wait, for libfcgi gives a request up whose read or write is
 * interrupted: it ends by a connection of bh_serve_stop's own, or by itself.
 */
static int
accept_one(struct thread *t, bool *named)
{
    struct sockaddr_un peer;
    socklen_t len = sizeof peer;
    int fd = -1, error = EINTR;

    /* In this order: bh_serve_stop says that it stops, then looks who waits. */
    __atomic_store_n(&t->accepting, true, __ATOMIC_SEQ_CST);
    if (!is_stopping(t->worker)) {
        fd = accept4(t->worker->listener, (struct sockaddr *)&peer, &len,
                     SOCK_CLOEXEC);
        error = errno;
    }
    __atomic_store_n(&t->accepting, false, __ATOMIC_SEQ_CST);
    *named = len > sizeof peer.sun_family;

    if (fd >= 0) {
        t->failing = false;
        return fd;
    }
    if (error == EAGAIN || error == EINTR || error == ECONNABORTED) return -1;
    if (is_stopping(t->worker)) return -1; /* see close_own */
    if (!t->failing) bh_log(BH_ERROR, "accept: %s", strerror(error));
    t->failing = true;
    nap(PAUSE_MS);
    return -1;
}

/* ---- one request ---- */

/* The thread's exchange, or another where it went to the writer. Waits for
 * memory rather than drop what has been accepted. */
static struct bh_exchange *
exchange_of(struct thread *t)
{
    while (t->exchange == NULL && (t->exchange = bh_exchange_new()) == NULL)
        nap(PAUSE_MS);
    return t->exchange;
}

/* ---- the threads ---- */

static void *
run(void *arg)
{
    struct thread *t = arg;

    while (bh_turn_take(t->turn) && !is_stopping(t->worker)) {
        bool named;
        int fd = accept_one(t, &named);
        if (fd < 0) {
            bh_orders_look(&t->worker->orders, NULL);
            continue;
        }
        bh_turn_begin(t->turn);
        if (!bh_exchange_serve(exchange_of(t), t->worker, fd, named, &t->log))
            t->exchange = NULL;
        bh_turn_end(t->turn);
    }
    bh_turn_give(t->turn);
    bh_exchange_free(t->exchange);
    bh_store_close(t->log);
    __atomic_store_n(&t->left, true, __ATOMIC_RELEASE);
    return NULL;
}

/* Whoever made the socket may have made it so that accept doesn't wait. */
static void
make_blocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags >= 0 && (flags & O_NONBLOCK))
        fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
}

static int
processors(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);

    return n < 1 ? 1 : (int)(n + 1) / 2;
}

static void
serve_free(struct bh_serve *s)
{
    bh_turns_free(s->turns);
    bh_free(s);
}

static struct bh_serve *
make_serve(int n)
{
    struct bh_serve *s =
        bh_zalloc(sizeof *s + (size_t)n * sizeof(struct thread));

    if (s == NULL || FCGX_Init() != 0) {
        bh_free(s);
        return NULL;
    }
    s->turns = bh_turns_new(n, processors());
    if (s->turns != NULL) return s;
    bh_free(s);
    return NULL;
}

struct bh_serve *
bh_serve_start(struct bh_worker *w, int n)
{
    struct bh_serve *s = make_serve(n);

    if (s == NULL) {
        bh_log(BH_ERROR, "no memory to start with");
        return NULL;
    }
    make_blocking(w->listener);
    bh_sock_read_timeout(w->listener, LOOK_MS);
    s->worker = w;
    for (; s->n < n; s->n++) {
        struct thread *t = &s->threads[s->n];
        t->worker = w;
        t->turn = bh_turns_place(s->turns, s->n);
        int rc = bh_thread_start(&t->id, run, t);
        if (rc == 0) continue;
        bh_log(BH_ERROR, "only %d of %d threads: %s", s->n, n, strerror(-rc));
        break;
    }
    if (s->n > 0) return s;
    serve_free(s);
    return NULL;
}

/*
 * A connection to our own socket ends one accept: whoever takes it meets the
 * end. It is kept until then, so that no more are made than are taken: one that
 * is left has systemd start the next worker. Another process that shares the
 * socket may take it instead, and goes on. -1 where it can't be made now.
 */
static int
wake_one(int listener)
{
    struct sockaddr_un name;
    socklen_t len = sizeof name;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) return -1;
    if (getsockname(listener, (struct sockaddr *)&name, &len) == 0 &&
        connect(fd, (struct sockaddr *)&name, len) == 0 &&
        shutdown(fd, SHUT_WR) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Whether FD of wake_one() was taken and closed; waits for it a little. */
static bool
was_taken(int fd)
{
    struct pollfd p = {.fd = fd}; /* its hang-up is told unasked */

    return poll(&p, 1, NUDGE_MS) > 0;
}

static bool
have_left(const struct bh_serve *s)
{
    for (int i = 0; i < s->n; i++)
        if (!__atomic_load_n(&s->threads[i].left, __ATOMIC_ACQUIRE))
            return false;
    return true;
}

static bool
is_accepting(const struct bh_serve *s)
{
    for (int i = 0; i < s->n; i++)
        if (__atomic_load_n(&s->threads[i].accepting, __ATOMIC_SEQ_CST))
            return true;
    return false;
}

/* Until all threads have left or the DEADLINE has come: whether they have. */
static bool
see_off(const struct bh_serve *s, int64_t deadline)
{
    int fd = -1;

    while (!have_left(s) && bh_now_ms() <= deadline) {
        if (fd < 0 && is_accepting(s)) fd = wake_one(s->worker->listener);
        if (fd < 0) {
            nap(NUDGE_MS);
        } else if (was_taken(fd)) {
            close(fd);
            fd = -1;
        }
    }
    if (fd >= 0) close(fd);
    return have_left(s);
}

/* A socket whose file is gone can't be connected to any more; but nobody shares
 * it, so that every accept may end. */
static void
close_own(const struct bh_worker *w)
{
    if (w->own != NULL) shutdown(w->listener, SHUT_RD);
}

bool
bh_serve_stop(struct bh_serve *s)
{
    __atomic_store_n(&s->worker->stop, true, __ATOMIC_SEQ_CST);
    close_own(s->worker);
    bh_turns_stop(s->turns);
    if (!see_off(s, bh_now_ms() + GRACE_MS)) return false;
    for (int i = 0; i < s->n; i++) pthread_join(s->threads[i].id, NULL);
    serve_free(s);
    return true;
}
