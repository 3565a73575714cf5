#include "exchange.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "fcgirec.h"
#include "limit.h"
#include "mem.h"
#include "pass.h"
#include "route.h"
#include "slow.h"
#include "sock.h"
#include "tell.h"

#define REST_MS 2000 /* for the rest of a body that is refused */

struct bh_exchange *
bh_exchange_new(void)
{
    struct bh_exchange *x = bh_zalloc(sizeof *x);

    if (x != NULL) FCGX_InitRequest(&x->fcgi, -1, 0);
    return x;
}

void
bh_exchange_free(struct bh_exchange *x)
{
    bh_free(x);
}

/* ---- the request ---- */

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

/* FD is libfcgi's from here on. Detached, so that it doesn't wait two seconds
 * more for one that it gives up, such as a silent one. */
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

/* PARAMS cut short pass for a request in libfcgi, so its error has to be looked
 * at. */
static bool
open_exchange(struct bh_exchange *x, int fd, bool named)
{
    FCGX_Request *r = &x->fcgi;

    if (!read_head(r, connection_of(fd, named, x->setup))) return false;
    if (FCGX_GetError(r->in) == 0 && bh_request_parse(&x->rq, r->envp, r->in))
        return true;
    FCGX_Free(r, 1);
    return false;
}

/* ---- the answer ---- */

static void
encode(struct bh_buf *out, struct bh_call *call)
{
    struct bh_buf cors = BH_BUF_INIT;

    bh_call_cors(&cors, call);
    bh_reply_encode(out, &call->reply, call->rq->id, bh_buf_cstr(&cors));
    bh_buf_fini(&cors);
}

/*
 * A client that is refused in the middle of its body may stop there and wait
 * for the end of the answer, as curl does; Apache's mod_proxy_fcgi, which
 * passes a body on as it comes, ends the answer after the body: after a minute,
 * that is. So the rest is read first. Where it doesn't come soon the connection
 * is told to end, which Apache doesn't wait with (RFC 9112, section 9.6).
 */
static void
end_body(FCGX_Request *r, struct bh_call *call)
{
    bh_sock_read_timeout(r->ipcFd, REST_MS);
    if (!bh_request_discard(call->rq, BH_BODY_MAX, REST_MS) && call->rq->http1)
        bh_buf_str(&call->reply.headers, "Connection: close\r\n");
}

static void
send_reply(FCGX_Request *r, struct bh_call *call)
{
    struct bh_buf out = BH_BUF_INIT;

    if (!call->rq->drained) end_body(r, call);
    encode(&out, call);
    bh_sock_write_timeout(r->ipcFd, call->setup->conf->worker.io_timeout_ms);
    if (!out.failed) FCGX_PutStr(out.p, (int)out.len, r->out);
    bh_buf_fini(&out);
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
close_call(struct bh_exchange *x)
{
    bh_reply_fini(&x->call.reply);
    bh_claims_put(x->call.claims);
}

static void
answer(struct bh_exchange *x)
{
    FCGX_Request *r = &x->fcgi;

    if (x->call.parked)
        let_go(r);
    else if (x->rq.broken)
        FCGX_Free(r, 1);
    else {
        bh_tell(&x->call, x->began_us);
        send_reply(r, &x->call);
    }
    close_call(x);
}

/* ---- the answer by the writer ---- */

/* Without waiting: who doesn't take all of it at once, as hardly ever, gets the
 * rest from a thread of its own. */
static void
send_at_once(struct bh_exchange *x)
{
    FCGX_Request *r = &x->fcgi;
    struct bh_buf out = BH_BUF_INIT;
    struct bh_buf records = BH_BUF_INIT;
    uint16_t id = (uint16_t)r->requestId;

    encode(&out, &x->call);
    if (!out.failed)
        bh_fcgi_stream(&records, BH_FCGI_STDOUT, id, out.p, out.len);
    bh_fcgi_end(&records, id);
    bh_buf_fini(&out);
    if (!records.failed)
        bh_slow_send(x->call.worker, r->ipcFd, &records,
                     x->setup->conf->worker.io_timeout_ms);
    bh_buf_fini(&records);
    let_go(r);
}

static void
finish(void *arg, const struct bh_job *job)
{
    struct bh_exchange *x = arg;

    bh_publish_answer(&x->call, job);
    bh_route_end(&x->call);
    bh_tell(&x->call, x->began_us);
    send_at_once(x);
    close_call(x);
    bh_setup_put(x->setup);
    bh_rules_put(x->rules);
    bh_exchange_free(x);
}

/* False: X is gone. True: refused. */
static bool
submit(struct bh_exchange *x)
{
    struct bh_call *call = &x->call;
    struct bh_writer *writer = call->worker->writer;
    struct bh_job *job = call->job;

    call->job = NULL;
    call->log = NULL; /* the thread's */
    enum bh_refusal no = bh_writer_submit(writer, job, finish, x);
    if (no == BH_GRANTED) return false;
    if (no == BH_RATE_LIMITED)
        bh_limit_crowded(call);
    else
        bh_refuse(call, no, NULL);
    bh_route_end(call);
    return true;
}

/* ---- the whole ---- */

static void
open_call(struct bh_exchange *x, struct bh_worker *w, struct bh_store **log)
{
    x->began_us = bh_now_us();
    x->call = (struct bh_call){.worker = w,
                               .log = log,
                               .rq = &x->rq,
                               .setup = x->setup,
                               .rules = x->rules,
                               .connection = x->fcgi.ipcFd,
                               .request_id = (uint16_t)x->fcgi.requestId};
    bh_reply_init(&x->call.reply);
}

bool
bh_exchange_serve(struct bh_exchange *x, struct bh_worker *w, int fd,
                  bool named, struct bh_store **log)
{
    bh_orders_look(&w->orders, &x->rules);
    x->setup = bh_setup_get(&w->setup);
    if (open_exchange(x, fd, named)) {
        open_call(x, w, log);
        bh_route_run(&x->call);
        if (x->call.job != NULL && !submit(x)) return false;
        answer(x);
    }
    bh_setup_put(x->setup);
    bh_rules_put(x->rules);
    return true;
}
