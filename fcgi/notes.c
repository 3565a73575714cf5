#include "notes.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "caller.h"
#include "clock.h"
#include "mem.h"
#include "proto.h"
#include "sock.h"

/* A transaction whose NOTED hasn't come yet. */
struct group {
    struct bh_link link;
    struct bh_link jobs;
    uint32_t tag;
    int64_t first, deadline;
};

#define group_of(l) bh_container_of(l, struct group, link)

static void
move_all(struct bh_link *from, struct bh_link *to)
{
    bh_list_each_safe (l, next, from) {
        bh_list_del(l);
        bh_list_add(to, l);
    }
}

/* WOKEN begins with the count of row FIRST; NULL: nobody knows. */
static void
count(struct bh_job *job, int64_t first, const uint32_t *woken, uint32_t n)
{
    for (size_t i = 0; i < job->batch.n; i++) {
        struct bh_result *r = &job->results[i];
        if (r->what != BH_STORED) continue;
        r->woken = BH_WOKEN_UNKNOWN;
        if (woken != NULL && r->seq >= first && r->seq - first < n)
            r->woken = woken[r->seq - first];
    }
}

static void
settle(struct bh_link *jobs, int64_t first, const uint32_t *woken, uint32_t n,
       struct bh_link *settled)
{
    bh_list_each (l, jobs) {
        count(bh_job_of(l), first, woken, n);
    }
    move_all(jobs, settled);
}

static void
settle_group(struct group *g, const uint32_t *woken, uint32_t n,
             struct bh_link *settled)
{
    settle(&g->jobs, g->first, woken, n, settled);
    bh_list_del(&g->link);
    bh_free(g);
}

static void
hang_up(struct bh_notes *n, struct bh_link *settled)
{
    if (n->fd >= 0) close(n->fd);
    n->fd = -1;
    bh_list_each_safe (l, next, &n->waiting) {
        settle_group(group_of(l), NULL, 0, settled);
    }
}

void
bh_notes_init(struct bh_notes *n, const char *path, int timeout_ms)
{
    *n = (struct bh_notes){.fd = -1};
    bh_dial_init(&n->broker, path, timeout_ms);
    bh_list_init(&n->waiting);
}

void
bh_notes_fini(struct bh_notes *n)
{
    if (n->fd >= 0) close(n->fd);
    n->fd = -1;
    bh_dial_fini(&n->broker);
}

/* ---- hearing back ---- */

static void
take_noted(struct bh_notes *n, struct bh_reader *r, const struct bh_noted *m,
           struct bh_link *settled)
{
    uint32_t woken[BH_GROUP_MAX];
    uint32_t count = m->n < BH_GROUP_MAX ? m->n : BH_GROUP_MAX;

    for (uint32_t i = 0; i < count; i++) woken[i] = bh_read_u32(r);
    if (r->failed) return;
    bh_list_each_safe (l, next, &n->waiting) {
        struct group *g = group_of(l);
        if (g->tag != m->tag) continue;
        settle_group(g, woken, count, settled);
        return;
    }
}

/* False where the connection is of no more use. */
static bool
take_message(struct bh_notes *n, int op, struct bh_reader *r,
             struct bh_link *settled)
{
    struct bh_noted noted;

    if (op == BH_OP_NOTED && bh_noted_decode(r, &noted))
        take_noted(n, r, &noted, settled);
    return op != BH_OP_ERROR && op != 0;
}

/* Until nothing more has come, or comes in time where it may WAIT. */
static void
read_all(struct bh_notes *n, bool wait, struct bh_link *settled)
{
    char packet[BH_GROUP_MAX * 4 + 64];
    struct bh_reader r;

    while (n->fd >= 0) {
        int op =
            bh_hear(n->fd, packet, sizeof packet, &r, wait ? 0 : MSG_DONTWAIT);
        if (op == -EAGAIN) return;
        if (op == -EMSGSIZE) continue;
        if (op < 0 || !take_message(n, op, &r, settled)) hang_up(n, settled);
    }
}

void
bh_notes_read(struct bh_notes *n, struct bh_link *settled)
{
    read_all(n, false, settled);
}

/* A broker that leaves takes nothing more, but answers what it has taken. */
static void
hear_out(struct bh_notes *n, struct bh_link *settled)
{
    read_all(n, true, settled);
    hang_up(n, settled);
}

/* ---- sending ---- */

static int
connect_broker(struct bh_notes *n)
{
    if (n->fd >= 0) return 0;
    n->fd = bh_dial(&n->broker);
    return n->fd < 0 ? n->fd : 0;
}

/* Not blocking: a broker that doesn't read finds the rows by itself. */
static int
send_note(struct bh_notes *n, const struct bh_note *note)
{
    struct bh_buf msg = BH_BUF_INIT;
    int rc = connect_broker(n);

    bh_note_encode(&msg, note);
    if (rc == 0 && msg.failed) rc = -ENOMEM;
    if (rc == 0) rc = bh_sock_send(n->fd, msg.p, msg.len, -1, MSG_DONTWAIT);
    bh_buf_fini(&msg);
    return rc;
}

void
bh_notes_send(struct bh_notes *n, const struct bh_span_stored *span,
              struct bh_link *jobs, struct bh_link *settled)
{
    struct bh_note note = {++n->last_tag, span->first, span->last};
    struct group *g = bh_alloc(sizeof *g);
    int rc = send_note(n, &note);

    if (rc == -EPIPE || rc == -ECONNRESET) {
        hear_out(n, settled);
        rc = send_note(n, &note);
    }
    if (rc < 0 || g == NULL) {
        settle(jobs, 0, NULL, 0, settled);
        bh_free(g);
        return;
    }
    g->tag = note.tag;
    g->first = span->first;
    g->deadline = bh_now_ms() + n->broker.timeout_ms;
    bh_list_init(&g->link);
    bh_list_init(&g->jobs);
    move_all(jobs, &g->jobs);
    bh_list_add(&n->waiting, &g->link);
}

void
bh_notes_expire(struct bh_notes *n, int64_t now_ms, struct bh_link *settled)
{
    bh_list_each_safe (l, next, &n->waiting) {
        struct group *g = group_of(l);
        if (g->deadline > now_ms) return;
        settle_group(g, NULL, 0, settled);
    }
}

int
bh_notes_timeout(const struct bh_notes *n, int64_t now_ms)
{
    struct group *g = bh_list_first(&n->waiting, struct group, link);

    if (g == NULL) return -1;
    return g->deadline > now_ms ? (int)(g->deadline - now_ms) : 0;
}
