/*
 * notes.h: telling the broker what has been committed, and waiting to hear how
 * many waiters that answered. Used by the writer thread alone; it never blocks
 * for longer than a connection takes.
 */
#ifndef BH_NOTES_H
#define BH_NOTES_H

#include "append.h"
#include "base.h"
#include "list.h"
#include "wire.h"

struct bh_notes {
    struct bh_dial broker;
    int fd; /* to poll for input; -1: no broker */
    uint32_t last_tag;
    struct bh_link waiting; /* groups, the oldest first */
};

/* TIMEOUT_MS is for WELCOME, and for NOTED. */
void bh_notes_init(struct bh_notes *n, const char *path, int timeout_ms);
void bh_notes_fini(struct bh_notes *n); /* none may be waiting */

/*
 * Tell the broker of SPAN, stored by JOBS; they are moved to what waits for the
 * answer. Where there is nobody to answer they go to SETTLED, `woken` unknown.
 */
void bh_notes_send(struct bh_notes *n, const struct bh_span_stored *span,
                   struct bh_link *jobs, struct bh_link *settled);

/* Read what the broker says; its jobs, or all when it has gone, to SETTLED. */
void bh_notes_read(struct bh_notes *n, struct bh_link *settled);

/* Jobs that have waited for timeout_ms to SETTLED, `woken` unknown. */
void bh_notes_expire(struct bh_notes *n, int64_t now_ms,
                     struct bh_link *settled);

/* Milliseconds until bh_notes_expire has something to do, -1: never. */
int bh_notes_timeout(const struct bh_notes *n, int64_t now_ms);

#endif
