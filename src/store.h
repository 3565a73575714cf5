/*
 * store.h: the event log, a SQLite database. Only src/store*.c know SQLite.
 *
 * SQLite before 3.51.3 can corrupt a WAL database when one connection commits
 * while another checkpoints. So whoever writes holds an exclusive flock(2) on
 * "<path>.lock" from before BEGIN IMMEDIATE until its checkpoint is done, no
 * connection checkpoints when it closes, and everybody else opens read-only.
 * Readers hold no transaction between two calls.
 *
 * A handle belongs to one thread at a time and does not survive fork(2).
 * Functions return 0 or a negative errno: -EBUSY where the log is locked for
 * longer than the handle waits, -EIO or -ENOSPC from the disk, -EINVAL for a
 * file that is no log of ours, -ENOMEM. bh_store_error() has the words.
 */
#ifndef BH_STORE_H
#define BH_STORE_H

#include "base.h"
#include "buf.h"
#include "rules.h"

struct bh_store;

enum bh_sync { BH_SYNC_FULL, BH_SYNC_NORMAL };

/*
 * Open for writing: creates the file (mode 0660 less umask) or migrates it,
 * under the lock. Where a writer had it open with SYNC_NORMAL in an earlier
 * boot the sequence is moved on by a million, since commits that a power
 * failure took back may have been seen. On failure *OUT is NULL, here and
 * below.
 */
int bh_store_open_writer(struct bh_store **out, const char *path,
                         enum bh_sync sync);
/* -ENOENT where there is no log yet, -EINVAL where its version is another. */
int bh_store_open_reader(struct bh_store **out, const char *path);
void bh_store_close(struct bh_store *s); /* NULL is fine */
/* What failed last on this handle, with the file's name; valid until the next
 * call. NULL: why this thread's last open failed. */
const char *bh_store_error(const struct bh_store *s);
/* BH_LOG_ID_LEN hex digits. */
const char *bh_store_log_id(const struct bh_store *s);

/* ---- writing: between begin and commit the flock is held ---- */

/* -ESTALE where PATH names another file now: close, and open again. */
int bh_store_begin(struct bh_store *s);

/* An event ready to be stored. BODY is the compact JSON text as published. */
struct bh_row {
    struct bh_str domain, org, property; /* property.p NULL: none */
    struct bh_str event_id, event_type, publisher;
    int64_t timestamp;
    struct bh_str body;
};
enum bh_stored { BH_STORED, BH_DUPLICATE, BH_CONFLICT };
/*
 * Append, unless (domain, org, event_id) is there. *SEQ is the new or the first
 * seq. SAME decides whether the stored body and the new one say the same.
 * Never uses up a seq without storing.
 */
int bh_store_append(struct bh_store *s, const struct bh_row *row,
                    bool (*same)(struct bh_str stored, struct bh_str body),
                    int64_t *seq, enum bh_stored *what);

/* A savepoint around one request, so that it alone can be taken back. */
int bh_store_mark(struct bh_store *s);
int bh_store_unmark(struct bh_store *s, bool keep);

struct bh_refused {
    struct bh_str domain, org, subject; /* org may be empty */
    struct bh_str code, pointer, detail, request_id;
    int64_t bytes; /* the request's body */
};
/* Keeps the newest KEEP rows. */
int bh_store_refusal(struct bh_store *s, const struct bh_refused *r,
                     int64_t keep);

/* What a client told of itself. */
struct bh_telemetry {
    struct bh_str type, domain, session, tab; /* the last two may be empty */
    int64_t timestamp;                        /* the client's, or -1 */
    struct bh_str data;                       /* a compact JSON object */
};
int bh_store_telemetry(struct bh_store *s, const struct bh_telemetry *t);
/* Delete all but the newest ROWS, and of those older than BEFORE_MS some. */
int bh_store_telemetry_keep(struct bh_store *s, int64_t rows,
                            int64_t before_ms);

/* What became of an event. WOKEN < 0: nobody knows. Of an event that was pruned
 * meanwhile it is kept as well, until it is old. */
struct bh_delivery {
    int64_t seq, woken;
    int64_t took_us;
};
/* The newest KEEP rows are kept; a surplus goes bit by bit. */
int bh_store_deliveries(struct bh_store *s, const struct bh_delivery *v,
                        size_t n, int64_t keep);

/* Refuse the tokens of a name; the same entry again replaces the first. Entries
 * that have ended go. -EDQUOT, and take the transaction back, where there are
 * more than BH_DENIED_MAX. */
struct bh_denied {
    enum bh_denied_kind kind;
    struct bh_str value, org;  /* org may be empty: of any */
    int64_t until, created_at; /* wall clock, ms; until 0: for good */
    struct bh_str reason;
};
int bh_store_deny(struct bh_store *s, const struct bh_denied *d);
int bh_store_undeny(struct bh_store *s, enum bh_denied_kind kind,
                    struct bh_str value, struct bh_str org, bool *found);
int bh_store_switch(struct bh_store *s, struct bh_str domain, bool enabled);

/* Commit, checkpoint where the WAL has grown, release the lock. After a
 * failure nothing of the transaction is stored and the lock is released. */
int bh_store_commit(struct bh_store *s);
/* The same in two steps, for whoever has something to say in between: the lock
 * is held from a commit until the release, which checkpoints. */
int bh_store_commit_held(struct bh_store *s);
void bh_store_release(struct bh_store *s); /* nothing where it isn't held */
void bh_store_rollback(struct bh_store *s);

/* ---- reading ---- */

struct bh_span {
    int64_t head;   /* the last seq; 0 in a new log */
    int64_t pruned; /* the highest seq ever pruned from all; 0 if none */
};
int bh_store_span(struct bh_store *s, struct bh_span *out);
/* *SEQ: of this channel nothing may be left up to here. It was pruned with the
 * whole log or by itself, or held back from that. */
int bh_store_pruned(struct bh_store *s, struct bh_str domain, struct bh_str org,
                    int64_t *seq);

/* *SEQ: the highest seq ever pruned from anybody. */
int bh_store_pruned_any(struct bh_store *s, int64_t *seq);

/* The lowest and the highest seq that is stored; 0 and 0 in an empty log. */
int bh_store_extent(struct bh_store *s, int64_t *first, int64_t *last);

/* Of the file and its WAL; 0 where there is none. */
int64_t bh_store_bytes(const char *path);

/* *CHANGED: another connection has committed since the last call (PRAGMA
 * data_version). Cheap enough for ten times a second. */
int bh_store_changed(struct bh_store *s, bool *changed);

/* Whether PATH now names another file than the one that is open. */
bool bh_store_replaced(const struct bh_store *s);

/* A stored event as it is read; the strings live until the callback returns. */
struct bh_event_row {
    int64_t seq;
    int64_t stored_at;                   /* wall clock, ms */
    struct bh_str domain, org, property; /* property.p NULL: none */
    struct bh_str event_id, event_type;
    struct bh_str body;
};
/* Return false to stop before the next row. Must not use the same handle. */
typedef bool bh_row_fn(void *arg, const struct bh_event_row *row);

/* All domains, seq > AFTER, ascending, at most LIMIT rows. */
int bh_store_follow(struct bh_store *s, int64_t after, int limit, bh_row_fn *fn,
                    void *arg);
/* One channel, seq > AFTER, ascending, at most LIMIT rows. ALL: no filter; else
 * the N properties and the events without one. */
int bh_store_page(struct bh_store *s, struct bh_str domain, struct bh_str org,
                  bool all, const struct bh_str *properties, size_t n,
                  int64_t after, int limit, bh_row_fn *fn, void *arg);
/* *SEQ: the last seq whose stored_at is before WALL_MS, looking back from the
 * head; 0 if there is none. Assumes stored_at hardly ever goes back. */
int bh_store_before(struct bh_store *s, int64_t wall_ms, int64_t *seq);
/* The deny list as it stands, and what was said of each domain; return false to
 * stop. */
typedef bool bh_denied_fn(void *arg, const struct bh_denied *d);
int bh_store_denied(struct bh_store *s, bh_denied_fn *fn, void *arg);
typedef bool bh_switch_fn(void *arg, struct bh_str domain, bool enabled,
                          int64_t changed_at);
int bh_store_switches(struct bh_store *s, bh_switch_fn *fn, void *arg);
/* Both as rules, without what has ended: the caller's to put. */
int bh_store_rules(struct bh_store *s, struct bh_rules **out);
/* *ANY: whether the channel has an event in (AFTER, UPTO]. */
int bh_store_between(struct bh_store *s, struct bh_str domain,
                     struct bh_str org, int64_t after, int64_t upto, bool *any);

#endif
