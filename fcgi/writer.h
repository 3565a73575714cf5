/*
 * writer.h: the process's one thread that writes to the log. Requests queue
 * here; it commits all that has queued up at once, tells the broker, and
 * answers each. Started by the first request that needs it.
 */
#ifndef BH_WRITER_H
#define BH_WRITER_H

#include "base.h"
#include "err.h"
#include "job.h"
#include "store.h"

struct bh_writer;
/* The paths must outlive it. NULL without memory or descriptors. */
struct bh_writer *bh_writer_new(const char *log_path, enum bh_sync sync,
                                const char *broker_path);
/* Finishes what is queued and ends the thread. NULL is fine. */
void bh_writer_free(struct bh_writer *w);

/* A job that takes BATCH over, leaving it empty; NULL without memory. PUBLISHER
 * is the token's user. */
struct bh_job *bh_job_new(struct bh_batch *batch, struct bh_str domain,
                          const char *publisher);
/* Returns the caller's reference. */
void bh_job_put(struct bh_writer *w, struct bh_job *job);

/*
 * Store a job and wait for it. GRANTED: committed, job->results are valid.
 * EVENT_CONFLICT: nothing stored, job->conflict. LOG_UNAVAILABLE: not stored,
 * or it can't be said yet, and the job isn't to be read; sending the same again
 * is safe.
 */
enum bh_refusal bh_writer_submit(struct bh_writer *w, struct bh_job *job);

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
