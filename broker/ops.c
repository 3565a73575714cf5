#include "base.h"
#include "ops.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "control.h"
#include "domain.h"
#include "follow.h"
#include "log.h"
#include "mem.h"
#include "note.h"
#include "park.h"
#include "sock.h"

/* A worker that doesn't read what it asked for is not worth waiting for. */
static bool
reply(struct bh_conn *c, struct bh_buf *b)
{
    int rc = b->failed
                 ? -1
                 : bh_sock_send(c->source.fd, b->p, b->len, -1, MSG_DONTWAIT);

    bh_buf_fini(b);
    return rc == 0;
}

static bool
refuse(struct bh_conn *c, const char *why)
{
    struct bh_buf b = BH_BUF_INIT;

    c->broker->stats.bad_messages++;
    bh_log(BH_WARN, "closing the connection of process %ld: %s", (long)c->pid,
           why);
    bh_error_encode(&b, why);
    reply(c, &b);
    return false;
}

static bool
on_hello(struct bh_conn *c, struct bh_reader *r)
{
    struct bh_hello m;
    struct bh_welcome w = {.head = c->broker->head};
    struct bh_buf b = BH_BUF_INIT;

    if (!bh_hello_decode(r, &m)) return refuse(c, "malformed HELLO");
    for (int i = 0; i <= BH_LOG_ID_LEN; i++) w.log_id[i] = c->broker->log_id[i];
    c->greeted = true;
    bh_welcome_encode(&b, &w);
    return reply(c, &b);
}

static bool
on_note(struct bh_conn *c, struct bh_reader *r)
{
    struct bh_note m;

    if (!bh_note_decode(r, &m)) return refuse(c, "malformed NOTE");
    /* Without room the worker's wait ends by itself; the rows are read anyway.
     */
    bh_note_keep(c, &m);
    c->broker->unread = true;
    return true;
}

static bool
on_park(struct bh_conn *c, struct bh_reader *r, int *fd)
{
    struct bh_park m;

    if (!bh_park_decode(r, &m)) return refuse(c, "malformed PARK");
    if (*fd < 0) return refuse(c, "PARK without a connection");
    bh_park(c->broker, &m, *fd);
    *fd = -1;
    return true;
}

static bool
on_ping(struct bh_conn *c, struct bh_reader *r)
{
    struct bh_ping m;
    struct bh_buf b = BH_BUF_INIT;

    if (!bh_ping_decode(r, &m)) return refuse(c, "malformed PING");
    bh_ping_encode(&b, BH_OP_PONG, &m);
    return reply(c, &b);
}

static bool
on_stats(struct bh_conn *c, struct bh_reader *r)
{
    struct bh_report *report;
    struct bh_buf b = BH_BUF_INIT;

    if (!bh_stats_decode(r)) return refuse(c, "malformed STATS");
    report = bh_alloc(sizeof *report);
    if (!report) return false;
    bh_domains_report(c->broker, report);
    bh_stated_encode(&b, report);
    bh_free(report);
    return reply(c, &b);
}

static bool
on_count(struct bh_conn *c, struct bh_reader *r)
{
    struct bh_counts m, *all = &c->broker->counts;

    if (!bh_counts_decode(r, &m)) return refuse(c, "malformed COUNT");
    for (size_t i = 0; i < BH_WORKER_METRIC_N; i++)
        all->worker[i] += m.worker[i];
    for (size_t i = 0; i < BH_REFUSAL_COUNT; i++)
        all->refused[i] += m.refused[i];
    return true;
}

static bool
on_end(struct bh_conn *c, struct bh_reader *r)
{
    struct bh_end m;
    struct bh_ended ended;
    struct bh_buf b = BH_BUF_INIT;

    if (!bh_end_decode(r, &m)) return refuse(c, "malformed END");
    ended.tag = m.tag;
    ended.n = bh_control_end(c->broker, &m);
    bh_ended_encode(&b, &ended);
    return reply(c, &b);
}

static bool
on_reload(struct bh_conn *c, struct bh_reader *r)
{
    struct bh_reload m;
    struct bh_reloaded done = {.ok = true};
    struct bh_buf b = BH_BUF_INIT, text = BH_BUF_INIT;

    if (!bh_reload_decode(r, &m)) return refuse(c, "malformed RELOAD");
    done.tag = m.tag;
    if (m.what == BH_RELOAD_CONF)
        done.ok = bh_control_reload(c->broker, &text, &done.ended);
    else
        done.ended = bh_control_reread(c->broker);
    done.text = (struct bh_str){text.p, text.len};
    char *log = realpath(c->broker->conf->log.path, NULL);
    if (log) done.log = (struct bh_str){log, strlen(log)};
    bh_reloaded_encode(&b, &done);
    free(log); /* the C library's */
    bh_buf_fini(&text);
    return reply(c, &b);
}

bool
bh_ops_serve(struct bh_conn *c, const void *p, size_t len, int *fd)
{
    struct bh_reader r;
    int op = bh_msg_open(&r, p, len);

    if (op == 0)
        return refuse(c, "a message of another version, or none at all: "
                         "worker and broker must be of one build");
    if (op != BH_OP_HELLO && !c->greeted)
        return refuse(c, "the first message must be HELLO");
    switch (op) {
    case BH_OP_HELLO:
        return on_hello(c, &r);
    case BH_OP_NOTE:
        return on_note(c, &r);
    case BH_OP_PARK:
        return on_park(c, &r, fd);
    case BH_OP_PING:
        return on_ping(c, &r);
    case BH_OP_STATS:
        return on_stats(c, &r);
    case BH_OP_COUNT:
        return on_count(c, &r);
    case BH_OP_END:
        return on_end(c, &r);
    case BH_OP_RELOAD:
        return on_reload(c, &r);
    default:
        return refuse(c, "a message that only the broker sends");
    }
}
