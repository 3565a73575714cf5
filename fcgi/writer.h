/*
 * writer.h: the process's one thread that writes to the log. Requests queue
 * here, without holding a thread; it commits all that has queued up at once,
 * tells the broker, and answers each. Started by the first that needs it.
 */
#ifndef BH_WRITER_H
#define BH_WRITER_H

#include "base.h"
#include "err.h"
#include "job.h"
#include "store.h"

struct bh_writer;
/* The paths must outlive it; BROKER_MS as for bh_notes_init. NULL without
 * memory or descriptors. */
struct bh_writer *bh_writer_new(const char *log_path, enum bh_sync sync,
                                const char *broker_path, int broker_ms);
/* Finishes what is queued and ends the thread. NULL is fine. False, and nothing
 * is freed, where the log is locked for too long by somebody else. */
bool bh_writer_free(struct bh_writer *w);

/* A job that takes BATCH over, leaving it empty; NULL without memory. PUBLISHER
 * is the token's user. */
struct bh_job *bh_job_new(struct bh_batch *batch, struct bh_str domain,
                          const char *publisher);
/* One that was never submitted; NULL is fine. */
void bh_job_free(struct bh_job *job);

/*
 * Store JOB, which is taken over in any case. GRANTED: FN will be called, once,
 * perhaps before this returns. RATE_LIMITED: its publisher or its org has too
 * much in the queue. LOG_UNAVAILABLE: the writer has ended, or can't begin.
 */
enum bh_refusal bh_writer_submit(struct bh_writer *w, struct bh_job *job,
                                 bh_job_fn *fn, void *arg);
/* Whether a small job would be taken now; ORG.p NULL: not known yet. */
bool bh_writer_has_room(struct bh_writer *w, struct bh_str publisher,
                        struct bh_str org);
/* Answer those that have waited for too long; to be called every second. Where
 * bh_writer_free() has failed: answer all. */
void bh_writer_expire(struct bh_writer *w);

/* Put a refusal on record, the newest KEEP of them; without waiting, and
 * dropped where there are too many. */
void bh_writer_record(struct bh_writer *w, const struct bh_refused *r,
                      int64_t keep);
/* Record what becomes of each event, the newest KEEP of them; 0: don't. */
void bh_writer_deliveries(struct bh_writer *w, int64_t keep);
/* How many were dropped since the start. */
unsigned long bh_writer_dropped(struct bh_writer *w);

/* Store BEACONS (struct bh_beacon), which are taken over, within a second or so
 * and without waiting; the newest ROWS of the last DAYS are kept. Those for
 * which there is no room stay in the list, counted. */
void bh_writer_telemetry(struct bh_writer *w, struct bh_link *beacons, int rows,
                         int days);

#endif
