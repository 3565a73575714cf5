#include "base.h"
#include "store_db.h"

#include <errno.h>

#include "clock.h"
#include "log.h"

/* A checkpoint is due whenever the WAL has grown by this many frames (of a page
 * and 24 bytes), 16 MiB: what is written again and again, such as the ends of
 * channels in their index, is then copied once, and synced once. Beyond the
 * second figure, 32 MiB, it also tries to shrink the file, for which no reader
 * may be in the middle of it. */
#define CHECKPOINT_FRAMES 4000
#define TRUNCATE_FRAMES   8192
/* A reader in the middle of it keeps the WAL from beginning anew after a
 * checkpoint. Then the next one is due as soon as this, 1 MiB. */
#define AGAIN_FRAMES 256
/* For a gentle handle. */
#define GENTLE_FRAMES 128

/* ---- the transaction ---- */

int
bh_store_begin(struct bh_store *s)
{
    int rc = bh_store_lock(s);

    if (rc < 0) return rc;
    if (bh_store_replaced(s))
        rc = bh_store_say(s, -ESTALE, "another file stands there now");
    if (rc == 0) rc = bh_store_run(s, BH_Q_BEGIN);
    if (rc < 0) bh_store_unlock(s);
    return rc;
}

/*
 * Whether the transaction is there. After some failures, a full disk say,
 * SQLite takes it back by itself; what is written then would be committed
 * statement by statement. So all that follows fails as that did.
 */
int
bh_store_within(struct bh_store *s)
{
    if (!s->locked) return bh_store_say(s, -EINVAL, "no transaction is open");
    if (!sqlite3_get_autocommit(s->db)) return 0;
    return s->failed < 0 ? s->failed : -EIO;
}

/* No waiting in here: the lock is held, and a reader that stands in the way is
 * gone by one of the next times. The commit stands whatever comes of it. */
static void
checkpoint(struct bh_store *s)
{
    int mode = s->frames > TRUNCATE_FRAMES ? SQLITE_CHECKPOINT_TRUNCATE
                                           : SQLITE_CHECKPOINT_PASSIVE;

    sqlite3_busy_timeout(s->db, 0);
    int rc = sqlite3_wal_checkpoint_v2(s->db, NULL, mode, NULL, NULL);
    sqlite3_busy_timeout(s->db, BH_STORE_WAIT_MS);
    s->checkpointed = s->frames;
    if (rc == SQLITE_OK || (rc & 0xff) == SQLITE_BUSY) return;
    bh_store_fail(s);
    bh_log(BH_WARN, "log: checkpoint: %s", s->error);
}

static bool
checkpoint_is_due(struct bh_store *s)
{
    int each = s->gentle ? GENTLE_FRAMES : CHECKPOINT_FRAMES;

    if (s->frames < s->checkpointed) s->checkpointed = 0; /* it began anew */
    if (s->checkpointed > 0 && each > AGAIN_FRAMES) each = AGAIN_FRAMES;
    return s->frames - s->checkpointed >= each;
}

static void
checkpoint_when_due(struct bh_store *s)
{
    if (checkpoint_is_due(s)) checkpoint(s);
}

/* What deletes and counts may be taken back by a power failure, all of it or
 * nothing: it is done again. No number is given out by it. */
int
bh_store_gentle(struct bh_store *s)
{
    s->gentle = true;
    return bh_store_execute(s, "PRAGMA synchronous = NORMAL");
}

int
bh_store_checkpoint(struct bh_store *s, int64_t *held_us)
{
    int rc = checkpoint_is_due(s) ? bh_store_lock(s) : -EAGAIN;

    if (rc < 0) return rc == -EAGAIN ? 0 : rc;
    int64_t began = bh_now_us();
    bool replaced = bh_store_replaced(s);
    if (!replaced) checkpoint(s);
    bh_store_unlock(s);
    *held_us = bh_now_us() - began;
    return replaced ? 0 : 1;
}

int
bh_store_commit_held(struct bh_store *s)
{
    int rc = bh_store_within(s);

    if (rc == 0) rc = bh_store_run(s, BH_Q_COMMIT);
    if (rc < 0) bh_store_rollback(s); /* where it is still open, and the lock */
    return rc;
}

void
bh_store_release(struct bh_store *s)
{
    if (!s->locked) return;
    if (!s->gentle) checkpoint_when_due(s);
    bh_store_unlock(s);
}

int
bh_store_commit(struct bh_store *s)
{
    int rc = bh_store_commit_held(s);

    if (rc == 0) bh_store_release(s);
    return rc;
}

void
bh_store_rollback(struct bh_store *s)
{
    if (s->locked && !sqlite3_get_autocommit(s->db)) {
        sqlite3_step(s->q[BH_Q_ROLLBACK]);
        sqlite3_reset(s->q[BH_Q_ROLLBACK]);
        s->hour = 0;
    }
    bh_store_unlock(s);
}

int
bh_store_mark(struct bh_store *s)
{
    int rc = bh_store_within(s);

    return rc < 0 ? rc : bh_store_run(s, BH_Q_MARK);
}

int
bh_store_unmark(struct bh_store *s, bool keep)
{
    int rc = bh_store_within(s);

    if (!keep) s->hour = 0;
    if (rc == 0 && !keep) rc = bh_store_run(s, BH_Q_UNDO);
    return rc < 0 ? rc : bh_store_run(s, BH_Q_UNMARK);
}

/* ---- what is written ---- */

/* *SEQ: of the event of the same name, 0 if there is none. */
static int
find(struct bh_store *s, const struct bh_row *row,
     bool (*same)(struct bh_str, struct bh_str), int64_t *seq,
     enum bh_stored *what)
{
    sqlite3_stmt *q = s->q[BH_Q_FIND];

    *seq = 0;
    bh_store_bind(q, 1, row->domain);
    bh_store_bind(q, 2, row->org);
    bh_store_bind(q, 3, row->event_id);
    if (sqlite3_step(q) == SQLITE_ROW) {
        *seq = sqlite3_column_int64(q, 0);
        *what =
            same(bh_store_column(q, 1), row->body) ? BH_DUPLICATE : BH_CONFLICT;
    }
    return bh_store_reset(s, q);
}

#define HOUR_MS (3600 * (int64_t)1000)

/* The first event of an hour says where the hour begins. */
static int
open_hour(struct bh_store *s, int64_t now_ms, int64_t seq)
{
    int64_t hour = now_ms / HOUR_MS * HOUR_MS;

    if (s->hour == hour) return 0;
    s->hour = hour;
    sqlite3_bind_int64(s->q[BH_Q_HOUR], 1, hour);
    sqlite3_bind_int64(s->q[BH_Q_HOUR], 2, seq);
    return bh_store_run(s, BH_Q_HOUR);
}

/* *NEW: whether there was none of this name. Its index finds out by the way,
 * and nothing is written then, nor a number used up. */
static int
insert(struct bh_store *s, const struct bh_row *row, int64_t now_ms, bool *new)
{
    sqlite3_stmt *q = s->q[BH_Q_INSERT];

    bh_store_bind(q, 1, row->domain);
    bh_store_bind(q, 2, row->org);
    bh_store_bind(q, 3, row->property);
    bh_store_bind(q, 4, row->event_id);
    bh_store_bind(q, 5, row->event_type);
    sqlite3_bind_int64(q, 6, row->timestamp);
    sqlite3_bind_int64(q, 7, now_ms);
    bh_store_bind(q, 8, row->publisher);
    bh_store_bind(q, 9, row->body);
    *new = sqlite3_step(q) == SQLITE_DONE ||
           sqlite3_extended_errcode(s->db) != SQLITE_CONSTRAINT_UNIQUE;
    if (*new) return bh_store_reset(s, q);
    sqlite3_reset(q);
    return 0;
}

/* Sent again: counted, for whoever wonders. */
static int
count_again(struct bh_store *s, const struct bh_row *row, int64_t seq)
{
    sqlite3_stmt *q = s->q[BH_Q_AGAIN];
    int64_t now = bh_wall_ms();

    sqlite3_bind_int64(q, 1, now / HOUR_MS * HOUR_MS);
    bh_store_bind(q, 2, row->domain);
    bh_store_bind(q, 3, row->org);
    bh_store_bind(q, 4, row->publisher);
    sqlite3_bind_int64(q, 5, now);
    sqlite3_bind_int64(q, 6, seq);
    return bh_store_run(s, BH_Q_AGAIN);
}

static int
append_again(struct bh_store *s, const struct bh_row *row,
             bool (*same)(struct bh_str, struct bh_str), int64_t *seq,
             enum bh_stored *what)
{
    int rc = find(s, row, same, seq, what);

    if (rc < 0) return rc;
    if (*seq == 0)
        return bh_store_say(s, -EIO,
                            "an event is in the index only; run "
                            "bellhopctl verify");
    return *what == BH_DUPLICATE ? count_again(s, row, *seq) : 0;
}

/* INSERT OR IGNORE would use up a number even where it ignores. */
int
bh_store_append(struct bh_store *s, const struct bh_row *row,
                bool (*same)(struct bh_str stored, struct bh_str body),
                int64_t *seq, enum bh_stored *what)
{
    int64_t now = bh_wall_ms();
    bool new = false;
    int rc = bh_store_within(s);

    if (rc == 0) rc = insert(s, row, now, &new);
    if (rc < 0) return rc;
    if (!new) return append_again(s, row, same, seq, what);
    *seq = sqlite3_last_insert_rowid(s->db);
    *what = BH_STORED;
    return open_hour(s, now, *seq);
}

/* An absent text is '' here. */
static void
bind_word(sqlite3_stmt *q, int i, struct bh_str v)
{
    bh_store_bind(q, i, v.p ? v : (struct bh_str){"", 0});
}

int
bh_store_refusal(struct bh_store *s, const struct bh_refused *r, int64_t keep)
{
    sqlite3_stmt *q = s->q[BH_Q_REFUSE];
    int rc = bh_store_within(s);

    if (rc < 0) return rc;
    sqlite3_bind_int64(q, 1, bh_wall_ms());
    bind_word(q, 2, r->domain);
    bind_word(q, 3, r->org);
    bind_word(q, 4, r->subject);
    bind_word(q, 5, r->code);
    bind_word(q, 6, r->pointer);
    bind_word(q, 7, r->detail);
    bind_word(q, 8, r->request_id);
    sqlite3_bind_int64(q, 9, r->bytes);
    rc = bh_store_run(s, BH_Q_REFUSE);
    if (rc < 0) return rc;
    sqlite3_bind_int64(s->q[BH_Q_FORGET], 1,
                       sqlite3_last_insert_rowid(s->db) - keep);
    return bh_store_run(s, BH_Q_FORGET);
}

int
bh_store_telemetry(struct bh_store *s, const struct bh_telemetry *t)
{
    sqlite3_stmt *q = s->q[BH_Q_TELL];
    int rc = bh_store_within(s);

    if (rc < 0) return rc;
    sqlite3_bind_int64(q, 1, bh_wall_ms());
    bind_word(q, 2, t->type);
    bind_word(q, 3, t->domain);
    bind_word(q, 4, t->session);
    bind_word(q, 5, t->tab);
    if (t->timestamp >= 0)
        sqlite3_bind_int64(q, 6, t->timestamp);
    else
        sqlite3_bind_null(q, 6);
    bind_word(q, 7, t->data);
    return bh_store_run(s, BH_Q_TELL);
}

int
bh_store_telemetry_keep(struct bh_store *s, int64_t rows, int64_t before_ms)
{
    int rc = bh_store_within(s);

    if (rc < 0) return rc;
    sqlite3_bind_int64(s->q[BH_Q_TELL_ROWS], 1, rows);
    rc = bh_store_run(s, BH_Q_TELL_ROWS);
    if (rc < 0) return rc;
    sqlite3_bind_int64(s->q[BH_Q_TELL_AGE], 1, before_ms);
    return bh_store_run(s, BH_Q_TELL_AGE);
}

static int
deliver(struct bh_store *s, const struct bh_delivery *d)
{
    sqlite3_stmt *q = s->q[BH_Q_DELIVERY];

    sqlite3_bind_int64(q, 1, d->seq);
    if (d->woken < 0)
        sqlite3_bind_null(q, 2);
    else
        sqlite3_bind_int64(q, 2, d->woken);
    sqlite3_bind_int64(q, 3, d->took_us);
    return bh_store_run(s, BH_Q_DELIVERY);
}

/* Rows go a little faster than they come, so that a smaller KEEP is reached
 * without a long transaction. */
int
bh_store_deliveries(struct bh_store *s, const struct bh_delivery *v, size_t n,
                    int64_t keep)
{
    int rc = bh_store_within(s);
    int64_t last = 0;

    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = deliver(s, &v[i]);
        if (v[i].seq > last) last = v[i].seq;
    }
    if (rc < 0 || last <= keep) return rc;
    sqlite3_bind_int64(s->q[BH_Q_DELIVERY_ROWS], 1, last - keep);
    sqlite3_bind_int64(s->q[BH_Q_DELIVERY_ROWS], 2, (int64_t)n * 2 + 10);
    return bh_store_run(s, BH_Q_DELIVERY_ROWS);
}
