#include "base.h"
#include "broker.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <sys/resource.h>

#include "clock.h"
#include "conn.h"
#include "deliver.h"
#include "domain.h"
#include "follow.h"
#include "log.h"
#include "mem.h"
#include "memo.h"
#include "note.h"
#include "park.h"
#include "process.h"
#include "sock.h"
#include "waiter.h"

/* Descriptors kept for the log, the loop, and connections of workers. */
#define RESERVED_FDS 256

/* All that the hard limit allows; what is left for waiters: where there are
 * few, half, since who finds no descriptor is lost, and who finds no room is
 * told. */
static size_t
room_for_waiters(void)
{
    struct rlimit l;

    if (getrlimit(RLIMIT_NOFILE, &l) < 0) return 1024 - RESERVED_FDS;
    l.rlim_cur = l.rlim_max;
    setrlimit(RLIMIT_NOFILE, &l);
    if (getrlimit(RLIMIT_NOFILE, &l) < 0) return RESERVED_FDS;
    if (l.rlim_cur < 2 * RESERVED_FDS) return (size_t)l.rlim_cur / 2;
    return (size_t)l.rlim_cur - RESERVED_FDS;
}

static void
limit_waiters(struct bh_broker *b)
{
    size_t room = room_for_waiters();
    size_t asked = (size_t)b->conf->broker.waiters;

    b->max_waiters = asked > 0 && asked < room ? asked : room;
    if (asked > room)
        bh_log(
            BH_WARN,
            "waiters = %zu needs more descriptors than there are: %zu it is; "
            "raise LimitNOFILE",
            asked, room);
}

/* Names to numbers, once: a look-up may block. */
static int
resolve_peers(struct bh_broker *b, const struct bh_conf *conf)
{
    size_t n = conf->broker.n_users, found = 0;
    uid_t *peers = bh_alloc((n + 1) * sizeof *peers);

    if (!peers) return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const struct passwd *p = getpwnam(conf->broker.users[i]);

        if (p)
            peers[found++] = p->pw_uid;
        else
            bh_log(BH_WARN, "broker { users }: there is no user %s",
                   conf->broker.users[i]);
    }
    bh_free(b->peers);
    b->peers = peers;
    b->n_peers = found;
    return 0;
}

int
bh_broker_adopt(struct bh_broker *b, struct bh_conf *fresh)
{
    int rc = resolve_peers(b, fresh);

    if (rc < 0) return rc;
    b->conf = fresh;
    limit_waiters(b);
    return 0;
}

static void
after_wait(void *arg)
{
    struct bh_broker *b = arg;

    b->now = bh_now_ms();
}

static void
init_lists(struct bh_broker *b)
{
    struct bh_link *heads[] = {&b->idle,     &b->dirty,        &b->held,
                               &b->age,      &b->conns,        &b->notes,
                               &b->memo_lru, &b->dead_waiters, &b->dead_conns,
                               &b->unwatched};

    for (size_t i = 0; i < bh_countof(heads); i++) bh_list_init(heads[i]);
}

static void
tell_mistake(void *arg BH_UNUSED, const char *message)
{
    bh_log(BH_ERROR, "%s", message);
}

/* CONF, or what its file says now: bellhopctl reload may have come after it was
 * read, and before there was a socket to tell it by. */
static struct bh_conf *
latest(struct bh_conf *conf)
{
    struct bh_conf *fresh = bh_conf_read(conf->path, tell_mistake, NULL);
    struct bh_buf names = BH_BUF_INIT;
    struct bh_conf *old = conf;

    if (fresh && bh_conf_keep_fixed(fresh, conf, &names))
        conf = fresh;
    else
        old = fresh;
    bh_buf_fini(&names);
    bh_conf_free(old);
    bh_log_level(conf->log_level);
    return conf;
}

int
bh_broker_init(struct bh_broker *b, struct bh_conf *conf)
{
    struct bh_map *maps[] = {&b->channels, &b->users, &b->interned, &b->memos};
    int rc;

    bh_process_now(); /* uptime begins here */
    memset(b, 0, sizeof *b);
    b->conf = latest(conf);
    b->now = bh_now_ms();
    b->listener.fd = -1;
    if (bh_watchdog_ms() > 0) b->watchdog_at = b->now;
    init_lists(b);
    bh_heap_init(&b->timers);
    rc = bh_loop_init(&b->loop, bh_broker_before_wait, after_wait, b);
    for (size_t i = 0; i < bh_countof(maps) && rc == 0; i++)
        rc = bh_map_init(maps[i]);
    if (rc < 0) return rc;
    b->recent = bh_zalloc(BH_RECENT * sizeof *b->recent);
    if (!b->recent || resolve_peers(b, b->conf) < 0 || bh_control_init(b) < 0 ||
        bh_domains_init(b) < 0)
        return -1;
    limit_waiters(b);
    return 0;
}

static void
drop_all(struct bh_broker *b)
{
    struct bh_timer *t;
    struct bh_channel *ch;

    while ((t = bh_heap_first(&b->timers)))
        bh_waiter_drop(bh_container_of(t, struct bh_waiter, timer));
    bh_waiters_reap(b);
    while ((ch = bh_list_first(&b->idle, struct bh_channel, idle)))
        bh_channel_free(b, ch);
    bh_memos_clear(b);
}

void
bh_broker_fini(struct bh_broker *b)
{
    bh_conns_close(b);
    bh_conns_reap(b);
    drop_all(b);
    bh_answer_put(b->empty);
    bh_control_fini(b);
    bh_store_close(b->store);
    bh_map_fini(&b->channels);
    bh_map_fini(&b->users);
    bh_map_fini(&b->interned);
    bh_map_fini(&b->memos);
    bh_heap_fini(&b->timers);
    bh_loop_fini(&b->loop);
    bh_domains_fini(b);
    bh_free(b->recent);
    bh_free(b->peers);
    bh_conf_free(b->conf);
    b->conf = NULL;
}

static int64_t
earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* From the loop itself: a broker that has come to a stand is started again. */
static void
feed_watchdog(struct bh_broker *b)
{
    if (b->watchdog_at == 0 || b->now < b->watchdog_at) return;
    bh_notify("WATCHDOG=1");
    b->watchdog_at = b->now + bh_watchdog_ms();
}

/* Milliseconds until something is due by the clock. */
static int
wait_time(const struct bh_broker *b)
{
    const struct bh_timer *t = bh_heap_first(&b->timers);
    int64_t at = earlier(b->stat_at, b->store ? b->check_at : b->stat_at);

    if (b->behind) return 0;
    if (t) at = earlier(at, t->at);
    at = earlier(at, bh_deliver_next(b));
    at = earlier(at, bh_waiters_next(b));
    at = earlier(at, bh_channels_next(b));
    at = earlier(at, bh_memos_next(b));
    if (!b->listening && b->listener.fd >= 0) at = earlier(at, b->listen_at);
    if (b->watchdog_at > 0) at = earlier(at, b->watchdog_at);
    return at <= b->now ? 0 : (int)earlier(at - b->now, 60000);
}

int
bh_broker_before_wait(void *arg)
{
    struct bh_broker *b = arg;

    b->now = bh_now_ms();
    bh_follow_tick(b);
    bh_control_tick(b);
    bh_notes_answer(b);
    bh_deliver_due(b);
    bh_park_expire(b);
    bh_waiters_watch(b);
    bh_channels_expire(b);
    bh_memos_expire(b);
    bh_conn_tick(b);
    feed_watchdog(b);
    bh_waiters_reap(b);
    bh_conns_reap(b);
    return wait_time(b);
}

/* Some web servers read slowly: they get this long for the last answers. */
#define DRAIN_MS 2000

/* All that is committed, so that who has sent a NOTE hears how many it woke. */
static void
read_to_the_end(struct bh_broker *b, int64_t until)
{
    do bh_follow_read(b);
    while (b->behind && bh_now_ms() < until);
}

void
bh_broker_drain(struct bh_broker *b)
{
    int64_t until = bh_now_ms() + DRAIN_MS;
    struct bh_channel *ch;

    b->now = bh_now_ms();
    bh_conns_serve(b);
    read_to_the_end(b, until);
    bh_notes_answer(b);
    bh_conns_close(b);
    bh_deliver_due(b);
    while ((ch = bh_list_first(&b->held, struct bh_channel, due)))
        bh_deliver_channel(b, ch);
    bh_waiters_each(b, bh_deliver_goodbye);
    while (b->timers.len > 0 && bh_now_ms() < until) {
        bh_loop_turn(&b->loop, 50);
        bh_waiters_reap(b);
    }
    bh_waiters_reap(b);
}

/* ---- invariants ---- */

static bool
channel_valid(const struct bh_broker *b, const struct bh_channel *ch)
{
    uint32_t items = 0, waiters = 0, unfiltered = 0;
    int64_t last = ch->floor;

    for (const struct bh_item *i = ch->first; i; i = i->next) {
        if (i->channel != ch || i->seq <= last || i->seq > b->head)
            return false;
        last = i->seq;
        items++;
        if (!i->next && i != ch->last) return false;
    }
    bh_list_each (l, &ch->waiters) {
        const struct bh_waiter *w =
            bh_container_of(l, struct bh_waiter, in_channel);

        if (w->channel != ch || !w->user || w->source.fd < 0) return false;
        waiters++;
        if (!w->filter) unfiltered++;
    }
    return items == ch->n_items && waiters == ch->n_waiters &&
           unfiltered == ch->n_unfiltered &&
           bh_list_empty(&ch->idle) == (waiters > 0);
}

bool
bh_broker_valid(const struct bh_broker *b)
{
    size_t items = 0, waiters = 0;
    int64_t last = 0;

    for (size_t i = 0; i < b->channels.buckets; i++)
        for (struct bh_node *n = b->channels.v[i]; n; n = n->next) {
            const struct bh_channel *ch =
                bh_container_of(n, struct bh_channel, node);

            if (!channel_valid(b, ch)) return false;
            items += ch->n_items;
            waiters += ch->n_waiters;
        }
    bh_list_each (l, &b->age) {
        const struct bh_item *i = bh_container_of(l, struct bh_item, age);

        if (i->seq <= last) return false;
        last = i->seq;
    }
    return items == b->n_items && waiters == b->n_waiters &&
           bh_heap_valid(&b->timers) && b->timers.len >= waiters;
}
