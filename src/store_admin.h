/*
 * store_admin.h: what admins do with the event log: search, prune, hold,
 * summarise, back up, restore, verify. Of the store*.c family; what store.h
 * says of handles, locks and errors holds here.
 */
#ifndef BH_STORE_ADMIN_H
#define BH_STORE_ADMIN_H

#include "store.h"

/* ---- searching: store_search.c ---- */

/* Which events are wanted. A text with p NULL, or a time of 0: any. */
struct bh_search {
    struct bh_str domain, org, property, type, id;
    int64_t since_ms, until_ms; /* stored from … until before */
};
/* Matching events with AFTER < seq, ascending, at most LIMIT rows. */
int bh_store_search(struct bh_store *s, const struct bh_search *q,
                    int64_t after, int limit, bh_row_fn *fn, void *arg);
/* *AFTER: where to search from, to get the last N matching events. */
int bh_store_search_last(struct bh_store *s, const struct bh_search *q, int n,
                         int64_t *after);

/* ---- pruning: store_prune.c ---- */

/*
 * What is to go: what was stored before BEFORE_MS and lies at or below UPTO, of
 * one channel or of all. It is the beginning of the log (of the channel) that
 * goes: pruning ends at the first event that is younger. Events of an org on
 * hold stay.
 */
struct bh_prune {
    struct bh_str domain, org; /* p NULL: the whole log */
    int64_t before_ms, upto;
    int64_t from; /* how far it has come; 0 at first */
    bool done;
};
/*
 * The next step, at most LIMIT rows, in an open transaction; *N: how many went.
 * How far it reaches is remembered, for all or for the channel: see
 * bh_store_pruned. Sets p->done where there is nothing more.
 */
int bh_store_prune(struct bh_store *s, struct bh_prune *p, int limit, int *n);
/* *ROWS: how many bh_store_prune would delete, all steps together. */
int bh_store_prune_count(struct bh_store *s, const struct bh_prune *p,
                         int64_t *rows);
/* Marks of channels that a mark of the whole log has overtaken go, LIMIT of
 * them; *N: how many. In a transaction. */
int bh_store_prune_tidy(struct bh_store *s, int limit, int *n);
/*
 * From now on a commit on this handle lets go of the lock sooner: it waits for
 * no disk, and doesn't checkpoint; bh_store_checkpoint does, little and often,
 * in a hold of its own. Not for a handle that appends events.
 */
int bh_store_gentle(struct bh_store *s);
/* Where one is due. 1, and for how long the lock was held; 0: it wasn't due; or
 * a negative errno. Outside of a transaction. */
int bh_store_checkpoint(struct bh_store *s, int64_t *held_us);
/* *BYTES: what is in use of the file, free pages not counted. */
int bh_store_used(struct bh_store *s, int64_t *bytes);
/* *UPTO: the seq up to which the events of a domain, or of an org, must go so
 * that the bodies of the rest take at most BYTES; 0: none. p NULL: any. */
int bh_store_oversize(struct bh_store *s, struct bh_str domain,
                      struct bh_str org, int64_t bytes, int64_t *upto);
/* The channel after (DOMAIN, ORG) in the order of their names, both replaced;
 * *ANY false: there is none. Two empty buffers to begin with. */
int bh_store_next_channel(struct bh_store *s, struct bh_buf *domain,
                          struct bh_buf *org, bool *any);

/* In a transaction. *CHANGED: it was not so before. */
int bh_store_hold(struct bh_store *s, struct bh_str org, struct bh_str reason,
                  bool *changed);
int bh_store_unhold(struct bh_store *s, struct bh_str org, bool *changed);
struct bh_hold {
    struct bh_str org, reason;
    int64_t held_at;
};
int bh_store_holds(struct bh_store *s,
                   void (*fn)(void *arg, const struct bh_hold *), void *arg);

/* ---- summaries: store_sum.c ---- */

/* In a transaction: count the next LIMIT events and deliveries into the summary
 * tables; *N: how many there were. */
int bh_store_summarize(struct bh_store *s, int limit, int *n);
/* *UPTO: the last event counted. */
int bh_store_summarized(struct bh_store *s, int64_t *upto);
/* In a transaction: what was counted before BEFORE_MS goes, LIMIT rows of it;
 * *N: how many. */
int bh_store_summary_keep(struct bh_store *s, int64_t before_ms, int limit,
                          int *n);

/* ---- the last while: store_tally.c ---- */

enum bh_tally { BH_TALLY_REFUSALS, BH_TALLY_TELEMETRY };
/* How often each refusal's code, or each type of telemetry, was stored since
 * then, the most frequent first. WORD lives until FN returns. */
typedef void bh_tally_fn(void *arg, struct bh_str word, int64_t n);
int bh_store_tally(struct bh_store *s, enum bh_tally what, int64_t since_ms,
                   bh_tally_fn *fn, void *arg);

/* ---- copies: store_copy.c ---- */

/*
 * Copy the log at PATH, as it is at this moment, to TO, which must not be
 * there, while others write. TO is one file, synced; a journal that an earlier
 * file of its name has left is removed. PROGRESS (may be NULL) is told pages
 * done and in all. Afterwards *EVENTS of both were compared and TO was checked;
 * on failure TO is gone, and ERR has a sentence.
 */
typedef void bh_progress_fn(void *arg, int64_t done, int64_t all);
int bh_store_backup(const char *path, const char *to, bh_progress_fn *progress,
                    void *arg, int64_t *events, char *err, size_t err_size);
/*
 * Put a copy of the log FROM in the place of PATH, under the writers' lock and
 * with a new name, so that every cursor of before is told of a gap. What was
 * there is moved to ASIDE (with what belongs to it). Broker and workers may be
 * running: they open the new log by themselves.
 */
int bh_store_restore(const char *path, const char *from, const char *aside,
                     bool *had_one, int64_t *events, char *err,
                     size_t err_size);

/* ---- checking: store_verify.c ---- */

enum bh_finding { BH_FOUND_GOOD, BH_FOUND_NOTE, BH_FOUND_BAD };
typedef void bh_finding_fn(void *arg, enum bh_finding kind, const char *text);
/* Look for damage, order, counts and foreign things in the file at PATH; QUICK
 * leaves out what reads every event. Each finding is told. 0, or the errno of
 * a file that can't be opened, with a sentence in ERR. */
int bh_store_verify(const char *path, bool quick, bh_finding_fn *fn, void *arg,
                    char *err, size_t err_size);

#endif
