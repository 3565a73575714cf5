#include "base.h"
#include "follow.h"

#include <errno.h>
#include <string.h>

#include "clock.h"
#include "deliver.h"
#include "domain.h"
#include "log.h"
#include "memo.h"

uint32_t
bh_follow_woken(const struct bh_broker *b, int64_t seq)
{
    const struct bh_recent *r = &b->recent[seq & (BH_RECENT - 1)];

    return r->seq == seq ? r->woken : 0;
}

static void
set_head(struct bh_broker *b, int64_t seq, uint32_t woken)
{
    b->head = seq;
    b->recent[seq & (BH_RECENT - 1)] = (struct bh_recent){seq, woken};
}

/* When an event that was stored at STORED_AT leaves memory. The wall clock may
 * have been set in between: never more than the configured time from now. */
static int64_t
expiry(const struct bh_broker *b, int64_t stored_at)
{
    int64_t ttl = b->conf->broker.buffer_ms;
    int64_t age = bh_wall_ms() - stored_at;

    if (age < 0) age = 0;
    return b->now + (age < ttl ? ttl - age : 0);
}

/* What no worker stores, as a file from elsewhere can have it, is for nobody:
 * a token names no such org or property, and there is no room for the names. */
static bool
is_for_somebody(const struct bh_event_row *row)
{
    return row->domain.len <= BH_DOMAIN_MAX && row->org.len <= BH_NAME_MAX &&
           row->property.len <= BH_NAME_MAX;
}

static bool
take_row(void *arg, const struct bh_event_row *row)
{
    struct bh_broker *b = arg;
    if (row->seq != b->head + 1) { /* see pass_hole */
        b->hole = row->seq;
        return false;
    }
    if (!is_for_somebody(row)) {
        set_head(b, row->seq, 0);
        return true;
    }
    int64_t expires = expiry(b, row->stored_at);
    struct bh_channel *ch = bh_channel_find(b, row->domain, row->org);
    uint32_t woken = 0;

    struct bh_domain *domain = ch ? ch->domain : bh_domain_get(b, row->domain);

    b->stats.published++;
    domain->v[BH_M_PUBLISHED]++;
    bh_active_add(&domain->active, bh_hash(row->org.p, row->org.len), b->now);
    /* Whoever waits gets it, however old it is. */
    if (expires > b->now && !ch) ch = bh_channel_get(b, row->domain, row->org);
    if (ch && (expires > b->now || ch->n_waiters > 0)) {
        woken = bh_deliver_count(ch, row->property);
        bh_channel_touch(b, ch);
        if (bh_channel_push(b, ch, row->seq, row->body, row->property,
                            expires)) {
            ch->last->stored = row->stored_at;
            ch->last->woken = woken;
        }
        bh_deliver_mark(b, ch);
    } else {
        bh_channel_skip(b, ch, row->seq); /* no room, or too old for anybody */
    }
    set_head(b, row->seq, woken);
    return true;
}

static void
tell_of_log(struct bh_waiter *w)
{
    bh_deliver_gap(w, BH_GAP_LOG);
}

static void
tell_of_pruning(struct bh_waiter *w)
{
    bh_deliver_gap(w, BH_GAP_EXPIRED);
}

/* What is in memory doesn't go on in the log: begin anew after HEAD. */
static void
forget_log(struct bh_broker *b, int64_t head, void (*tell)(struct bh_waiter *))
{
    b->head = head;
    bh_waiters_each(b, tell);
    bh_memos_clear(b);
    bh_channels_clear(b, head);
    bh_answer_put(b->empty); /* it may name another log with the same head */
    b->empty = NULL;
    memset(b->recent, 0, BH_RECENT * sizeof *b->recent);
}

/* Whether the log just opened goes on where reading stopped: the same log, and
 * not an earlier state of it, as a restored backup is. */
static int
goes_on(struct bh_broker *b, bool *same)
{
    struct bh_span span;
    int rc = bh_store_span(b->store, &span);

    *same = rc == 0 && span.head >= b->head &&
            strcmp(b->log_id, bh_store_log_id(b->store)) == 0;
    return rc;
}

/* Another log is read from where the buffers of a broker that had run all along
 * would begin. */
static int
start_reading(struct bh_broker *b)
{
    int64_t seq = 0, from = bh_wall_ms() - b->conf->broker.buffer_ms;
    bool same;
    int rc = goes_on(b, &same);

    b->unread = true;
    if (rc < 0 || same) return rc;
    rc = bh_store_before(b->store, from, &seq);
    if (rc < 0) return rc;
    /* The cursors that are handed out from now on name the new log. */
    memcpy(b->log_id, bh_store_log_id(b->store), sizeof b->log_id);
    b->control.unread = true; /* it has rules of its own */
    forget_log(b, seq, tell_of_log);
    bh_log(BH_NOTICE, "following log %s from %lld", b->log_id, (long long)seq);
    return 0;
}

static void
close_log(struct bh_broker *b)
{
    bh_store_close(b->store);
    b->store = NULL;
}

/* Once, however often it is tried: that is ten times a second. */
static void
complain(struct bh_broker *b, const char *what)
{
    if (!b->failing)
        bh_log(BH_WARN, "%s: %s; trying again", what, bh_store_error(b->store));
    b->failing = true;
}

static void
open_log(struct bh_broker *b)
{
    int rc = bh_store_open_reader(&b->store, b->conf->log.path);

    if (rc == 0) rc = start_reading(b);
    if (rc == 0) return;
    /* Not there yet is no news: the first worker lays it. */
    if (rc != -ENOENT) complain(b, "can't follow the log");
    close_log(b);
}

/*
 * Numbers are missing between what was read and the row b->hole. After a reboot
 * that is as it should be. But pruning may have been faster than a broker that
 * stood still: then nobody knows whom the missing ones were for.
 */
static int
pass_hole(struct bh_broker *b)
{
    int64_t before = b->hole - 1, pruned;
    int rc = bh_store_pruned_any(b->store, &pruned);

    b->hole = 0;
    if (rc < 0) return rc;
    if (pruned <= b->head) {
        set_head(b, before, 0);
        return 0;
    }
    bh_log(BH_WARN,
           "events after %lld were pruned before they were read: clients are "
           "told of a gap",
           (long long)b->head);
    forget_log(b, before, tell_of_pruning);
    return 0;
}

static int
read_rows(struct bh_broker *b)
{
    int rc;

    do {
        rc = bh_store_follow(b->store, b->head, BH_FOLLOW_ROWS, take_row, b);
    } while (rc == 0 && b->hole > 0 && (rc = pass_hole(b)) == 0);
    return rc;
}

void
bh_follow_read(struct bh_broker *b)
{
    int64_t before = b->head;
    int rc;

    b->behind = false;
    if (!b->store) return;
    rc = read_rows(b);
    b->unread = rc < 0; /* ask again at the next check */
    if (rc < 0 && rc != -EBUSY) {
        complain(b, "reading the log");
        close_log(b);
        return;
    }
    if (rc == 0 && b->failing) {
        bh_log(BH_NOTICE, "reading the log again");
        b->failing = false;
    }
    b->behind = b->head - before >= BH_FOLLOW_ROWS;
}

/* A restored backup can end before what has been read. */
static bool
went_back(struct bh_broker *b)
{
    struct bh_span span;

    return bh_store_span(b->store, &span) == 0 && span.head < b->head;
}

static void
check_changed(struct bh_broker *b)
{
    bool changed = false;
    int rc = bh_store_changed(b->store, &changed);

    b->check_at = b->now + BH_FOLLOW_CHECK_MS;
    if (rc < 0 && rc != -EBUSY) {
        close_log(b);
        return;
    }
    if (changed && went_back(b)) {
        bh_log(BH_WARN,
               "the log ends before %lld, which was read already: clients are "
               "told of a gap",
               (long long)b->head);
        close_log(b);
        open_log(b);
    } else if (changed) {
        bh_follow_read(b);
    }
}

void
bh_follow_look(struct bh_broker *b)
{
    if (!b->store) return;
    if (b->behind || b->unread)
        bh_follow_read(b);
    else
        check_changed(b);
}

void
bh_follow_tick(struct bh_broker *b)
{
    if (b->now >= b->stat_at) {
        if (b->store && bh_store_replaced(b->store)) close_log(b);
        if (!b->store) open_log(b);
        b->stat_at =
            b->now + (b->store ? BH_FOLLOW_STAT_MS : BH_FOLLOW_CHECK_MS);
    }
    if (b->behind || b->unread || b->now >= b->check_at) bh_follow_look(b);
}
