/* metrics.c: GET /<domain>/realtime/metrics and GET /metrics. The broker has
 * most figures; those of the log and of this process are looked up. */
#include "call.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "caller.h"
#include "count.h"
#include "mem.h"
#include "metric.h"
#include "page.h"
#include "process.h"
#include "sock.h"
#include "wire.h"

#define BROKER_MS 500

/* ---- from the broker ---- */

static int
send_to(void *arg, const struct bh_buf *msg)
{
    return bh_sock_send(*(int *)arg, msg->p, msg->len, -1, 0);
}

static int
receive(int fd, struct bh_report *out)
{
    unsigned char *p = bh_alloc(BH_MSG_MAX);
    struct bh_reader r;

    if (p == NULL) return -ENOMEM;
    int op = bh_hear(fd, p, BH_MSG_MAX, &r, 0);
    bool good = op == BH_OP_STATED && bh_stated_decode(&r, out);
    bh_free(p);
    if (good) return 0;
    return op < 0 ? op : -EPROTO;
}

/* What this worker has counted goes first, so that it is in the answer. */
static int
ask(int fd, struct bh_report *out)
{
    struct bh_buf msg = BH_BUF_INIT;
    int rc = bh_counts_report(send_to, &fd);

    bh_stats_encode(&msg);
    if (rc == 0) rc = bh_say(fd, &msg);
    bh_buf_fini(&msg);
    return rc == 0 ? receive(fd, out) : rc;
}

static void
ask_broker(struct bh_report *out, const char *socket)
{
    struct bh_welcome welcome;
    int fd = bh_wire_open(socket, BROKER_MS, &welcome);

    if (fd < 0) return;
    out->broker_up = ask(fd, out) == 0;
    close(fd);
}

/* ---- what is here ---- */

static int
look_at_log(struct bh_report *out, struct bh_call *call)
{
    const char *path = call->worker->first->conf->log.path;
    int64_t first = 0, last = 0;
    int rc = bh_page_log(call->log, path);

    if (rc == 0) rc = bh_store_extent(*call->log, &first, &last);
    if (rc < 0) return rc;
    out->local[BH_M_LOG_ROWS] = first > 0 ? (uint64_t)(last - first + 1) : 0;
    out->local[BH_M_LOG_BYTES] = (uint64_t)bh_store_bytes(path);
    out->local[BH_M_LOG_SEQ] = (uint64_t)last;
    if (out->broker_up && (uint64_t)last > out->broker[BH_M_BROKER_HEAD])
        out->local[BH_M_LOG_LAG] =
            (uint64_t)last - out->broker[BH_M_BROKER_HEAD];
    return 0;
}

static void
look_at_process(struct bh_report *out)
{
    struct bh_process p = bh_process_now();

    out->local[BH_M_WORKER_UPTIME] = (uint64_t)p.uptime_s;
    out->local[BH_M_WORKER_MEMORY] = (uint64_t)p.memory;
    out->local[BH_M_WORKER_FDS] = (uint64_t)p.descriptors;
}

/* Refused, and NULL, where the log can't say. bh_free() it. */
static struct bh_report *
make_report(struct bh_call *call)
{
    struct bh_report *r = bh_zalloc(sizeof *r);

    if (r == NULL) {
        bh_refuse(call, BH_INTERNAL, NULL);
        return NULL;
    }
    ask_broker(r, call->worker->first->conf->broker.socket);
    look_at_process(r);
    if (look_at_log(r, call) == 0) return r;
    bh_refuse(call, BH_LOG_UNAVAILABLE, NULL);
    bh_free(r);
    return NULL;
}

void
bh_handle_metrics(struct bh_call *call)
{
    struct bh_report *r = make_report(call);

    if (r == NULL) return;
    bh_report_json(bh_reply_json(&call->reply), r, call->rq->domain);
    bh_free(r);
}

void
bh_handle_prometheus(struct bh_call *call)
{
    struct bh_report *r = make_report(call);

    if (r == NULL) return;
    bh_report_prometheus(bh_reply_json(&call->reply), r);
    call->reply.type = "text/plain; version=0.0.4; charset=utf-8";
    bh_free(r);
}
