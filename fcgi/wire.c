#include "wire.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "caller.h"
#include "clock.h"
#include "log.h"
#include "mem.h"
#include "sock.h"

#define SEND_MS  250 /* then: a broker that runs reads within a millisecond */
#define PAUSE_MS 100 /* after a failure that cost time or a log line */
/* Of a broker that has stopped reading: one sender waits in so long. */
#define STALL_MS 1000

struct bh_wire {
    /* Senders hold it shared, so that nobody closes the descriptor under them;
     * sendmsg(2) itself keeps messages whole. */
    pthread_rwlock_t lock;
    int fd;         /* -1: none */
    uint64_t tries; /* connections attempted so far */
    struct bh_dial dial;
    bool down;       /* said so in the log */
    int64_t stalled; /* atomic: when a sender may wait again; 0: all may */
};

/* ---- one connection ---- */

static int
receive_welcome(int fd, struct bh_welcome *out, int flags)
{
    char packet[1024];
    struct bh_reader r;
    struct bh_str text;
    char word[BH_WORD_MAX * 2];
    int op = bh_hear(fd, packet, sizeof packet, &r, flags);

    if (op < 0) return op;
    if (op == BH_OP_WELCOME && bh_welcome_decode(&r, out)) return 0;
    if (op == BH_OP_ERROR && bh_error_decode(&r, &text))
        bh_log(BH_WARN, "the broker refuses this worker: %s",
               bh_log_word(word, sizeof word, text.p, text.len));
    return -EPROTO;
}

/* A connection that WELCOME is to come on. */
static int
call_up(const char *path, int timeout_ms)
{
    int fd = bh_sock_dial(path, SOCK_SEQPACKET);

    if (fd < 0) return fd;
    int rc = bh_sock_timeouts(fd, timeout_ms);
    if (rc == 0) rc = bh_say_hello(fd, "bellhop-worker");
    if (rc == 0) return fd;
    close(fd);
    return rc;
}

int
bh_wire_open(const char *path, int timeout_ms, struct bh_welcome *out)
{
    int fd = call_up(path, timeout_ms);

    if (fd < 0) return fd;
    int rc = receive_welcome(fd, out, 0);
    if (rc == 0) return fd;
    close(fd);
    return rc;
}

void
bh_dial_init(struct bh_dial *d, const char *path, int timeout_ms)
{
    *d = (struct bh_dial){.path = path, .timeout_ms = timeout_ms, .fd = -1};
}

void
bh_dial_fini(struct bh_dial *d)
{
    if (d->fd >= 0) close(d->fd);
    d->fd = -1;
}

/* The one that was greeted, and is the caller's once it has welcomed us. */
static int
hear(struct bh_dial *d, int flags)
{
    struct bh_welcome welcome;
    int fd = d->fd, rc = receive_welcome(fd, &welcome, flags);

    if (rc == -EAGAIN) return rc;
    d->fd = -1;
    if (rc == 0) rc = bh_sock_timeouts(fd, SEND_MS);
    if (rc == 0) return fd;
    close(fd);
    if (rc == -EPROTO) d->pause_till = bh_now_ms() + PAUSE_MS;
    return rc;
}

int
bh_dial(struct bh_dial *d)
{
    if (bh_now_ms() < d->pause_till) return -ENOTCONN;
    if (d->fd >= 0) {
        int rc = hear(d, MSG_DONTWAIT);
        if (rc != -ECONNRESET) return rc; /* else another may be there now */
    }
    int fd = call_up(d->path, d->timeout_ms);
    if (fd == -EAGAIN) d->pause_till = bh_now_ms() + PAUSE_MS;
    if (fd < 0) return fd;
    d->fd = fd;
    return hear(d, 0);
}

bool
bh_wire_alive(int fd)
{
    char packet[1024];
    struct bh_reader r;
    struct bh_str text;
    char word[BH_WORD_MAX * 2];

    for (;;) {
        int op = bh_hear(fd, packet, sizeof packet, &r, MSG_DONTWAIT);
        if (op == -EAGAIN) return true;
        if (op < 0 && op != -EMSGSIZE) return false;
        if (op != BH_OP_ERROR) continue;
        if (bh_error_decode(&r, &text))
            bh_log(BH_WARN, "the broker ends the connection: %s",
                   bh_log_word(word, sizeof word, text.p, text.len));
        return false;
    }
}

/* ---- the shared connection ---- */

struct bh_wire *
bh_wire_new(const char *path, int timeout_ms)
{
    struct bh_wire *w = bh_zalloc(sizeof *w);

    if (w == NULL) return NULL;
    w->fd = -1;
    bh_dial_init(&w->dial, path, timeout_ms);
    pthread_rwlock_init(&w->lock, NULL);
    return w;
}

void
bh_wire_free(struct bh_wire *w)
{
    if (w == NULL) return;
    if (w->fd >= 0) close(w->fd);
    bh_dial_fini(&w->dial);
    pthread_rwlock_destroy(&w->lock);
    bh_free(w);
}

/* Nobody waits for a broker that has just kept somebody waiting in vain, but
 * one now and then: the threads are for those that can be answered. */
static bool
may_wait(struct bh_wire *w)
{
    int64_t till = __atomic_load_n(&w->stalled, __ATOMIC_RELAXED);
    int64_t now = bh_now_ms();

    if (till == 0) return true;
    return now >= till && __atomic_compare_exchange_n(
                              &w->stalled, &till, now + STALL_MS, false,
                              __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

static int
send_patiently(struct bh_wire *w, const struct bh_buf *msg, int pass)
{
    bool wait = may_wait(w);
    int rc =
        bh_sock_send(w->fd, msg->p, msg->len, pass, wait ? 0 : MSG_DONTWAIT);

    if (rc == 0)
        __atomic_store_n(&w->stalled, 0, __ATOMIC_RELAXED);
    else if (rc == -EAGAIN && wait)
        __atomic_store_n(&w->stalled, bh_now_ms() + STALL_MS, __ATOMIC_RELAXED);
    return rc;
}

/* *TRY says which connection it was. */
static int
send_shared(struct bh_wire *w, const struct bh_buf *msg, int pass,
            uint64_t *try)
{
    int rc = -ENOTCONN;

    pthread_rwlock_rdlock(&w->lock);
    *try = w->tries;
    if (w->fd >= 0) rc = send_patiently(w, msg, pass);
    pthread_rwlock_unlock(&w->lock);
    return rc;
}

static void
tell(struct bh_wire *w, int rc)
{
    bool down = rc < 0;

    if (down && !w->down)
        bh_log(BH_WARN,
               "no broker at %s (%s): requests to park are "
               "answered from the log",
               w->dial.path, strerror(-rc));
    if (!down && w->down) bh_log(BH_NOTICE, "the broker is back");
    w->down = down;
}

/* Replace connection number TRY, unless another thread has done so, or has just
 * found that nobody is there. */
static void
reconnect(struct bh_wire *w, uint64_t try)
{
    pthread_rwlock_wrlock(&w->lock);
    if (w->tries == try) {
        if (w->fd >= 0) {
            bh_wire_alive(w->fd); /* it may have said why */
            close(w->fd);
        }
        w->fd = bh_dial(&w->dial);
        w->tries++;
        tell(w, w->fd);
    }
    pthread_rwlock_unlock(&w->lock);
}

static bool
is_gone(int rc)
{
    return rc == -ENOTCONN || rc == -EPIPE || rc == -ECONNRESET ||
           rc == -ECONNREFUSED;
}

int
bh_wire_send(struct bh_wire *w, const struct bh_buf *msg, int pass)
{
    uint64_t try;
    int rc = send_shared(w, msg, pass, &try);

    if (!is_gone(rc)) return rc;
    reconnect(w, try);
    return send_shared(w, msg, pass, &try);
}
