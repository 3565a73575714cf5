#include "limit.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "count.h"
#include "rates.h"
#include "writer.h"

#define RETRY_MAX 3600 /* seconds; no client need be told of longer */
#define HOLD_US   1000000

static void
refuse(struct bh_call *call, int64_t wait_us, enum bh_worker_metric count,
       const char *detail)
{
    int64_t seconds = (wait_us + 999999) / 1000000;

    bh_count(count, 1);
    bh_refuse(call, BH_RATE_LIMITED, detail);
    call->reply.retry_after = seconds < RETRY_MAX ? (int)seconds : RETRY_MAX;
}

/* ---- publish ---- */

static const char slow_publisher[] =
    "Too many events of one publisher; nothing was stored. Wait for "
    "Retry-After, then send the same again.";
static const char slow_org[] =
    "Too many events of one organisation; nothing was stored. Wait for "
    "Retry-After, then send the same again.";

static struct bh_str
user_of(const struct bh_call *call)
{
    return (struct bh_str){call->claims->user, strlen(call->claims->user)};
}

/* The only org that the token can publish to; empty where it can to any. */
static struct bh_str
org_of(const struct bh_call *call)
{
    const char *org = call->claims->org != NULL ? call->claims->org : "";

    return (struct bh_str){org, strlen(org)};
}

/* Not for longer than HOLD_US, since a smaller request might pass sooner. */
static void
hold(struct bh_call *call, enum bh_rate_kind kind, struct bh_str name,
     int64_t wait_us, int64_t now)
{
    bh_rates_hold(call->worker->rates, kind, name,
                  wait_us < HOLD_US ? wait_us : HOLD_US, now);
}

static const char crowded[] =
    "Too many publishes of one publisher or organisation wait to be stored; "
    "this one was not. Wait for Retry-After, then send the same again.";

void
bh_limit_crowded(struct bh_call *call)
{
    refuse(call, 1000000, BH_M_LIMITED_PUBLISHER, crowded);
}

/* Before its body is read. */
static bool
has_room(struct bh_call *call)
{
    struct bh_str org = {call->claims->org, 0};

    if (org.p != NULL) org.len = strlen(org.p);
    if (bh_writer_has_room(call->worker->writer, user_of(call), org))
        return true;
    bh_limit_crowded(call);
    return false;
}

bool
bh_limit_waited(struct bh_call *call)
{
    const struct bh_conf *conf = call->setup->conf;
    struct bh_rates *rates = call->worker->rates;
    struct bh_str org = org_of(call);
    int64_t now = bh_now_us(), wait = 0;

    if (conf->limits.publisher_rate > 0)
        wait = bh_rates_held(rates, BH_RATE_PUBLISHER_HELD, user_of(call), now);
    if (wait > 0) {
        refuse(call, wait, BH_M_LIMITED_PUBLISHER, slow_publisher);
        return false;
    }
    if (conf->limits.org_rate > 0 && org.len > 0)
        wait = bh_rates_held(rates, BH_RATE_ORG_HELD, org, now);
    if (wait > 0) refuse(call, wait, BH_M_LIMITED_ORG, slow_org);
    return wait == 0 && has_room(call);
}

/* Events of one org, which lie together in ORDER. */
struct share {
    struct bh_str org;
    int n;
};

static int
compare_orgs(const void *a, const void *b, void *batch)
{
    struct bh_str x =
        ((const struct bh_batch *)batch)->v[*(const uint16_t *)a].org;
    struct bh_str y =
        ((const struct bh_batch *)batch)->v[*(const uint16_t *)b].org;

    if (x.len != y.len) return x.len < y.len ? -1 : 1;
    return memcmp(x.p, y.p, x.len);
}

/* The orgs of BATCH and how many events of each there are. */
static size_t
count_orgs(struct share out[BH_BATCH_MAX], const struct bh_batch *batch)
{
    uint16_t order[BH_BATCH_MAX];
    size_t n = 0;

    for (size_t i = 0; i < batch->n; i++) order[i] = (uint16_t)i;
    qsort_r(order, batch->n, sizeof order[0], compare_orgs,
            (void *)(uintptr_t)batch);
    for (size_t i = 0; i < batch->n; i++) {
        if (i == 0 || compare_orgs(&order[i - 1], &order[i],
                                   (void *)(uintptr_t)batch) != 0)
            out[n++] = (struct share){batch->v[order[i]].org, 0};
        out[n - 1].n++;
    }
    return n;
}

static bool
limit_orgs(struct bh_call *call, const struct bh_batch *batch, int64_t now)
{
    const struct bh_conf *conf = call->setup->conf;
    const struct bh_rate rate = {conf->limits.org_rate, 1,
                                 conf->limits.org_burst};
    struct bh_rates *rates = call->worker->rates;
    struct share orgs[BH_BATCH_MAX];

    if (rate.n == 0) return true;
    size_t n = count_orgs(orgs, batch);
    for (size_t i = 0; i < n; i++) {
        int64_t wait = bh_rates_take(rates, BH_RATE_ORG, orgs[i].org, &rate,
                                     orgs[i].n, now);
        if (wait == 0) continue;
        while (i-- > 0)
            bh_rates_give(rates, BH_RATE_ORG, orgs[i].org, &rate, orgs[i].n);
        refuse(call, wait, BH_M_LIMITED_ORG, slow_org);
        if (org_of(call).len > 0)
            hold(call, BH_RATE_ORG_HELD, org_of(call), wait, now);
        return false;
    }
    return true;
}

bool
bh_limit_publish(struct bh_call *call, const struct bh_batch *batch)
{
    const struct bh_conf *conf = call->setup->conf;
    const struct bh_rate rate = {conf->limits.publisher_rate, 1,
                                 conf->limits.publisher_burst};
    struct bh_rates *rates = call->worker->rates;
    struct bh_str user = user_of(call);
    int64_t now = bh_now_us();
    int64_t wait = bh_rates_take(rates, BH_RATE_PUBLISHER, user, &rate,
                                 (int)batch->n, now);

    if (wait > 0) {
        refuse(call, wait, BH_M_LIMITED_PUBLISHER, slow_publisher);
        hold(call, BH_RATE_PUBLISHER_HELD, user, wait, now);
        return false;
    }
    if (limit_orgs(call, batch, now)) return true;
    bh_rates_give(rates, BH_RATE_PUBLISHER, user, &rate, (int)batch->n);
    return false;
}

/* ---- telemetry ---- */

bool
bh_limit_address(struct bh_call *call)
{
    const struct bh_conf *conf = call->setup->conf;
    const struct bh_rate rate = {conf->telemetry.address_rate, 60,
                                 conf->telemetry.address_burst};
    struct bh_str address = {(const char *)call->rq->address,
                             sizeof call->rq->address};
    int64_t wait = bh_rates_take(call->worker->rates, BH_RATE_ADDRESS, address,
                                 &rate, 1, bh_now_us());

    if (wait > 0)
        refuse(call, wait, BH_M_LIMITED_ADDRESS,
               "Too many requests from one address.");
    return wait == 0;
}

bool
bh_limit_telemetry(struct bh_call *call, int n)
{
    const struct bh_conf *conf = call->setup->conf;
    const struct bh_rate rate = {conf->telemetry.rate, 1,
                                 conf->telemetry.burst};
    int64_t wait = bh_rates_take(call->worker->rates, BH_RATE_TELEMETRY,
                                 (struct bh_str){"", 0}, &rate, n, bh_now_us());

    if (wait > 0)
        refuse(call, wait, BH_M_LIMITED_TELEMETRY,
               "Too much telemetry from everybody together.");
    return wait == 0;
}
