/* http.c: see http.h. */
#include "base.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "http.h"
#include "sock.h"

#define SCRATCH  262144 /* one read; answers that fit are never copied */
#define EVENTS   256
#define WAIT_MS  100  /* the longest sleep: interruptions are seen by then */
#define DIAL_MS  5000 /* a full backlog may hold connect(2) up */
#define IN_LIMIT (64 * 1024 * 1024)

static char scratch[SCRATCH];
static volatile sig_atomic_t interrupted;

static void
interrupt(int sig)
{
    (void)sig;
    interrupted = 1;
}

bool
bh_http_interrupted(void)
{
    static bool caught;

    if (!caught) {
        signal(SIGINT, interrupt);
        signal(SIGTERM, interrupt);
        caught = true;
    }
    return interrupted;
}

void
bh_http_init(struct bh_http *c, int epoll, const struct sockaddr_in *to,
             bh_http_fn *fn)
{
    *c = (struct bh_http){.fd = -1, .epoll = epoll, .to = to, .fn = fn};
}

static void
hang_up(struct bh_http *c)
{
    if (c->fd >= 0) close(c->fd);
    c->fd = -1;
    c->busy = false;
    c->waits_out = false;
    bh_buf_reset(&c->in);
}

void
bh_http_fini(struct bh_http *c)
{
    hang_up(c);
    bh_buf_fini(&c->in);
    bh_buf_fini(&c->out);
}

static int
set_interest(struct bh_http *c, int op, bool out)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};

    if (out) ev.events |= EPOLLOUT;
    c->waits_out = out;
    return epoll_ctl(c->epoll, op, c->fd, &ev) < 0 ? -errno : 0;
}

static int
dial(struct bh_http *c)
{
    int e, one = 1;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0) return -errno;
    bh_sock_timeouts(c->fd, DIAL_MS);
    e = connect(c->fd, (const void *)c->to, sizeof *c->to) < 0 ? -errno : 0;
    if (!e) e = bh_sock_nonblock(c->fd);
    if (!e) {
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        e = set_interest(c, EPOLL_CTL_ADD, false);
    }
    if (e) hang_up(c);
    return e;
}

/* As much as the socket takes now. */
static int
push(struct bh_http *c)
{
    while (c->sent < c->out.len) {
        ssize_t n =
            send(c->fd, c->out.p + c->sent, c->out.len - c->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN)
            return c->waits_out ? 0 : set_interest(c, EPOLL_CTL_MOD, true);
        if (n < 0) return -errno;
        c->sent += (size_t)n;
    }
    return c->waits_out ? set_interest(c, EPOLL_CTL_MOD, false) : 0;
}

int
bh_http_send(struct bh_http *c)
{
    bool kept = c->fd >= 0;
    int e = 0;

    if (c->out.failed) return -ENOMEM;
    c->sent = 0;
    if (!kept) e = dial(c);
    if (!e) e = push(c);
    if (e && kept) { /* closed by the server while it was idle */
        hang_up(c);
        c->sent = 0;
        e = dial(c);
        if (!e) e = push(c);
    }
    if (e) {
        hang_up(c);
        return e;
    }
    c->busy = true;
    return 0;
}

/* ---- the answer (RFC 9112) ---- */

/* The value of a field in the head, or an empty string. */
static struct bh_str
field(struct bh_str head, const char *name)
{
    size_t n = strlen(name);
    const char *end = head.p + head.len;
    const char *line = head.p;

    while ((line = memmem(line, (size_t)(end - line), "\r\n", 2))) {
        line += 2;
        if ((size_t)(end - line) <= n || line[n] != ':' ||
            strncasecmp(line, name, n) != 0)
            continue;
        const char *v = line + n + 1;
        while (v < end && *v == ' ') v++;
        const char *eol = memmem(v, (size_t)(end - v), "\r\n", 2);
        return (struct bh_str){v, (size_t)((eol ? eol : end) - v)};
    }
    return (struct bh_str){"", 0};
}

/* The length of the body; -EPROTO where only chunks or the end would tell:
 * Bellhop gives Content-Length to everything that is no stream. */
static ssize_t
body_length(int status, struct bh_str head)
{
    struct bh_str v = field(head, "Content-Length");
    ssize_t n = 0;

    if (status == 204 || status == 304) return 0;
    if (v.len == 0 || v.len > 9) return -EPROTO;
    for (size_t i = 0; i < v.len; i++) {
        if (v.p[i] < '0' || v.p[i] > '9') return -EPROTO;
        n = n * 10 + (v.p[i] - '0');
    }
    return n;
}

struct parsed {
    struct bh_http_answer answer;
    bool last; /* the server closes after it */
};

/* 1 and the answer; 0 where more is needed; -EPROTO. */
static int
parse(struct bh_str in, struct parsed *out)
{
    const char *end = memmem(in.p, in.len, "\r\n\r\n", 4);
    ssize_t n;

    if (!end) return 0;
    if (in.len < 12 || memcmp(in.p, "HTTP/1.", 7) != 0) return -EPROTO;
    struct bh_str head = {in.p, (size_t)(end - in.p)};
    out->answer.status = atoi(in.p + 9);
    n = body_length(out->answer.status, head);
    if (n < 0) return (int)n;
    size_t whole = head.len + 4 + (size_t)n;
    if (in.len < whole) return 0;
    if (in.len > whole) return -EPROTO; /* nobody asked for more */

    struct bh_str close_it = field(head, "Connection");
    out->last = close_it.len == 5 && strncasecmp(close_it.p, "close", 5) == 0;
    out->answer.body = (struct bh_str){end + 4, (size_t)n};
    return 1;
}

static void
broke(struct bh_http *c)
{
    bool busy = c->busy;

    hang_up(c);
    if (busy) c->fn(c, NULL);
}

/* Bytes in scratch; an answer in one piece is read where it lies. */
static void
take(struct bh_http *c, size_t n)
{
    struct bh_str in = {scratch, n};
    struct parsed p;
    int done;

    if (c->in.len) {
        bh_buf_add(&c->in, scratch, n);
        in = (struct bh_str){c->in.p, c->in.len};
    }
    done =
        c->busy && !c->in.failed && in.len < IN_LIMIT ? parse(in, &p) : -EPROTO;
    if (done == 0 && c->in.len == 0) bh_buf_add(&c->in, scratch, n);
    if (done < 0) broke(c);
    if (done <= 0) return;

    struct bh_buf kept = c->in; /* the callback reads it, then it is empty */
    c->in = (struct bh_buf)BH_BUF_INIT;
    if (p.last) hang_up(c);
    c->busy = false;
    c->fn(c, &p.answer);
    bh_buf_fini(&kept);
}

static void
serve(struct bh_http *c, uint32_t events)
{
    if (c->fd < 0) return; /* hung up earlier in this batch */
    if ((events & EPOLLOUT) && push(c) < 0) {
        broke(c);
        return;
    }
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;

    ssize_t n = recv(c->fd, scratch, sizeof scratch, 0);
    if (n > 0)
        take(c, (size_t)n);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        broke(c);
}

void
bh_http_run(int epoll, int64_t until_us, bh_http_tick *tick, void *arg)
{
    struct epoll_event ev[EVENTS];

    while (!bh_http_interrupted() && bh_now_us() < until_us) {
        int wait = tick ? tick(arg) : WAIT_MS;
        if (wait < 0) return;
        int64_t left = (until_us - bh_now_us() + 999) / 1000;
        if (wait > WAIT_MS) wait = WAIT_MS;
        if (wait > left) wait = left > 0 ? (int)left : 0;
        int n = epoll_wait(epoll, ev, EVENTS, wait);
        for (int i = 0; i < n; i++) serve(ev[i].data.ptr, ev[i].events);
    }
}
