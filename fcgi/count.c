#include "count.h"

#include <errno.h>
#include <pthread.h>

static struct bh_counts counts; /* atomic; they only rise */
static struct bh_counts told;   /* of these, what the broker has */
static pthread_mutex_t telling = PTHREAD_MUTEX_INITIALIZER;

void
bh_count(enum bh_worker_metric m, uint64_t n)
{
    __atomic_fetch_add(&counts.worker[m], n, __ATOMIC_RELAXED);
}

void
bh_count_refused(enum bh_refusal r)
{
    __atomic_fetch_add(&counts.refused[r], 1, __ATOMIC_RELAXED);
}

uint64_t
bh_counted(enum bh_worker_metric m)
{
    return __atomic_load_n(&counts.worker[m], __ATOMIC_RELAXED);
}

/* NOW - BEFORE into OUT, what is now into *BEFORE's place NEXT; whether there
 * is any. */
static bool
subtract(uint64_t *out, uint64_t *next, uint64_t *now, const uint64_t *before,
         size_t n)
{
    bool any = false;

    for (size_t i = 0; i < n; i++) {
        next[i] = __atomic_load_n(&now[i], __ATOMIC_RELAXED);
        out[i] = next[i] - before[i];
        any |= out[i] > 0;
    }
    return any;
}

static int
report(int (*send)(void *arg, const struct bh_buf *msg), void *arg)
{
    struct bh_counts news, next;
    struct bh_buf msg = BH_BUF_INIT;
    bool any = subtract(news.worker, next.worker, counts.worker, told.worker,
                        BH_WORKER_METRIC_N);

    any |= subtract(news.refused, next.refused, counts.refused, told.refused,
                    BH_REFUSAL_COUNT);
    if (!any) return 0;
    bh_counts_encode(&msg, &news);
    int rc = msg.failed ? -ENOMEM : send(arg, &msg);
    bh_buf_fini(&msg);
    if (rc == 0) told = next;
    return rc;
}

int
bh_counts_report(int (*send)(void *arg, const struct bh_buf *msg), void *arg)
{
    pthread_mutex_lock(&telling);
    int rc = report(send, arg);
    pthread_mutex_unlock(&telling);
    return rc;
}

static int
by_wire(void *arg, const struct bh_buf *msg)
{
    return bh_wire_send(arg, msg, -1);
}

int
bh_counts_send(struct bh_wire *wire)
{
    return bh_counts_report(by_wire, wire);
}
