#include "base.h"
#include "conn.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "mem.h"
#include "note.h"
#include "ops.h"
#include "sock.h"

/* Messages served for one connection before the others have their turn. */
#define FAIR 64
/* Without descriptors the listener rests for so long, instead of spinning. */
#define PAUSE_MS 1000

void
bh_conn_close(struct bh_conn *c)
{
    struct bh_broker *b = c->broker;

    bh_notes_forget(c);
    bh_loop_del(&b->loop, &c->source);
    close(c->source.fd);
    c->source.fd = -1;
    bh_list_del(&c->all);
    b->n_conns--;
    bh_list_add(&b->dead_conns, &c->all);
}

/* One message. 1: there may be more; 0: none now; -1: close. */
static int
serve_one(struct bh_conn *c)
{
    static unsigned char message[BH_MSG_MAX];
    int fd;
    ssize_t n =
        bh_sock_recv(c->source.fd, message, sizeof message, &fd, MSG_DONTWAIT);
    bool keep = false;

    if (n > 0) keep = bh_ops_serve(c, message, (size_t)n, &fd);
    if (fd >= 0) close(fd);
    if (n > 0) return keep ? 1 : -1;
    if (n == -EAGAIN || n == -EINTR) return 0;
    if (n == -EMFILE)
        bh_log(BH_ERROR, "out of descriptors: a subscribe was lost; raise "
                         "LimitNOFILE or lower `waiters`");
    /* A message that is too long is no worker's; a lost descriptor is. */
    return n == -EMFILE ? 1 : -1;
}

static void
serve_conn(struct bh_source *s, uint32_t events)
{
    struct bh_conn *c = bh_container_of(s, struct bh_conn, source);

    (void)events; /* what was sent before a hang-up is served first */
    for (int i = 0; i < FAIR; i++) {
        int more = serve_one(c);

        if (more < 0) bh_conn_close(c);
        if (more <= 0) return;
    }
}

static bool
is_welcome(const struct bh_broker *b, int fd, struct bh_peer *peer)
{
    if (bh_sock_peer(fd, peer) < 0) return false;
    if (peer->uid == 0 || peer->uid == geteuid()) return true;
    for (size_t i = 0; i < b->n_peers; i++)
        if (b->peers[i] == peer->uid) return true;
    bh_log(BH_WARN,
           "refused a connection of user %ld: name it in broker { users }",
           (long)peer->uid);
    return false;
}

static int
add_conn(struct bh_broker *b, int fd, const struct bh_peer *peer)
{
    struct bh_conn *c = bh_zalloc(sizeof *c);
    int rc;

    if (!c) return -ENOMEM;
    c->source = (struct bh_source){serve_conn, fd};
    c->broker = b;
    c->pid = peer->pid;
    bh_list_init(&c->all);
    rc = bh_loop_add(&b->loop, &c->source, EPOLLIN | EPOLLRDHUP);
    if (rc < 0) {
        bh_free(c);
        return rc;
    }
    bh_list_add(&b->conns, &c->all);
    b->n_conns++;
    return 0;
}

static void
pause_listening(struct bh_broker *b, const char *why)
{
    bh_log(BH_ERROR, "can't take a worker's connection: %s; pausing", why);
    bh_loop_del(&b->loop, &b->listener);
    b->listening = false;
    b->listen_at = b->now + PAUSE_MS;
}

static void
serve_listener(struct bh_source *s, uint32_t events)
{
    struct bh_broker *b = bh_container_of(s, struct bh_broker, listener);
    int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct bh_peer peer;

    (void)events;
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
            pause_listening(b, "no descriptors or memory left");
        return;
    }
    if (!is_welcome(b, fd, &peer) || add_conn(b, fd, &peer) < 0) close(fd);
}

int
bh_conn_listen(struct bh_broker *b, int fd)
{
    int rc = bh_sock_nonblock(fd);

    b->listener = (struct bh_source){serve_listener, fd};
    if (rc == 0) rc = bh_loop_add(&b->loop, &b->listener, EPOLLIN);
    b->listening = rc == 0;
    return rc;
}

void
bh_conn_tick(struct bh_broker *b)
{
    if (b->listening || b->listener.fd < 0 || b->now < b->listen_at) return;
    if (bh_loop_add(&b->loop, &b->listener, EPOLLIN) == 0) b->listening = true;
}

void
bh_conns_serve(struct bh_broker *b)
{
    bh_list_each (l, &b->conns) {
        struct bh_conn *c = bh_container_of(l, struct bh_conn, all);

        if (shutdown(c->source.fd, SHUT_RD) == 0)
            while (serve_one(c) > 0) continue;
    }
}

void
bh_conns_close(struct bh_broker *b)
{
    struct bh_conn *c;

    if (b->listener.fd >= 0) {
        if (b->listening) bh_loop_del(&b->loop, &b->listener);
        close(b->listener.fd);
        b->listener.fd = -1;
        b->listening = false;
    }
    while ((c = bh_list_first(&b->conns, struct bh_conn, all)))
        bh_conn_close(c);
}

void
bh_conns_reap(struct bh_broker *b)
{
    struct bh_conn *c;

    while ((c = bh_list_first(&b->dead_conns, struct bh_conn, all))) {
        bh_list_del(&c->all);
        bh_free(c);
    }
}
