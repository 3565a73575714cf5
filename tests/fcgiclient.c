#include "fcgiclient.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "fcgirec.h"
#include "sock.h"

int
fcgi_dial(const char *path)
{
    int fd = bh_sock_dial(path, SOCK_STREAM);

    ck_assert_msg(fd >= 0, "%s: %s", path, strerror(-fd));
    return fd;
}

/* ---- asking ---- */

void
fcgi_add_begin(struct bh_buf *out)
{
    static const unsigned char responder[8] = {0, 1};

    bh_fcgi_stream(out, BH_FCGI_BEGIN_REQUEST, 1, responder, sizeof responder);
}

static void
add_end(struct bh_buf *out, int type)
{
    unsigned char end[BH_FCGI_HEADER];

    bh_fcgi_header(end, type, 1, 0);
    bh_buf_add(out, end, sizeof end);
}

void
fcgi_add_params(struct bh_buf *out, const struct bh_buf *params)
{
    bh_fcgi_stream(out, BH_FCGI_PARAMS, 1, params->p, params->len);
    add_end(out, BH_FCGI_PARAMS);
}

void
fcgi_add_stdin(struct bh_buf *out, const void *p, size_t len)
{
    if (len > 0) bh_fcgi_stream(out, BH_FCGI_STDIN, 1, p, len);
    add_end(out, BH_FCGI_STDIN);
}

/* A worker that doesn't read on may close: what it answered is still there. */
void
fcgi_write(int fd, const struct bh_buf *bytes)
{
    size_t at = 0;

    ck_assert(!bytes->failed);
    while (at < bytes->len) {
        ssize_t n = send(fd, bytes->p + at, bytes->len - at, MSG_NOSIGNAL);
        if (n < 0 && (errno == EPIPE || errno == ECONNRESET)) return;
        ck_assert_msg(n > 0, "send: %s", strerror(errno));
        at += (size_t)n;
    }
}

static void
add_path(struct bh_buf *params, const char *path)
{
    const char *query = strchr(path, '?');
    struct bh_buf script = BH_BUF_INIT;

    bh_buf_add(&script, path, query ? (size_t)(query - path) : strlen(path));
    bh_fcgi_param(params, "SCRIPT_NAME", bh_buf_cstr(&script));
    bh_fcgi_param(params, "QUERY_STRING", query ? query + 1 : "");
    bh_buf_fini(&script);
}

int
fcgi_ask(const char *socket, const char *method, const char *path,
         const char *body, ...)
{
    struct bh_buf params = BH_BUF_INIT;
    struct bh_buf out = BH_BUF_INIT;
    char length[24];
    va_list ap;
    int fd = fcgi_dial(socket);

    bh_fcgi_param(&params, "REQUEST_METHOD", method);
    add_path(&params, path);
    snprintf(length, sizeof length, "%zu", body ? strlen(body) : 0);
    if (body) bh_fcgi_param(&params, "CONTENT_LENGTH", length);
    va_start(ap, body);
    for (const char *name; (name = va_arg(ap, const char *)) != NULL;)
        bh_fcgi_param(&params, name, va_arg(ap, const char *));
    va_end(ap);
    fcgi_add_begin(&out);
    fcgi_add_params(&out, &params);
    fcgi_add_stdin(&out, body, body ? strlen(body) : 0);
    fcgi_write(fd, &out);
    bh_buf_fini(&params);
    bh_buf_fini(&out);
    return fd;
}

/* ---- the answer ---- */

/* All until the other side closes or MS have passed. */
static void
read_all(struct bh_buf *in, int fd, int ms)
{
    int64_t deadline = bh_now_ms() + ms;
    struct pollfd p = {.fd = fd, .events = POLLIN};

    for (;;) {
        int64_t left = deadline - bh_now_ms();
        if (left <= 0 || poll(&p, 1, (int)left) <= 0) return;
        char *room = bh_buf_reserve(in, 65536);
        ck_assert_ptr_nonnull(room);
        ssize_t n = recv(fd, room, 65536, 0);
        if (n <= 0) return;
        in->len += (size_t)n;
    }
}

/* STDOUT out of its records. */
static void
unwrap(struct fcgi_answer *a, struct bh_buf *out, const struct bh_buf *in)
{
    const unsigned char *p = (const unsigned char *)in->p;
    size_t left = in->len;

    while (left >= BH_FCGI_HEADER && !a->ended) {
        size_t len = (size_t)(p[4] << 8 | p[5]);
        size_t whole = BH_FCGI_HEADER + len + p[6];
        if (whole > left) return;
        if (p[1] == BH_FCGI_STDOUT) bh_buf_add(out, p + BH_FCGI_HEADER, len);
        a->ended = p[1] == BH_FCGI_END_REQUEST;
        p += whole;
        left -= whole;
    }
}

static void
split(struct fcgi_answer *a, const struct bh_buf *text)
{
    const char *end =
        text->len > 0 ? memmem(text->p, text->len, "\r\n\r\n", 4) : NULL;

    if (end == NULL) return;
    size_t head = (size_t)(end - text->p) + 2;
    bh_buf_add(&a->head, text->p, head);
    bh_buf_add(&a->body, end + 4, text->len - head - 2);
    const char *status = fcgi_header(a, "Status");
    a->status = status ? atoi(status) : 200;
}

struct fcgi_answer
fcgi_read(int fd, int ms)
{
    struct fcgi_answer a = {.head = BH_BUF_INIT, .body = BH_BUF_INIT};
    struct bh_buf in = BH_BUF_INIT;
    struct bh_buf text = BH_BUF_INIT;

    read_all(&in, fd, ms);
    close(fd);
    unwrap(&a, &text, &in);
    if (a.ended) split(&a, &text);
    bh_buf_fini(&in);
    bh_buf_fini(&text);
    return a;
}

void
fcgi_answer_fini(struct fcgi_answer *a)
{
    bh_buf_fini(&a->head);
    bh_buf_fini(&a->body);
}

const char *
fcgi_header(const struct fcgi_answer *a, const char *name)
{
    static char value[4096];
    size_t len = strlen(name);
    const char *p = a->head.p;
    const char *end = p != NULL ? p + a->head.len : NULL;

    while (p != NULL && p < end) {
        const char *eol = memmem(p, (size_t)(end - p), "\r\n", 2);
        if (eol == NULL) return NULL;
        if ((size_t)(eol - p) > len + 1 && strncasecmp(p, name, len) == 0 &&
            p[len] == ':') {
            snprintf(value, sizeof value, "%.*s", (int)(eol - p - (int)len - 2),
                     p + len + 2);
            return value;
        }
        p = eol + 2;
    }
    return NULL;
}

const char *
fcgi_body(struct fcgi_answer *a)
{
    return bh_buf_cstr(&a->body);
}
