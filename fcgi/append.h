/* append.h: group commit. Writes a group of publish requests, and refusals, to
 * the log in one transaction. Used by the writer thread alone. */
#ifndef BH_APPEND_H
#define BH_APPEND_H

#include "base.h"
#include "job.h"
#include "list.h"
#include "store.h"

/* A refused publish as it waits for the writer. */
struct bh_refusal_note {
    struct bh_link link;
    char domain[BH_DOMAIN_MAX + 1];
    char org[BH_NAME_MAX + 1], subject[BH_NAME_MAX + 1];
    char pointer[BH_POINTER_MAX], detail[128];
    char request_id[BH_REQUEST_ID_MAX + 1];
    char code[32];
    int64_t bytes, keep;
};

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
 * Store JOBS (struct bh_job, link) and NOTES (struct bh_refusal_note) and give
 * each job its outcome and results. Either all is committed, but for requests
 * in conflict, of which nothing is; or every outcome is LOG_UNAVAILABLE. The
 * log is opened when it has to be.
 */
struct bh_span_stored bh_append_group(struct bh_append *a, struct bh_link *jobs,
                                      struct bh_link *notes);
void bh_append_fini(struct bh_append *a);

/* For the lists above. */
#define bh_job_of(l)  bh_container_of(l, struct bh_job, link)
#define bh_note_of(l) bh_container_of(l, struct bh_refusal_note, link)

#endif
