/* steps.h: long work on the log in transactions so short that nobody who
 * publishes notices. */
#ifndef BH_CTL_STEPS_H
#define BH_CTL_STEPS_H

#include "store_admin.h"
#include "words.h"

/* What fits into a hold of the writers' lock is not known beforehand: pages may
 * be cold, the disk slow. So a step is made of slices, the clock is looked at
 * after each, and the time that the commit takes is set aside. */
struct bh_steps {
    struct bh_store *store;
    int slice;          /* rows, by how long the slowest lately took */
    int64_t slice_us;   /* what a slice is expected to take */
    int64_t commit_us;  /* what a commit is expected to take */
    int n;              /* holds of the writers' lock so far */
    int64_t longest_us; /* the longest of them */
    int64_t at_work_us; /* of which the processor was ours for so long */
    int64_t over;       /* how many were longer than they should be */
};

/* 0 or a negative errno. */
int bh_steps_init(struct bh_steps *t, struct bh_store *s);
/*
 * One transaction: FN is called, with the number of rows that it may touch,
 * until time is up or it returns 0; it returns 1 while there is more to do, or
 * a negative errno. Afterwards others get half as much time as it took. Returns
 * what FN returned last; after an errno nothing was changed.
 */
int bh_steps_run(struct bh_steps *t, int (*fn)(void *arg, int limit),
                 void *arg);
/* Count what the log holds now into its summaries. BAR may be NULL. *ROWS: how
 * many events and deliveries that were. */
int bh_steps_summarize(struct bh_steps *t, struct bh_bar *bar, int64_t *rows);

/* "12 times the writers' lock was held, for at most 4.0 ms (…)", to stdout. */
void bh_steps_print(const struct bh_steps *t);

#endif
