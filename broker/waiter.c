#include "base.h"
#include "waiter.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "domain.h"
#include "mem.h"
#include "deliver.h"
#include "send.h"
#include "stream.h"

/* A hang-up is seen after so long at most; and those that have waited for half
 * of it are watched together, so that the loop is woken for it seldom. */
#define WATCH_MS 250

static size_t
memo_size(bool remembered)
{
    return remembered ? sizeof(struct bh_memo_key) : 0;
}

static char *
words(const struct bh_waiter *w)
{
    return (char *)w->text + memo_size(w->remembered);
}

struct bh_str
bh_waiter_word(const struct bh_waiter *w, enum bh_waiter_word i)
{
    const char *p = words(w);

    for (int j = 0; j < (int)i; j++) p += w->words[j];
    return (struct bh_str){p, w->words[i]};
}

const struct bh_memo_key *
bh_waiter_memo(const struct bh_waiter *w)
{
    return w->remembered ? (const void *)w->text : NULL;
}

static void
copy_words(struct bh_waiter *w, const struct bh_str *in)
{
    char *p = words(w);

    for (int i = 0; i < BH_W_COUNT; i++) {
        w->words[i] = (uint8_t)in[i].len;
        if (in[i].len > 0) memcpy(p, in[i].p, in[i].len);
        p += in[i].len;
    }
}

/* The monotonic time at which the wall clock will show EXPIRES_MS. */
static int64_t
expiry(const struct bh_broker *b, int64_t expires_ms)
{
    int64_t left = expires_ms - bh_wall_ms();

    return left > INT64_MAX / 4 ? INT64_MAX / 2 : b->now + left;
}

static void serve(struct bh_source *s, uint32_t events);

struct bh_waiter *
bh_waiter_new(struct bh_broker *b, const struct bh_park *p, int fd)
{
    const struct bh_str in[BH_W_COUNT] = {p->client_id, p->request_id_text,
                                          p->property, p->origin, p->ua};
    size_t size = memo_size(!p->has_cursor);
    struct bh_waiter *w;

    for (int i = 0; i < BH_W_COUNT; i++) size += in[i].len;
    w = bh_zalloc(sizeof *w + size);
    if (!w) {
        close(fd);
        return NULL;
    }
    w->source = (struct bh_source){serve, fd};
    bh_list_init(&w->in_channel);
    bh_list_init(&w->in_user);
    bh_list_init(&w->unwatched);
    bh_timer_init(&w->timer);
    w->broker = b;
    w->started = b->now;
    w->expires = expiry(b, p->expires_ms);
    w->request_id = p->request_id;
    w->kind = p->kind;
    w->domain = bh_domain_get(b, p->domain);
    w->remembered = !p->has_cursor;
    if (w->remembered) {
        struct bh_memo_key k = bh_memo_key(p);
        memcpy(w->text, &k, sizeof k);
    }
    copy_words(w, in);
    w->head = bh_intern_get(&b->interned, p->head.p, p->head.len);
    if (!p->all_properties)
        w->filter =
            bh_intern_get(&b->interned, p->properties.p, p->properties.len);
    if (!w->head || (!w->filter && !p->all_properties)) {
        bh_waiter_drop(w);
        return NULL;
    }
    return w;
}

static enum bh_domain_metric
gauge(const struct bh_waiter *w)
{
    if (w->kind == BH_PARK_STREAM) return BH_M_STREAMS;
    return w->kind == BH_PARK_NDJSON ? BH_M_LINES : BH_M_POLLS;
}

void
bh_waiter_attach(struct bh_waiter *w, struct bh_channel *ch, struct bh_user *u)
{
    w->channel = ch;
    bh_list_add(&ch->waiters, &w->in_channel);
    ch->n_waiters++;
    if (!w->filter) ch->n_unfiltered++;
    bh_channel_touch(w->broker, ch);
    w->user = u;
    bh_list_add(&u->waiters, &w->in_user);
    u->n_waiters++;
    w->broker->n_waiters++;
    w->broker->n_by_kind[w->kind]++;
    w->domain->v[gauge(w)]++;
}

int
bh_waiter_park(struct bh_waiter *w, int64_t deadline)
{
    struct bh_broker *b = w->broker;
    int rc = bh_heap_set(&b->timers, &w->timer, deadline);

    if (rc == 0) bh_list_add(&b->unwatched, &w->unwatched);
    return rc;
}

void
bh_waiters_watch(struct bh_broker *b)
{
    struct bh_waiter *w;

    if (bh_waiters_next(b) > b->now) return;
    while ((w = bh_list_first(&b->unwatched, struct bh_waiter, unwatched)) &&
           w->started + WATCH_MS / 2 <= b->now) {
        bh_list_del(&w->unwatched);
        if (bh_loop_add(&b->loop, &w->source, EPOLLIN | EPOLLRDHUP) == 0)
            w->in_loop = true;
        else
            bh_deliver_overloaded(w);
    }
}

int64_t
bh_waiters_next(const struct bh_broker *b)
{
    const struct bh_waiter *w =
        bh_list_first(&b->unwatched, struct bh_waiter, unwatched);

    return w ? w->started + WATCH_MS : INT64_MAX;
}

void
bh_waiter_detach(struct bh_waiter *w)
{
    struct bh_broker *b = w->broker;
    struct bh_channel *ch = w->channel;

    bh_heap_del(&b->timers, &w->timer);
    bh_list_del(&w->unwatched);
    if (!ch) return;
    bh_list_del(&w->in_channel);
    ch->n_waiters--;
    if (!w->filter) ch->n_unfiltered--;
    bh_channel_touch(b, ch);
    w->channel = NULL;
    bh_list_del(&w->in_user);
    w->user->n_waiters--;
    bh_user_put(&b->users, w->user);
    w->user = NULL;
    b->n_waiters--;
    b->n_by_kind[w->kind]--;
    w->domain->v[gauge(w)]--;
}

bool
bh_waiter_wants(const struct bh_waiter *w, struct bh_str property)
{
    return !w->filter || !property.p ||
           bh_filter_has(w->filter, property.p, property.len);
}

/* The descriptor of one that is dead, and back again. */
static int
buried(int fd)
{
    return -2 - fd;
}

/*
 * Nothing is left to be done but to close and free it, outside the batch. With
 * descriptors on their way to us each close(2) has the kernel look for sockets
 * that nobody can reach; many at once it looks for once.
 */
static void
let_go(struct bh_waiter *w)
{
    struct bh_broker *b = w->broker;

    if (w->in_loop) bh_loop_del(&b->loop, &w->source);
    w->in_loop = false;
    w->source.fd = buried(w->source.fd);
    bh_list_add(&b->dead_waiters, &w->in_user);
}

void
bh_waiter_drop(struct bh_waiter *w)
{
    bh_waiter_detach(w);
    let_go(w);
}

/* Unread bytes at close(2) would turn the answer into ECONNRESET for the reader
 * at the other end (AF_UNIX). In the loop such bytes have been read already. */
static void
drain(const struct bh_waiter *w)
{
    char scratch[4096];

    for (int i = 0; i < 16 && !w->in_loop; i++)
        if (recv(w->source.fd, scratch, sizeof scratch, MSG_DONTWAIT) <= 0)
            return;
}

int
bh_waiter_await(struct bh_waiter *w, uint32_t events)
{
    struct bh_loop *l = &w->broker->loop;
    int rc = w->in_loop ? bh_loop_change(l, &w->source, events)
                        : bh_loop_add(l, &w->source, events);

    if (rc < 0) return rc;
    w->in_loop = true;
    bh_list_del(&w->unwatched);
    return 0;
}

/* Done, or to go on when the socket has room. */
void
bh_waiter_sent(struct bh_waiter *w, int rc)
{
    struct bh_broker *b = w->broker;

    if (rc == -EAGAIN) {
        rc = bh_waiter_await(w, EPOLLOUT);
        if (rc == 0)
            rc = bh_heap_set(&b->timers, &w->timer,
                             b->now + BH_WRITE_TIMEOUT_MS);
        if (rc == 0) return;
    }
    if (rc < 0)
        bh_waiter_count(w, lost, LOST, 1);
    else
        drain(w);
    bh_heap_del(&b->timers, &w->timer);
    let_go(w);
}

void
bh_waiter_answer(struct bh_waiter *w, struct bh_answer *a, int retry_after)
{
    const struct bh_memo_key *k = bh_waiter_memo(w);
    int rc;

    bh_waiter_count(w, answers, ANSWERS, 1);
    bh_waiter_count(w, delivered, DELIVERED, a->events);
    if (a->events == 0) bh_waiter_count(w, without_event, EMPTY, 1);
    bh_send_log(w, a->events, NULL);
    bh_waiter_detach(w);
    rc = bh_send_answer(w, a, retry_after);
    /* Whoever has left hasn't got it, and says nothing of it. */
    if (k && (rc == 0 || rc == -EAGAIN)) bh_memo_set(w->broker, k, a->cursor);
    bh_waiter_sent(w, rc);
}

void
bh_waiter_finish(struct bh_waiter *w, struct bh_answer *last)
{
    if (!last)
        bh_waiter_sent(w, -ENOMEM);
    else if (w->pending)
        bh_waiter_sent(w, bh_send_after(w, last));
    else
        bh_waiter_sent(w, bh_send_part(w, last));
}

void
bh_waiter_end(struct bh_waiter *w, enum bh_refusal r, const char *detail)
{
    if (w->begun) {
        bh_stream_refuse(w, r);
        return;
    }
    bh_send_log(w, 0, bh_refusal_word(r));
    bh_waiter_detach(w);
    bh_waiter_sent(w, bh_send_refusal(w, r, detail));
}

void
bh_waiter_refuse(struct bh_waiter *w, enum bh_refusal r)
{
    bh_waiter_end(w, r, NULL);
}

bool
bh_waiter_gone(struct bh_waiter *w, uint32_t events)
{
    char scratch[4096];
    ssize_t n = recv(w->source.fd, scratch, sizeof scratch, MSG_DONTWAIT);

    if (n > 0 && ++w->noise < 16 && !(events & (EPOLLHUP | EPOLLERR)))
        return false;
    return n >= 0 || (errno != EAGAIN && errno != EINTR) ||
           (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
}

static void
serve_parked(struct bh_waiter *w, uint32_t events)
{
    if (!bh_waiter_gone(w, events)) return;
    bh_waiter_count(w, gone, GONE, 1);
    bh_waiter_drop(w);
}

static void
serve(struct bh_source *s, uint32_t events)
{
    struct bh_waiter *w = bh_container_of(s, struct bh_waiter, source);

    if (w->begun && w->channel)
        bh_stream_serve(w, events);
    else if (!w->pending)
        serve_parked(w, events);
    else
        bh_waiter_sent(w, bh_send_more(w));
}

/* Taking one out of the heap moves others, so the passes are repeated until
 * one finds none but those that are being written. */
void
bh_waiters_each(struct bh_broker *b, void (*fn)(struct bh_waiter *w))
{
    bool found;

    do {
        found = false;
        for (uint32_t i = 0; i < b->timers.len;) {
            struct bh_waiter *w =
                bh_container_of(b->timers.v[i], struct bh_waiter, timer);

            if (!w->channel) {
                i++;
                continue;
            }
            fn(w);
            found = true;
        }
    } while (found);
}

void
bh_waiters_reap(struct bh_broker *b)
{
    struct bh_waiter *w;

    while ((w = bh_list_first(&b->dead_waiters, struct bh_waiter, in_user))) {
        bh_list_del(&w->in_user);
        close(buried(w->source.fd));
        bh_send_forget(w);
        bh_intern_put(&b->interned, w->head);
        bh_intern_put(&b->interned, w->filter);
        bh_free(w);
    }
}
