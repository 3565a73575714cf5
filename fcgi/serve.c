#include "serve.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <fcgiapp.h>

#include "call.h"
#include "clock.h"
#include "log.h"
#include "mem.h"
#include "pass.h"
#include "route.h"
#include "sock.h"
#include "tell.h"
#include "thread.h"
#include "turn.h"

#define PAUSE_MS 100  /* when there are no descriptors left */
#define NUDGE_MS 10   /* between two wake-ups of threads that should leave */
#define LOOK_MS  1000 /* an idle thread looks by itself whether it should */
#define GRACE_MS 8000 /* what a request under way may take at the end */

struct thread {
    pthread_t id;
    struct bh_worker *worker;
    struct bh_turn *turn;
    struct bh_store *log; /* reader, NULL until it is needed */
    bool failing;         /* accept does, and the log says so */
    bool left;            /* atomic */
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
    return __atomic_load_n(&w->stop, __ATOMIC_ACQUIRE);
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
    int fd = accept4(t->worker->listener, (struct sockaddr *)&peer, &len,
                     SOCK_CLOEXEC);
    int error = errno;

    *named = len > sizeof peer.sun_family;

    if (fd >= 0) {
        t->failing = false;
        return fd;
    }
    if (error == EAGAIN || error == EINTR || error == ECONNABORTED) return -1;
    if (!t->failing) bh_log(BH_ERROR, "accept: %s", strerror(error));
    t->failing = true;
    nap(PAUSE_MS);
    return -1;
}

/* ---- one request ---- */

static void
send_reply(FCGX_Request *r, struct bh_call *call)
{
    struct bh_buf cors = BH_BUF_INIT;
    struct bh_buf out = BH_BUF_INIT;

    bh_call_cors(&cors, call);
    bh_reply_encode(&out, &call->reply, call->rq->id, bh_buf_cstr(&cors));
    bh_sock_write_timeout(r->ipcFd, call->setup->conf->worker.io_timeout_ms);
    if (!out.failed) FCGX_PutStr(out.p, (int)out.len, r->out);
    bh_buf_fini(&out);
    bh_buf_fini(&cors);
    /* libfcgi's shutdown and wait for the other side is for those that still
     * send. Nothing is left of a request that was read to its end. */
    if (call->rq->drained) FCGX_Detach(r);
    FCGX_Finish_r(r);
}

/* Our copy only: what becomes of the connection is the broker's to say. */
static void
let_go(FCGX_Request *r)
{
    FCGX_Detach(r);
    FCGX_Free(r, 1);
}

static void
answer(struct thread *t, FCGX_Request *r, struct bh_request *rq,
       struct bh_setup *setup, const struct bh_rules *rules)
{
    int64_t began_us = bh_now_us();
    struct bh_call call = {.worker = t->worker,
                           .log = &t->log,
                           .turn = t->turn,
                           .rq = rq,
                           .setup = setup,
                           .rules = rules,
                           .connection = r->ipcFd,
                           .request_id = (uint16_t)r->requestId};

    bh_reply_init(&call.reply);
    bh_route_run(&call);
    if (call.parked)
        let_go(r);
    else if (rq->broken)
        FCGX_Free(r, 1);
    else {
        bh_tell(&call, began_us);
        send_reply(r, &call);
    }
    bh_reply_fini(&call.reply);
    bh_claims_put(call.claims);
}

/* FD or, where a relay accepted it, what came over FD. NAMED: so FD's peer is.
 */
static int
connection_of(int fd, bool named, const struct bh_setup *setup)
{
    bh_sock_read_timeout(fd, setup->conf->worker.io_timeout_ms);
    if (!named) return fd;
    fd = bh_pass_take(fd);
    if (fd >= 0) bh_sock_read_timeout(fd, setup->conf->worker.io_timeout_ms);
    return fd;
}

/* Detached, so that libfcgi doesn't wait two seconds more for one that it gives
 * up, such as a silent one. */
static bool
read_head(FCGX_Request *r, int fd)
{
    r->ipcFd = fd;
    r->keepConnection = 1;
    if (fd < 0) return false;
    FCGX_Detach(r);
    if (FCGX_Accept_r(r) != 0) return false;
    FCGX_Attach(r);
    /* One request per connection, whatever the web server asks. */
    r->keepConnection = 0;
    return true;
}

/* FD is libfcgi's from here on. PARAMS cut short pass for a request there, so
 * its error has to be looked at. */
static void
serve_one(struct thread *t, FCGX_Request *r, int fd, bool named)
{
    struct bh_rules *rules;
    struct bh_request rq;

    bh_orders_look(&t->worker->orders, &rules);
    struct bh_setup *setup = bh_setup_get(&t->worker->setup);
    if (read_head(r, connection_of(fd, named, setup))) {
        if (FCGX_GetError(r->in) != 0 || !bh_request_parse(&rq, r->envp, r->in))
            FCGX_Free(r, 1);
        else
            answer(t, r, &rq, setup, rules);
    }
    bh_setup_put(setup);
    bh_rules_put(rules);
}

/* ---- the threads ---- */

static void *
run(void *arg)
{
    struct thread *t = arg;
    FCGX_Request r;

    FCGX_InitRequest(&r, -1, 0);
    while (bh_turn_take(t->turn) && !is_stopping(t->worker)) {
        bool named;
        int fd = accept_one(t, &named);
        if (fd < 0) {
            bh_orders_look(&t->worker->orders, NULL);
            continue;
        }
        bh_turn_begin(t->turn);
        serve_one(t, &r, fd, named);
        bh_turn_end(t->turn);
    }
    bh_turn_give(t->turn);
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

/* A connection to our own socket ends one accept. Another process that shares
 * the socket may take it instead; it meets the end at once and goes on. */
static void
wake_one(int listener)
{
    struct sockaddr_un name;
    socklen_t len = sizeof name;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) return;
    if (getsockname(listener, (struct sockaddr *)&name, &len) == 0)
        (void)!connect(fd, (struct sockaddr *)&name, len);
    close(fd);
}

static bool
have_left(struct bh_serve *s)
{
    bool all = true;

    for (int i = 0; i < s->n; i++) {
        struct thread *t = &s->threads[i];
        if (__atomic_load_n(&t->left, __ATOMIC_ACQUIRE)) continue;
        all = false;
        wake_one(s->worker->listener);
    }
    return all;
}

bool
bh_serve_stop(struct bh_serve *s)
{
    int64_t deadline = bh_now_ms() + GRACE_MS;

    __atomic_store_n(&s->worker->stop, true, __ATOMIC_RELEASE);
    bh_turns_stop(s->turns);
    while (!have_left(s)) {
        if (bh_now_ms() > deadline) return false;
        nap(NUDGE_MS);
    }
    for (int i = 0; i < s->n; i++) pthread_join(s->threads[i].id, NULL);
    serve_free(s);
    return true;
}
