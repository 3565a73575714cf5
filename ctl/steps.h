/* steps.h: long work on the log in transactions so short that nobody who
 * publishes notices. */
#ifndef BH_CTL_STEPS_H
#define BH_CTL_STEPS_H

#include "store_admin.h"
#include "words.h"

struct bh_steps {
    struct bh_store *store;
    int limit;          /* rows in the next step, by how long the last took */
    int n;              /* steps so far */
    int64_t longest_us; /* for which one of them held the writers' lock */
    int64_t over;       /* how many held it for longer than they should */
};

void bh_steps_init(struct bh_steps *t, struct bh_store *s);
/* One transaction: FN is told how many rows it may touch. Afterwards others get
 * half as much time as it took. 0 or a negative errno, then nothing was
 * changed. */
int bh_steps_run(struct bh_steps *t, int (*fn)(void *arg, int limit),
                 void *arg);
/* Count what the log holds now into its summaries. BAR may be NULL. *ROWS: how
 * many events and deliveries that were. */
int bh_steps_summarize(struct bh_steps *t, struct bh_bar *bar, int64_t *rows);

#endif
