/* append.h: group commit. Writes a group of publish requests, refusals and
 * telemetry to the log in one transaction. Used by the writer thread alone. */
#ifndef BH_APPEND_H
#define BH_APPEND_H

#include "base.h"
#include "job.h"
#include "list.h"
#include "record.h"
#include "store.h"

struct bh_append {
    const char *path;
    enum bh_sync sync;
    struct bh_store *store; /* NULL: opened by the next group */
    bool failing;           /* said so in the log */
};

/* The rows that a group has stored; first is 0 where there are none. */
struct bh_span_stored {
    int64_t first, last;
};

/*
 * Store GROUP and give each job its outcome and results. Either all is
 * committed, but for requests in conflict, of which nothing is; or every
 * outcome is LOG_UNAVAILABLE. The log is opened when it has to be. After a
 * commit its lock is still held, see bh_append_release().
 */
struct bh_span_stored bh_append_group(struct bh_append *a,
                                      struct bh_group *group);
/* Checkpoint where it is due, and let others write. To be called soon; but
 * whoever waits for the commit can be told first. */
void bh_append_release(struct bh_append *a);
void bh_append_fini(struct bh_append *a);

#endif
