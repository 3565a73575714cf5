/* proto_stats.c: STATS, STATED and COUNT: what is counted, and what it comes
 * to. Every list of numbers goes with its length, so that two builds whose
 * tables differ part loudly. */
#include "proto.h"

#include <string.h>

static void
put_numbers(struct bh_buf *b, const uint64_t *v, size_t n)
{
    bh_buf_u16(b, (uint16_t)n);
    for (size_t i = 0; i < n; i++) bh_buf_u64(b, v[i]);
}

static void
read_numbers(struct bh_reader *r, uint64_t *v, size_t n)
{
    if (bh_read_u16(r) != n) r->failed = true;
    for (size_t i = 0; i < n && !r->failed; i++) v[i] = bh_read_u64(r);
}

void
bh_stats_encode(struct bh_buf *b)
{
    bh_msg_begin(b, BH_OP_STATS);
}

bool
bh_stats_decode(struct bh_reader *r)
{
    return bh_reader_done(r);
}

void
bh_counts_encode(struct bh_buf *b, const struct bh_counts *m)
{
    bh_msg_begin(b, BH_OP_COUNT);
    put_numbers(b, m->worker, BH_WORKER_METRIC_N);
    put_numbers(b, m->refused, BH_REFUSAL_COUNT);
}

bool
bh_counts_decode(struct bh_reader *r, struct bh_counts *m)
{
    read_numbers(r, m->worker, BH_WORKER_METRIC_N);
    read_numbers(r, m->refused, BH_REFUSAL_COUNT);
    return bh_reader_done(r);
}

static void
put_domain(struct bh_buf *b, const struct bh_domain_report *d)
{
    const struct bh_latency *l = &d->latency;
    const uint64_t marks[] = {l->count, l->sum, l->p50, l->p90, l->p99, l->max};

    bh_buf_lstr(b, d->name, strlen(d->name));
    put_numbers(b, d->v, BH_DOMAIN_METRIC_N);
    put_numbers(b, marks, bh_countof(marks));
    put_numbers(b, l->within, BH_LATENCY_BOUNDS);
}

static void
read_domain(struct bh_reader *r, struct bh_domain_report *d)
{
    struct bh_str name = bh_read_lstr(r, BH_DOMAIN_MAX);
    uint64_t marks[6] = {0};

    if (name.len > 0) memcpy(d->name, name.p, name.len);
    d->name[name.len] = '\0';
    read_numbers(r, d->v, BH_DOMAIN_METRIC_N);
    read_numbers(r, marks, bh_countof(marks));
    d->latency = (struct bh_latency){marks[0], marks[1], marks[2], marks[3],
                                     marks[4], marks[5], {0}};
    read_numbers(r, d->latency.within, BH_LATENCY_BOUNDS);
}

void
bh_stated_encode(struct bh_buf *b, const struct bh_report *m)
{
    bh_msg_begin(b, BH_OP_STATED);
    put_numbers(b, m->broker, BH_BROKER_METRIC_N);
    put_numbers(b, m->worker, BH_WORKER_METRIC_N);
    put_numbers(b, m->refused, BH_REFUSAL_COUNT);
    bh_buf_u16(b, m->n_domains);
    for (uint16_t i = 0; i < m->n_domains; i++) put_domain(b, &m->domains[i]);
}

bool
bh_stated_decode(struct bh_reader *r, struct bh_report *m)
{
    read_numbers(r, m->broker, BH_BROKER_METRIC_N);
    read_numbers(r, m->worker, BH_WORKER_METRIC_N);
    read_numbers(r, m->refused, BH_REFUSAL_COUNT);
    m->n_domains = bh_read_u16(r);
    if (m->n_domains > bh_countof(m->domains)) return false;
    for (uint16_t i = 0; i < m->n_domains; i++) read_domain(r, &m->domains[i]);
    return bh_reader_done(r);
}
