/*
 * rates.h: how much a name may do, counted over all worker processes: token
 * buckets in a file that they share in memory.
 *
 * A bucket is one number, the time at which it is full again (the generic cell
 * rate algorithm of ITU-T I.371), moved on by compare-and-swap, so nobody ever
 * waits for a lock. Names stand there by a hash under the file's own key, in
 * sets of four slots: a cache line each. A full bucket is the same as none, so
 * its slot is free for any name. Only where five names that hash into one of
 * the 16,384 sets are busy at once does one of them draw on another's bucket,
 * and is then limited sooner than it should be. Two processes that meet a new
 * name in the same instant can let one request more through.
 */
#ifndef BH_RATES_H
#define BH_RATES_H

#include "base.h"

/* N in so many seconds, BURST of them at once after a pause; N 0: no limit. */
struct bh_rate {
    int n, seconds;
    int burst;
};

/* Whose bucket; the same name has one of each kind. */
enum bh_rate_kind {
    BH_RATE_PUBLISHER = 1,
    BH_RATE_ORG,
    BH_RATE_ADDRESS,
    BH_RATE_TELEMETRY,
    BH_RATE_PUBLISHER_HELD, /* for bh_rates_hold */
    BH_RATE_ORG_HELD
};

struct bh_rates;
/*
 * Share PATH, which is made (mode 0660 less umask) or, where it is no file of
 * this kind and boot, made anew in place. Where that fails, and where PATH is
 * NULL, the process counts for itself, and the log says so. NULL: no memory.
 */
struct bh_rates *bh_rates_open(const char *path);
void bh_rates_close(struct bh_rates *t); /* NULL is fine */

/*
 * Take N, 1…BH_BATCH_MAX, out of NAME's bucket at NOW_US of bh_now_us(). 0, or
 * nothing is taken and so many microseconds pass until it can be. More than the
 * burst is had from a full bucket, which then owes it.
 */
int64_t bh_rates_take(struct bh_rates *t, enum bh_rate_kind kind,
                      struct bh_str name, const struct bh_rate *rate, int n,
                      int64_t now_us);
/* Put back what was taken and not used. */
void bh_rates_give(struct bh_rates *t, enum bh_rate_kind kind,
                   struct bh_str name, const struct bh_rate *rate, int n);

/* Hold NAME for US microseconds; how many of them are left. */
void bh_rates_hold(struct bh_rates *t, enum bh_rate_kind kind,
                   struct bh_str name, int64_t us, int64_t now_us);
int64_t bh_rates_held(struct bh_rates *t, enum bh_rate_kind kind,
                      struct bh_str name, int64_t now_us);

#endif
