#include "base.h"
#include "domain.h"

#include <string.h>

#include "broker.h"
#include "mem.h"
#include "process.h"

#define OTHERS "other domains"

static struct bh_domain *
domain_new(struct bh_broker *b, struct bh_str name)
{
    uint32_t n = (uint32_t)b->conf->broker.buffer_events + 2;
    struct bh_domain *d = bh_zalloc(sizeof *d);

    if (!d) return NULL;
    d->sizes = bh_zalloc(n * sizeof *d->sizes);
    d->n_sizes = n;
    if (!d->sizes) {
        bh_free(d);
        return NULL;
    }
    memcpy(d->name, name.p, name.len);
    return d;
}

int
bh_domains_init(struct bh_broker *b)
{
    b->domains[0] = domain_new(b, (struct bh_str){OTHERS, sizeof OTHERS - 1});
    b->n_domains = 1;
    return b->domains[0] ? 0 : -1;
}

void
bh_domains_fini(struct bh_broker *b)
{
    for (size_t i = 0; i < b->n_domains; i++) {
        if (b->domains[i]) bh_free(b->domains[i]->sizes);
        bh_free(b->domains[i]);
    }
    b->n_domains = 0;
}

struct bh_domain *
bh_domain_get(struct bh_broker *b, struct bh_str name)
{
    for (size_t i = 1; i < b->n_domains; i++)
        if (strncmp(b->domains[i]->name, name.p, name.len) == 0 &&
            b->domains[i]->name[name.len] == '\0')
            return b->domains[i];
    if (b->n_domains > BH_DOMAINS_MAX) return b->domains[0];
    struct bh_domain *d = domain_new(b, name);
    if (!d) return b->domains[0];
    b->domains[b->n_domains++] = d;
    return d;
}

/* ---- counting ---- */

/* A reload may let channels hold more than when D was made. Once the last slot
 * has stood for several sizes it goes on doing so. */
static void
make_room(struct bh_domain *d, uint32_t n)
{
    if (n < d->n_sizes || d->clipped) return;
    uint32_t *more = bh_realloc(d->sizes, 2 * n * sizeof *more);
    d->clipped = !more;
    if (!more) return;
    memset(more + d->n_sizes, 0, (2 * n - d->n_sizes) * sizeof *more);
    d->sizes = more;
    d->n_sizes = 2 * n;
}

static uint32_t
size_slot(const struct bh_domain *d, uint32_t n)
{
    return n < d->n_sizes ? n : d->n_sizes - 1;
}

void
bh_domain_resize(struct bh_domain *d, uint32_t was, uint32_t n)
{
    make_room(d, n);
    if (was > 0) d->sizes[size_slot(d, was)]--;
    if (n > 0) d->sizes[size_slot(d, n)]++;
    d->v[BH_M_BUFFERED] += n;
    d->v[BH_M_BUFFERED] -= was;
}

void
bh_domain_latency(struct bh_domain *d, int64_t ms, uint32_t n)
{
    if (ms < 0) ms = 0;
    bh_hist_add_n(&d->latency, ms, n);
    d->latency_sum += (uint64_t)ms * n;
}

/* ---- reporting ---- */

static uint64_t
largest(const struct bh_domain *d)
{
    uint32_t n = d->n_sizes;

    while (--n > 0)
        if (d->sizes[n] > 0) return n;
    return 0;
}

static void
report_latency(struct bh_latency *out, const struct bh_domain *d)
{
    const struct bh_hist *h = &d->latency;

    *out = (struct bh_latency){.count = h->count,
                               .sum = d->latency_sum,
                               .p50 = bh_hist_percentile(h, 50),
                               .p90 = bh_hist_percentile(h, 90),
                               .p99 = bh_hist_percentile(h, 99),
                               .max = h->max};
    for (size_t i = 0; i < BH_LATENCY_BOUNDS; i++)
        out->within[i] = bh_hist_within(h, bh_latency_bounds[i]);
}

static void
report_domain(struct bh_domain_report *out, const struct bh_domain *d,
              int64_t now)
{
    memcpy(out->name, d->name, sizeof out->name);
    memcpy(out->v, d->v, sizeof out->v);
    out->v[BH_M_ACTIVE] = bh_active_count(&d->active, now);
    out->v[BH_M_BUFFERED_MAX] = largest(d);
    report_latency(&out->latency, d);
}

/* One that nothing has happened in is left out: the others, usually. */
static bool
is_empty(const struct bh_domain *d)
{
    for (size_t i = 0; i < BH_DOMAIN_METRIC_N; i++)
        if (d->v[i] > 0) return false;
    return true;
}

static void
report_broker(const struct bh_broker *b, uint64_t *v)
{
    struct bh_process p = bh_process_now();

    v[BH_M_WAITERS_LIMIT] = b->max_waiters;
    v[BH_M_CHANNEL_LIMIT] = (uint64_t)b->conf->broker.waiters_per_channel;
    v[BH_M_USER_LIMIT] = (uint64_t)b->conf->broker.waiters_per_user;
    v[BH_M_PUBLISHER_LIMIT] = (uint64_t)b->conf->limits.publisher_rate;
    v[BH_M_ORG_LIMIT] = (uint64_t)b->conf->limits.org_rate;
    v[BH_M_BODY_LIMIT] = (uint64_t)b->conf->limits.body_bytes;
    v[BH_M_BAD_MESSAGES] = b->stats.bad_messages;
    v[BH_M_WORKERS] = b->n_conns;
    v[BH_M_BROKER_HEAD] = (uint64_t)b->head;
    v[BH_M_BROKER_UPTIME] = (uint64_t)p.uptime_s;
    v[BH_M_BROKER_MEMORY] = (uint64_t)p.memory;
    v[BH_M_BROKER_FDS] = (uint64_t)p.descriptors;
}

void
bh_domains_report(struct bh_broker *b, struct bh_report *out)
{
    memset(out, 0, sizeof *out);
    out->broker_up = true;
    for (size_t i = 0; i < b->n_domains; i++)
        if (i > 0 || !is_empty(b->domains[i]))
            report_domain(&out->domains[out->n_domains++], b->domains[i],
                          b->now);
    report_broker(b, out->broker);
    memcpy(out->worker, b->counts.worker, sizeof out->worker);
    memcpy(out->refused, b->counts.refused, sizeof out->refused);
}
