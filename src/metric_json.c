#include "metric.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A member of the object, by its dotted path. */
struct member {
    char path[48];
    char text[24];
    bool written;
};

#define MEMBERS_MAX 128

struct members {
    struct member v[MEMBERS_MAX];
    size_t n;
};

_Static_assert((int)BH_DOMAIN_METRIC_N + (int)BH_BROKER_METRIC_N +
                       (int)BH_WORKER_METRIC_N + (int)BH_LOCAL_METRIC_N +
                       (int)BH_REFUSAL_COUNT + 8 <
                   MEMBERS_MAX,
               "more members than there is room for");

/* ---- collecting ---- */

static struct member *
add(struct members *m, const char *group, const char *name)
{
    struct member *new = &m->v[m->n++];

    snprintf(new->path, sizeof new->path, "%s%s", group, name);
    return new;
}

static void
add_number(struct members *m, const char *path, bool known, uint64_t v)
{
    struct member *new = add(m, "", path);

    if (known)
        snprintf(new->text, sizeof new->text, "%" PRIu64, v);
    else
        strcpy(new->text, "null");
}

static void
add_rows(struct members *m, const struct bh_metric *rows, size_t n, bool known,
         const uint64_t *v)
{
    for (size_t i = 0; i < n; i++) add_number(m, rows[i].path, known, v[i]);
}

/* What follows from other figures. */
static void
add_derived(struct members *m, bool known, const uint64_t *v)
{
    double orgs = v[BH_M_ORGS] > 0 ? (double)v[BH_M_ORGS] : 1;
    struct member *average;

    add_number(m, "subscribers.active_count", known,
               v[BH_M_POLLS] + v[BH_M_STREAMS] + v[BH_M_LINES]);
    average = add(m, "buffers.", "avg_per_org");
    if (known)
        snprintf(average->text, sizeof average->text, "%.3f",
                 (double)v[BH_M_BUFFERED] / orgs);
    else
        strcpy(average->text, "null");
}

static void
add_latency(struct members *m, bool up, const struct bh_latency *l)
{
    bool known = up && l->count > 0;

    add_number(m, "latency_ms.p50", known, l->p50);
    add_number(m, "latency_ms.p90", known, l->p90);
    add_number(m, "latency_ms.p99", known, l->p99);
    add_number(m, "latency_ms.max", known, l->max);
    add_number(m, "latency_ms.count", up, l->count);
}

static void
add_refused(struct members *m, bool known, const uint64_t *v)
{
    for (int r = 1; r < BH_REFUSAL_COUNT; r++) {
        struct member *new =
            add(m, "refused.", bh_refusal_word((enum bh_refusal)r));
        if (known)
            snprintf(new->text, sizeof new->text, "%" PRIu64, v[r]);
        else
            strcpy(new->text, "null");
    }
}

static void
collect(struct members *m, const struct bh_report *r,
        const struct bh_domain_report *d)
{
    bool up = r->broker_up;

    add_rows(m, bh_domain_metrics, BH_DOMAIN_METRIC_N, up, d->v);
    add_derived(m, up, d->v);
    add_latency(m, up, &d->latency);
    add_rows(m, bh_worker_metrics, BH_WORKER_METRIC_N, up, r->worker);
    add_refused(m, up, r->refused);
    add_rows(m, bh_broker_metrics, BH_BROKER_METRIC_N, up, r->broker);
    for (size_t i = 0; i < BH_LOCAL_METRIC_N; i++)
        add_number(m, bh_local_metrics[i].path, up || i != BH_M_LOG_LAG,
                   r->local[i]);
}

/* ---- writing ---- */

/* How many bytes of the dotted groups of A and B are the same. */
static size_t
common(const char *a, const char *b)
{
    size_t n = 0;

    for (size_t i = 0; a[i] != '\0' && a[i] == b[i]; i++)
        if (a[i] == '.') n = i + 1;
    return n;
}

static void
close_groups(struct bh_buf *out, const char *path)
{
    while ((path = strchr(path, '.')) != NULL) {
        bh_buf_str(out, "}");
        path++;
    }
}

/* LAST is the path of the member before, "" at the beginning. */
static void
put_member(struct bh_buf *out, struct member *m, const char *last)
{
    size_t same = common(last, m->path);
    const char *p = m->path + same;

    close_groups(out, last + same);
    bh_buf_str(out, ",");
    for (const char *dot; (dot = strchr(p, '.')) != NULL; p = dot + 1)
        bh_buf_fmt(out, "\"%.*s\":{", (int)(dot - p), p);
    bh_buf_fmt(out, "\"%s\":%s", p, m->text);
    m->written = true;
}

/* Those of one group follow each other, wherever they stood. */
static void
put_members(struct bh_buf *out, struct members *m)
{
    const char *last = "";

    for (size_t i = 0; i < m->n; i++)
        for (size_t j = i; j < m->n; j++) {
            struct member *next = &m->v[j];
            size_t group = strcspn(m->v[i].path, ".") + 1;
            if (next->written || strncmp(next->path, m->v[i].path, group) != 0)
                continue;
            put_member(out, next, last);
            last = next->path;
        }
    close_groups(out, last);
}

void
bh_report_json(struct bh_buf *out, const struct bh_report *r,
               struct bh_str name)
{
    static const struct bh_domain_report none; /* nothing has happened in it */
    const struct bh_domain_report *d = bh_report_domain(r, name);
    struct members m;

    m.n = 0;
    memset(m.v, 0, sizeof m.v);
    collect(&m, r, d != NULL ? d : &none);
    bh_buf_fmt(out, "{\"domain\":\"%.*s\",\"up\":%s", (int)name.len, name.p,
               r->broker_up ? "true" : "false");
    put_members(out, &m);
    bh_buf_str(out, "}");
}
