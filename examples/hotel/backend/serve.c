/* serve.c: libfcgi, with an accept of our own: its own knows neither
 * close-on-exec nor timeouts, and spins when it is told to stop in the wrong
 * moment. */
#include "serve.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <fcgiapp.h>

#include "call.h"
#include "log.h"
#include "sock.h"

#define LOOK_MS  300 /* an idle thread looks whether it should leave */
#define PAUSE_MS 100 /* when there are no descriptors left */

static struct {
    pthread_t ids[HOTEL_THREADS];
    int n;
} threads;

static int
accept_one(struct hotel *h)
{
    int fd = accept4(h->listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd >= 0) {
        bh_sock_timeouts(fd, HOTEL_IO_MS);
        return fd;
    }
    if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return -1;
    bh_log(BH_ERROR, "accept: %s", strerror(errno));
    nanosleep(&(struct timespec){0, PAUSE_MS * 1000000}, NULL);
    return -1;
}

static void
answer(struct hotel *h, struct hotel_http *http, FCGX_Request *r,
       const struct hotel_request *rq)
{
    struct hotel_call c = {.hotel = h, .http = http, .rq = rq};
    struct bh_buf out = BH_BUF_INIT;

    hotel_reply_init(&c.reply);
    hotel_route_run(&c);
    hotel_reply_encode(&out, &c.reply, h->conf, rq->origin,
                       rq->method == HOTEL_OPTIONS);
    if (!out.failed) FCGX_PutStr(out.p, (int)out.len, r->out);
    bh_buf_fini(&out);
    hotel_reply_free(&c.reply);
    bh_claims_put(c.claims);
    /* All of the request was read: nothing to wait for on the other side. */
    FCGX_Detach(r);
    FCGX_Finish_r(r);
}

/* FD is libfcgi's from here on. PARAMS cut short pass for a request there, so
 * its error has to be looked at. */
static void
serve_one(struct hotel *h, struct hotel_http *http, FCGX_Request *r, int fd)
{
    struct hotel_request rq;

    r->ipcFd = fd;
    r->keepConnection = 1; /* it has nothing of an earlier request to close */
    if (FCGX_Accept_r(r) != 0) return;
    r->keepConnection = 0;
    if (FCGX_GetError(r->in) != 0) {
        FCGX_Free(r, 1);
        return;
    }
    if (hotel_request_read(&rq, r->envp, r->in))
        answer(h, http, r, &rq);
    else
        FCGX_Free(r, 1);
    hotel_request_free(&rq);
}

static void *
run(void *arg)
{
    struct hotel *h = arg;
    struct hotel_http *http = hotel_http_new();
    FCGX_Request r;

    FCGX_InitRequest(&r, -1, 0);
    while (http != NULL && !__atomic_load_n(&h->stop, __ATOMIC_ACQUIRE)) {
        int fd = accept_one(h);
        if (fd >= 0) serve_one(h, http, &r, fd);
    }
    hotel_http_free(http);
    return NULL;
}

bool
hotel_serve_start(struct hotel *h)
{
    FCGX_Init();
    bh_sock_read_timeout(h->listener, LOOK_MS);
    for (; threads.n < HOTEL_THREADS; threads.n++)
        if (pthread_create(&threads.ids[threads.n], NULL, run, h) != 0) break;
    if (threads.n > 0) return true;
    bh_log(BH_ERROR, "no thread can be started");
    return false;
}

void
hotel_serve_join(void)
{
    for (int i = 0; i < threads.n; i++) pthread_join(threads.ids[i], NULL);
    threads.n = 0;
}
