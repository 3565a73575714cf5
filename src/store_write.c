#include "base.h"
#include "store_db.h"

#include <errno.h>

#include "clock.h"
#include "log.h"

/* A checkpoint is due whenever the WAL has grown by this many frames (of a page
 * and 24 bytes); beyond the second figure, 16 MiB, it also tries to shrink the
 * file, for which no reader may be in the middle of it. */
#define CHECKPOINT_FRAMES 1000
#define TRUNCATE_FRAMES   4096

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
static int
in_transaction(struct bh_store *s)
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

static void
checkpoint_when_due(struct bh_store *s)
{
    if (s->frames < s->checkpointed) s->checkpointed = 0; /* it began anew */
    if (s->frames - s->checkpointed >= CHECKPOINT_FRAMES) checkpoint(s);
}

int
bh_store_commit(struct bh_store *s)
{
    int rc = in_transaction(s);

    if (rc == 0) rc = bh_store_run(s, BH_Q_COMMIT);
    if (rc == 0) checkpoint_when_due(s);
    bh_store_rollback(s); /* where it is still open, and the lock */
    return rc;
}

void
bh_store_rollback(struct bh_store *s)
{
    if (s->locked && !sqlite3_get_autocommit(s->db)) {
        sqlite3_step(s->q[BH_Q_ROLLBACK]);
        sqlite3_reset(s->q[BH_Q_ROLLBACK]);
    }
    bh_store_unlock(s);
}

int
bh_store_mark(struct bh_store *s)
{
    int rc = in_transaction(s);

    return rc < 0 ? rc : bh_store_run(s, BH_Q_MARK);
}

int
bh_store_unmark(struct bh_store *s, bool keep)
{
    int rc = in_transaction(s);

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

static int
insert(struct bh_store *s, const struct bh_row *row)
{
    sqlite3_stmt *q = s->q[BH_Q_INSERT];

    bh_store_bind(q, 1, row->domain);
    bh_store_bind(q, 2, row->org);
    bh_store_bind(q, 3, row->property);
    bh_store_bind(q, 4, row->event_id);
    bh_store_bind(q, 5, row->event_type);
    sqlite3_bind_int64(q, 6, row->timestamp);
    sqlite3_bind_int64(q, 7, bh_wall_ms());
    bh_store_bind(q, 8, row->publisher);
    bh_store_bind(q, 9, row->body);
    return bh_store_run(s, BH_Q_INSERT);
}

/* Looked up first: INSERT OR IGNORE uses up a number even where it ignores. */
int
bh_store_append(struct bh_store *s, const struct bh_row *row,
                bool (*same)(struct bh_str stored, struct bh_str body),
                int64_t *seq, enum bh_stored *what)
{
    int rc = in_transaction(s);

    if (rc == 0) rc = find(s, row, same, seq, what);
    if (rc < 0 || *seq > 0) return rc;
    rc = insert(s, row);
    if (rc < 0) return rc;
    *seq = sqlite3_last_insert_rowid(s->db);
    *what = BH_STORED;
    return 0;
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
    int rc = in_transaction(s);

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
    int rc = in_transaction(s);

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
    int rc = in_transaction(s);

    if (rc < 0) return rc;
    sqlite3_bind_int64(s->q[BH_Q_TELL_ROWS], 1, rows);
    rc = bh_store_run(s, BH_Q_TELL_ROWS);
    if (rc < 0) return rc;
    sqlite3_bind_int64(s->q[BH_Q_TELL_AGE], 1, before_ms);
    return bh_store_run(s, BH_Q_TELL_AGE);
}

/* *LAST: the end of the run of old events that the log begins with, at most
 * LIMIT long; 0 if there is none. */
static int
old_run(struct bh_store *s, int64_t before_ms, int limit, int64_t *last)
{
    sqlite3_stmt *q = s->q[BH_Q_OLDEST];

    *last = 0;
    while (limit-- > 0 && sqlite3_step(q) == SQLITE_ROW &&
           sqlite3_column_int64(q, 1) < before_ms)
        *last = sqlite3_column_int64(q, 0);
    return bh_store_reset(s, q);
}

/* Only the beginning of the log goes, so that what is left has no hole but
 * reaches back to the pruned seq without one. */
int
bh_store_prune(struct bh_store *s, int64_t before_ms, int limit, int *n)
{
    int64_t last = 0;
    int rc = in_transaction(s);

    *n = 0;
    if (rc == 0) rc = old_run(s, before_ms, limit, &last);
    if (rc < 0 || last == 0) return rc;
    sqlite3_bind_int64(s->q[BH_Q_PRUNE], 1, last);
    rc = bh_store_run(s, BH_Q_PRUNE);
    if (rc < 0) return rc;
    *n = sqlite3_changes(s->db);
    sqlite3_bind_int64(s->q[BH_Q_PRUNED], 1, last);
    return bh_store_run(s, BH_Q_PRUNED);
}
