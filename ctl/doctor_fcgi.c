/* doctor_fcgi.c: one request to a worker by FastCGI, past the web server. */
#include "doctor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fcgirec.h"
#include "json.h"
#include "sock.h"

#define ANSWER_BYTES 65536

void
bh_answer_fini(struct bh_answer *a)
{
    bh_buf_fini(&a->head);
    bh_buf_fini(&a->body);
}

const char *
bh_answer_code(const struct bh_answer *a, char out[32])
{
    struct bh_str text = {a->body.p, a->body.len}, value;
    struct bh_json_error err;
    struct bh_buf checked = BH_BUF_INIT, word = BH_BUF_INIT;

    *out = '\0';
    if (text.len > 0 &&
        bh_json_check(&checked, text, BH_DEPTH_MAX, "", &err) == 0 &&
        checked.p[0] == '{' &&
        bh_json_member((struct bh_str){checked.p, checked.len}, "code",
                       &value) &&
        value.len > 0 && value.p[0] == '"' &&
        bh_json_string(&word, value) == 0 && word.len < 32 &&
        strspn(bh_buf_cstr(&word), "abcdefghijklmnopqrstuvwxyz_") == word.len)
        memcpy(out, bh_buf_cstr(&word), word.len + 1);
    bh_buf_fini(&checked);
    bh_buf_fini(&word);
    return out;
}

/* ---- the request ---- */

static void
add_end(struct bh_buf *out, int type)
{
    unsigned char end[BH_FCGI_HEADER];

    bh_fcgi_header(end, type, 1, 0);
    bh_buf_add(out, end, sizeof end);
}

static void
write_request(struct bh_buf *out, const char *path)
{
    static const unsigned char responder[8] = {0, 1};
    struct bh_buf params = BH_BUF_INIT;

    bh_fcgi_param(&params, "REQUEST_METHOD", "GET");
    bh_fcgi_param(&params, "SCRIPT_NAME", path);
    bh_fcgi_param(&params, "QUERY_STRING", "");
    bh_fcgi_param(&params, "SERVER_PROTOCOL", "HTTP/1.1");
    bh_fcgi_stream(out, BH_FCGI_BEGIN_REQUEST, 1, responder, sizeof responder);
    bh_fcgi_stream(out, BH_FCGI_PARAMS, 1, params.p, params.len);
    add_end(out, BH_FCGI_PARAMS);
    add_end(out, BH_FCGI_STDIN);
    out->failed = out->failed || params.failed;
    bh_buf_fini(&params);
}

/* ---- the answer ---- */

/* Until the other side closes, as it does after its answer, or time is up. */
static int
read_records(int fd, struct bh_buf *in)
{
    ssize_t n = 1;

    while (n > 0 && in->len < ANSWER_BYTES) {
        char *room = bh_buf_reserve(in, 4096);
        if (room == NULL) return -ENOMEM;
        n = recv(fd, room, 4096, 0);
        if (n > 0) in->len += (size_t)n;
    }
    return n < 0 ? -errno : 0;
}

/* STDOUT out of its records; whether END_REQUEST was there. */
static bool
unwrap(const struct bh_buf *in, struct bh_buf *out)
{
    const unsigned char *p = (const unsigned char *)in->p;
    size_t left = in->len;

    while (left >= BH_FCGI_HEADER) {
        size_t len = (size_t)(p[4] << 8 | p[5]);
        size_t whole = BH_FCGI_HEADER + len + p[6];
        if (whole > left) return false;
        if (p[1] == BH_FCGI_END_REQUEST) return true;
        if (p[1] == BH_FCGI_STDOUT) bh_buf_add(out, p + BH_FCGI_HEADER, len);
        p += whole;
        left -= whole;
    }
    return false;
}

static int
split(const struct bh_buf *text, struct bh_answer *a)
{
    const char *end =
        text->len > 0 ? memmem(text->p, text->len, "\r\n\r\n", 4) : NULL;

    if (end == NULL) return -EPROTO;
    size_t head = (size_t)(end - text->p) + 2;
    bh_buf_add(&a->head, text->p, head);
    bh_buf_add(&a->body, end + 4, text->len - head - 2);
    const char *status = strstr(bh_buf_cstr(&a->head), "Status: ");
    a->status = status != NULL ? atoi(status + 8) : 200;
    return 0;
}

int
bh_fcgi_get(const char *socket, const char *path, int ms, struct bh_answer *out)
{
    struct bh_buf request = BH_BUF_INIT, in = BH_BUF_INIT, text = BH_BUF_INIT;
    int fd = bh_sock_dial(socket, SOCK_STREAM);

    if (fd < 0) return fd;
    bh_sock_timeouts(fd, ms);
    write_request(&request, path);
    int rc = request.failed ? -ENOMEM : 0;
    if (rc == 0 &&
        send(fd, request.p, request.len, MSG_NOSIGNAL) != (ssize_t)request.len)
        rc = -errno;
    if (rc == 0) rc = read_records(fd, &in);
    if (rc == 0) rc = unwrap(&in, &text) ? split(&text, out) : -EPROTO;
    close(fd);
    bh_buf_fini(&request);
    bh_buf_fini(&in);
    bh_buf_fini(&text);
    return rc;
}
