#include "metric.h"

#include <inttypes.h>
#include <string.h>

#define ROW(sym, kind, path, name, label, what)                                \
    {BH_METRIC_##kind, path, name, label, what},
const struct bh_metric bh_domain_metrics[] = {BH_DOMAIN_METRICS(ROW)};
const struct bh_metric bh_broker_metrics[] = {BH_BROKER_METRICS(ROW)};
const struct bh_metric bh_worker_metrics[] = {BH_WORKER_METRICS(ROW)};
const struct bh_metric bh_local_metrics[] = {BH_LOCAL_METRICS(ROW)};
#undef ROW

const uint32_t bh_latency_bounds[BH_LATENCY_BOUNDS] = {
    1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000};

const struct bh_domain_report *
bh_report_domain(const struct bh_report *r, struct bh_str name)
{
    for (uint16_t i = 0; i < r->n_domains; i++)
        if (strlen(r->domains[i].name) == name.len &&
            memcmp(r->domains[i].name, name.p, name.len) == 0)
            return &r->domains[i];
    return NULL;
}
