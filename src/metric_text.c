/* metric_text.c: Prometheus' text format (Prometheus documentation, "Exposition
 * formats", version 0.0.4). */
#include "metric.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void
put_help(struct bh_buf *out, const char *name, const char *type,
         const char *what)
{
    bh_buf_fmt(out, "# HELP %s %s.\n# TYPE %s %s\n", name, what, name, type);
}

/* HELP and TYPE stand before the first row of a name. */
static void
put_head(struct bh_buf *out, const struct bh_metric *m)
{
    if (m->what[0] == '\0') return;
    put_help(out, m->name, m->kind == BH_METRIC_COUNTER ? "counter" : "gauge",
             m->what);
}

static void
put_sample(struct bh_buf *out, const struct bh_metric *m, const char *domain,
           uint64_t v)
{
    bool both = domain[0] != '\0' && m->label[0] != '\0';

    bh_buf_str(out, m->name);
    if (domain[0] != '\0' || m->label[0] != '\0') bh_buf_str(out, "{");
    if (domain[0] != '\0') bh_buf_fmt(out, "domain=\"%s\"", domain);
    bh_buf_fmt(out, "%s%s", both ? "," : "", m->label);
    if (domain[0] != '\0' || m->label[0] != '\0') bh_buf_str(out, "}");
    bh_buf_fmt(out, " %" PRIu64 "\n", v);
}

static void
put_rows(struct bh_buf *out, const struct bh_metric *rows, size_t n,
         const uint64_t *v)
{
    for (size_t i = 0; i < n; i++) {
        put_head(out, &rows[i]);
        put_sample(out, &rows[i], "", v[i]);
    }
}

/* All samples of one name together, as the format asks. */
static void
put_domains(struct bh_buf *out, const struct bh_report *r)
{
    for (size_t i = 0; i < BH_DOMAIN_METRIC_N; i++) {
        put_head(out, &bh_domain_metrics[i]);
        for (uint16_t d = 0; d < r->n_domains; d++)
            put_sample(out, &bh_domain_metrics[i], r->domains[d].name,
                       r->domains[d].v[i]);
    }
}

#define LATENCY "bellhop_publish_to_deliver_seconds"

static void
put_histogram(struct bh_buf *out, const char *domain,
              const struct bh_latency *l)
{
    for (size_t i = 0; i < BH_LATENCY_BOUNDS; i++)
        bh_buf_fmt(out,
                   LATENCY "_bucket{domain=\"%s\",le=\"%g\"} %" PRIu64 "\n",
                   domain, bh_latency_bounds[i] / 1000.0, l->within[i]);
    bh_buf_fmt(out,
               LATENCY "_bucket{domain=\"%s\",le=\"+Inf\"} %" PRIu64
                       "\n" LATENCY "_sum{domain=\"%s\"} %.3f\n" LATENCY
                       "_count{domain=\"%s\"} %" PRIu64 "\n",
               domain, l->count, domain, (double)l->sum / 1000, domain,
               l->count);
}

static void
put_latency(struct bh_buf *out, const struct bh_report *r)
{
    put_help(out, LATENCY, "histogram",
             "From the commit of an event to its delivery to those who waited");
    for (uint16_t d = 0; d < r->n_domains; d++)
        put_histogram(out, r->domains[d].name, &r->domains[d].latency);
}

static void
put_refused(struct bh_buf *out, const uint64_t *v)
{
    put_help(out, "bellhop_refused_total", "counter",
             "Requests that workers refused, by the refusal's code");
    for (int r = 1; r < BH_REFUSAL_COUNT; r++)
        bh_buf_fmt(out, "bellhop_refused_total{code=\"%s\"} %" PRIu64 "\n",
                   bh_refusal_word((enum bh_refusal)r), v[r]);
}

/* Rows of the broker and of the worker share names: each name once. */
static void
put_local(struct bh_buf *out, const struct bh_report *r)
{
    for (size_t i = 0; i < BH_M_WORKER_UPTIME; i++) {
        if (i == BH_M_LOG_LAG && !r->broker_up) continue;
        put_head(out, &bh_local_metrics[i]);
        put_sample(out, &bh_local_metrics[i], "", r->local[i]);
    }
}

static void
put_processes(struct bh_buf *out, const struct bh_report *r)
{
    for (size_t i = 0; i < BH_LOCAL_METRIC_N - BH_M_WORKER_UPTIME; i++) {
        put_head(out, &bh_broker_metrics[BH_M_BROKER_UPTIME + i]);
        if (r->broker_up)
            put_sample(out, &bh_broker_metrics[BH_M_BROKER_UPTIME + i], "",
                       r->broker[BH_M_BROKER_UPTIME + i]);
        put_sample(out, &bh_local_metrics[BH_M_WORKER_UPTIME + i], "",
                   r->local[BH_M_WORKER_UPTIME + i]);
    }
}

void
bh_report_prometheus(struct bh_buf *out, const struct bh_report *r)
{
    put_help(out, "bellhop_broker_up", "gauge", "Whether the broker answers");
    bh_buf_fmt(out, "bellhop_broker_up %d\n", r->broker_up);
    if (r->broker_up) {
        put_domains(out, r);
        put_latency(out, r);
        put_rows(out, bh_worker_metrics, BH_WORKER_METRIC_N, r->worker);
        put_refused(out, r->refused);
        put_rows(out, bh_broker_metrics, BH_M_BROKER_UPTIME, r->broker);
    }
    put_local(out, r);
    put_processes(out, r);
}
