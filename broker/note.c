#include "base.h"
#include "note.h"

#include "follow.h"
#include "mem.h"
#include "sock.h"

#include <sys/socket.h>

struct waiting_note {
    struct bh_link link;
    struct bh_conn *conn;
    struct bh_note note;
    int64_t until; /* monotonic ms */
};

bool
bh_note_keep(struct bh_conn *c, const struct bh_note *m)
{
    struct bh_broker *b = c->broker;
    struct waiting_note *n;

    if (b->n_notes >= BH_NOTES_MAX) return false;
    n = bh_alloc(sizeof *n);
    if (!n) return false;
    n->conn = c;
    n->note = *m;
    n->until = b->now + b->conf->worker.broker_timeout_ms + BH_NOTE_GRACE_MS;
    bh_list_init(&n->link);
    bh_list_add(&b->notes, &n->link);
    b->n_notes++;
    b->unread = true;
    return true;
}

static void
forget(struct bh_broker *b, struct waiting_note *n)
{
    bh_list_del(&n->link);
    b->n_notes--;
    bh_free(n);
}

/* Who can't take it has stopped reading: it will time out by itself. */
static void
tell(struct bh_broker *b, const struct waiting_note *n)
{
    uint32_t woken[BH_GROUP_MAX];
    struct bh_noted m = {n->note.tag,
                         (uint32_t)(n->note.last - n->note.first + 1)};
    struct bh_buf out = BH_BUF_INIT;

    for (uint32_t i = 0; i < m.n; i++)
        woken[i] = bh_follow_woken(b, n->note.first + i);
    bh_noted_encode(&out, &m, woken);
    if (!out.failed)
        bh_sock_send(n->conn->source.fd, out.p, out.len, -1, MSG_DONTWAIT);
    bh_buf_fini(&out);
}

void
bh_notes_answer(struct bh_broker *b)
{
    bh_list_each_safe (l, next, &b->notes) {
        struct waiting_note *n = bh_container_of(l, struct waiting_note, link);

        if (n->note.last <= b->head) {
            tell(b, n);
            forget(b, n);
        } else if (n->until <= b->now) {
            forget(b, n);
        }
    }
}

void
bh_notes_forget(struct bh_conn *c)
{
    struct bh_broker *b = c->broker;

    bh_list_each_safe (l, next, &b->notes) {
        struct waiting_note *n = bh_container_of(l, struct waiting_note, link);

        if (n->conn == c) forget(b, n);
    }
}
