/*
 * domain.h: what the broker counts of each domain. A domain is met by its name,
 * in a request or in a row of the log, and stays: there are at most
 * BH_DOMAINS_MAX of them, and one for all that come after.
 */
#ifndef BH_DOMAIN_H
#define BH_DOMAIN_H

#include "active.h"
#include "base.h"
#include "hist.h"
#include "metric.h"

struct bh_broker;

struct bh_domain {
    char name[BH_DOMAIN_MAX + 1];
    uint64_t v[BH_DOMAIN_METRIC_N];
    struct bh_hist latency; /* ms */
    uint64_t latency_sum;
    struct bh_active active;
    /* How many of its channels hold so many events; the last: or more, where
     * there was no memory for more. */
    uint32_t *sizes;
    uint32_t n_sizes;
    bool clipped;
};

/* Found or made. Never NULL: without memory for one of its own a domain is
 * counted with the others that have none. */
struct bh_domain *bh_domain_get(struct bh_broker *b, struct bh_str name);
int bh_domains_init(struct bh_broker *b);
void bh_domains_fini(struct bh_broker *b);

/* A channel of D had WAS events in memory, and has N now. */
void bh_domain_resize(struct bh_domain *d, uint32_t was, uint32_t n);
/* N who waited for it got an event, MS after its commit. */
void bh_domain_latency(struct bh_domain *d, int64_t ms, uint32_t n);

/* All figures of the broker as they are now. */
void bh_domains_report(struct bh_broker *b, struct bh_report *out);

/* In all, and of the waiter's domain. */
#define bh_waiter_count(w, stat, metric, n)                                    \
    ((w)->broker->stats.stat += (n), (w)->domain->v[BH_M_##metric] += (n))

#endif
