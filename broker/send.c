#include "base.h"
#include "send.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "clock.h"
#include "log.h"
#include "mem.h"

#define HEAD_SIZE (BH_HEAD_MAX + 512)

struct bh_pending {
    struct bh_answer *answer;
    struct bh_answer *after; /* NULL: nothing comes after it */
    size_t done;             /* bytes written of head and answer */
    size_t head_len;
    char head[];
};

/* Write from byte DONE of head and body on. Bytes written, or -errno. */
static ssize_t
write_from(int fd, const char *head, size_t head_len, const struct bh_answer *a,
           size_t done)
{
    struct iovec v[2];
    int n = 0;

    if (done < head_len)
        v[n++] = (struct iovec){(char *)head + done, head_len - done};
    size_t skip = done > head_len ? done - head_len : 0;
    v[n++] = (struct iovec){(char *)a->bytes + skip, a->len - skip};
    struct msghdr m = {.msg_iov = v, .msg_iovlen = (size_t)n};
    ssize_t sent = sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent < 0 ? -errno : sent;
}

static int
keep_rest(struct bh_waiter *w, const char *head, size_t head_len,
          struct bh_answer *a, size_t done)
{
    struct bh_pending *p = bh_alloc(sizeof *p + head_len);

    if (!p) return -ENOMEM;
    bh_answer_get(a);
    p->answer = a;
    p->after = NULL;
    p->done = done;
    p->head_len = head_len;
    memcpy(p->head, head, head_len);
    w->pending = p;
    return -EAGAIN;
}

static int
send_first(struct bh_waiter *w, const struct bh_head *h, struct bh_answer *a)
{
    char head[HEAD_SIZE];
    struct bh_str lines = {w->head->bytes, w->head->len};
    size_t len = bh_answer_head(head, sizeof head, w->request_id, h, a->content,
                                bh_waiter_word(w, BH_W_REQUEST), lines);
    ssize_t n;

    if (len == 0) return -EMSGSIZE;
    n = write_from(w->source.fd, head, len, a, 0);
    if (n == -EAGAIN || n == -EINTR) n = 0;
    if (n < 0) return (int)n;
    if ((size_t)n == len + a->len) return 0;
    return keep_rest(w, head, len, a, (size_t)n);
}

/* A with the request's own id, one reference; NULL without memory. */
static struct bh_answer *
with_id(const struct bh_waiter *w, struct bh_answer *a)
{
    if (w->request_id != 1) return bh_answer_for_id(a, w->request_id);
    bh_answer_get(a);
    return a;
}

int
bh_send_answer(struct bh_waiter *w, struct bh_answer *a, int retry_after)
{
    struct bh_head h = {200, "application/json", retry_after, BH_GRANTED,
                        false};
    struct bh_answer *own = with_id(w, a);
    int rc = own ? send_first(w, &h, own) : -ENOMEM;

    bh_answer_put(own);
    return rc;
}

int
bh_send_opening(struct bh_waiter *w, struct bh_answer *part, int retry_after)
{
    struct bh_head h = {200,
                        w->kind == BH_PARK_NDJSON ? "application/x-ndjson"
                                                  : "text/event-stream",
                        retry_after, BH_GRANTED, .open = true};
    struct bh_answer *own = with_id(w, part);
    int rc = own ? send_first(w, &h, own) : -ENOMEM;

    bh_answer_put(own);
    return rc;
}

int
bh_send_part(struct bh_waiter *w, struct bh_answer *part)
{
    struct bh_answer *own = with_id(w, part);
    ssize_t n = own ? write_from(w->source.fd, "", 0, own, 0) : -ENOMEM;
    int rc = n < 0 ? (int)n : 0;

    if (n == -EAGAIN || n == -EINTR) n = 0;
    if (n >= 0)
        rc = (size_t)n == own->len ? 0 : keep_rest(w, "", 0, own, (size_t)n);
    bh_answer_put(own);
    return rc;
}

int
bh_send_after(struct bh_waiter *w, struct bh_answer *a)
{
    w->pending->after = with_id(w, a);
    return w->pending->after ? -EAGAIN : -ENOMEM;
}

int
bh_send_refusal(struct bh_waiter *w, enum bh_refusal r, const char *detail)
{
    struct bh_head h = {bh_refusal_status(r), "application/problem+json", -1, r,
                        false};
    struct bh_buf body = BH_BUF_INIT;
    struct bh_answer *a, *own;
    int rc = -ENOMEM;

    if (h.status == 503) h.retry_after = 1 + (int)bh_random_below(5);
    bh_refusal_body_saying(&body, r, detail);
    a = bh_answer_new(&body, 0, 0);
    own = a ? bh_answer_for_id(a, w->request_id) : NULL;
    if (own) rc = send_first(w, &h, own);
    bh_answer_put(own);
    bh_answer_put(a);
    bh_buf_fini(&body);
    return rc;
}

int
bh_send_more(struct bh_waiter *w)
{
    struct bh_pending *p = w->pending;
    ssize_t n =
        write_from(w->source.fd, p->head, p->head_len, p->answer, p->done);

    if (n == -EINTR) return -EAGAIN;
    if (n < 0) return (int)n;
    p->done += (size_t)n;
    if (p->done < p->head_len + p->answer->len) return -EAGAIN;
    if (!p->after) return 0;
    bh_answer_put(p->answer);
    p->answer = p->after;
    p->after = NULL;
    p->done = p->head_len = 0;
    return bh_send_more(w);
}

void
bh_send_forget(struct bh_waiter *w)
{
    if (!w->pending) return;
    bh_answer_put(w->pending->answer);
    bh_answer_put(w->pending->after);
    bh_free(w->pending);
    w->pending = NULL;
}

void
bh_send_log(const struct bh_waiter *w, uint32_t events, const char *failure)
{
    char org[BH_WORD_MAX], user[BH_WORD_MAX], property[BH_WORD_MAX];
    const struct bh_user *u = w->user;
    struct bh_str p = bh_waiter_word(w, BH_W_PROPERTY);
    struct bh_str origin = bh_waiter_word(w, BH_W_ORIGIN);
    struct bh_str ua = bh_waiter_word(w, BH_W_UA);
    struct bh_str id = bh_waiter_word(w, BH_W_REQUEST);

    if (!bh_log_wants(BH_INFO)) return;
    if (origin.len == 0) origin = (struct bh_str){"-", 1};
    bh_log(
        BH_INFO,
        "[%s][%s] orgId=%s userId=%s propertyId=%s events=%u "
        "durationMs=%lld origin=%.*s ua=\"%.*s\"%s%s%s%.*s",
        w->kind == BH_PARK_POLL ? "RealtimeSubscribe" : "RealtimeStream",
        failure ? "failure" : "completed",
        bh_log_field(org, sizeof org, u ? u->name : NULL, u ? u->org_len : 0),
        bh_log_field(user, sizeof user, u ? u->name + u->org_len : NULL,
                     u ? u->name_len : 0),
        p.len > 0 ? bh_log_field(property, sizeof property, p.p, p.len) : "all",
        events, (long long)(w->broker->now - w->started), (int)origin.len,
        origin.p, (int)ua.len, ua.p, failure ? " code=" : "",
        failure ? failure : "", failure ? " id=" : "",
        failure ? (int)id.len : 0, id.p);
}
