#include "slow.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "mem.h"
#include "sock.h"
#include "thread.h"
#include "worker.h"

#define THREADS_MAX 64

struct rest {
    struct bh_worker *worker;
    int fd; /* a copy of ours */
    struct bh_buf bytes;
    size_t sent;
};

int
bh_slow_threads(struct bh_worker *w)
{
    return __atomic_load_n(&w->slow, __ATOMIC_ACQUIRE);
}

/* The last thing that is done with the worker. */
static void
drop(struct rest *r)
{
    struct bh_worker *w = r->worker;

    if (r->fd >= 0) close(r->fd);
    bh_buf_fini(&r->bytes);
    bh_free(r);
    __atomic_sub_fetch(&w->slow, 1, __ATOMIC_ACQ_REL);
}

static void *
run(void *arg)
{
    struct rest *r = arg;

    while (r->sent < r->bytes.len) {
        ssize_t n = send(r->fd, r->bytes.p + r->sent, r->bytes.len - r->sent,
                         MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        r->sent += (size_t)n;
    }
    drop(r);
    return NULL;
}

/* The rest of BYTES, from SENT on, becomes a thread's. */
static bool
hand_over(struct bh_worker *w, int fd, struct bh_buf *bytes, size_t sent,
          int timeout_ms)
{
    struct rest *r = bh_zalloc(sizeof *r);
    pthread_t id;

    if (r == NULL) return false;
    int n = __atomic_add_fetch(&w->slow, 1, __ATOMIC_ACQ_REL);
    *r = (struct rest){w, -1, *bytes, sent};
    *bytes = (struct bh_buf)BH_BUF_INIT;
    if (n <= THREADS_MAX) r->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (r->fd >= 0 && bh_sock_write_timeout(fd, timeout_ms) == 0 &&
        bh_thread_start(&id, run, r) == 0) {
        pthread_detach(id);
        return true;
    }
    drop(r);
    return false;
}

void
bh_slow_send(struct bh_worker *w, int fd, struct bh_buf *bytes, int timeout_ms)
{
    ssize_t n;

    do n = send(fd, bytes->p, bytes->len, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno != EAGAIN) return; /* nobody is there to be answered */
    if (n < 0) n = 0;
    if ((size_t)n == bytes->len) return;
    if (!hand_over(w, fd, bytes, (size_t)n, timeout_ms))
        bh_log(BH_WARN, "an answer was cut short: no thread for it");
}
