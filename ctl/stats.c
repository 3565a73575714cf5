/* stats.c: bellhopctl stats: the figures, as a table, as JSON or as Prometheus
 * has them. */
#include "control.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "mem.h"
#include "metric.h"

enum form { TABLE, JSON, PROMETHEUS };

struct wish {
    const char *domain; /* NULL: all */
    enum form form;
    int64_t every; /* seconds, 0: once */
};

/* ---- getting them ---- */

static int
look_at_log(struct bh_report *r, const struct bh_conf *conf)
{
    int code;
    int64_t first = 0, last = 0;
    struct bh_store *s = bh_ctl_read(conf, &code);

    if (s == NULL) return code;
    bh_store_extent(s, &first, &last);
    bh_store_close(s);
    r->local[BH_M_LOG_ROWS] = first > 0 ? (uint64_t)(last - first + 1) : 0;
    r->local[BH_M_LOG_BYTES] = (uint64_t)bh_store_bytes(conf->log.path);
    r->local[BH_M_LOG_SEQ] = (uint64_t)last;
    if (r->broker_up && (uint64_t)last > r->broker[BH_M_BROKER_HEAD])
        r->local[BH_M_LOG_LAG] = (uint64_t)last - r->broker[BH_M_BROKER_HEAD];
    return EX_OK;
}

static int
fill(struct bh_report *r, const struct bh_conf *conf)
{
    memset(r, 0, sizeof *r);
    int rc = bh_ctl_stats(conf, r);

    if (rc < 0) return EX_UNAVAILABLE;
    r->broker_up = rc > 0;
    if (rc == 0)
        fprintf(stderr, "bellhopctl: no broker runs at %s\n",
                conf->broker.socket);
    return look_at_log(r, conf);
}

/* ---- showing them ---- */

static void
print_rows(const struct bh_metric *rows, size_t n, const uint64_t *v)
{
    for (size_t i = 0; i < n; i++)
        printf("  %-36s %14" PRIu64 "\n", rows[i].path, v[i]);
}

static void
print_domain(const struct bh_domain_report *d)
{
    const struct bh_latency *l = &d->latency;

    printf("domain %s\n", d->name);
    print_rows(bh_domain_metrics, BH_DOMAIN_METRIC_N, d->v);
    if (l->count == 0) return;
    printf("  %-36s %14" PRIu64 " (p90 %" PRIu64 ", p99 %" PRIu64
           ", max %" PRIu64 ")\n",
           "latency_ms.p50", l->p50, l->p90, l->p99, l->max);
}

static void
print_refused(const uint64_t *v)
{
    for (int r = 1; r < BH_REFUSAL_COUNT; r++)
        if (v[r] > 0)
            printf("  refused.%-28s %14" PRIu64 "\n",
                   bh_refusal_word((enum bh_refusal)r), v[r]);
}

static void
print_table(const struct bh_report *r, const struct wish *w)
{
    for (uint16_t i = 0; i < r->n_domains; i++)
        if (w->domain == NULL || strcmp(w->domain, r->domains[i].name) == 0)
            print_domain(&r->domains[i]);
    if (r->broker_up) {
        puts("workers");
        print_rows(bh_worker_metrics, BH_WORKER_METRIC_N, r->worker);
        print_refused(r->refused);
        puts("broker");
        print_rows(bh_broker_metrics, BH_BROKER_METRIC_N, r->broker);
    }
    puts("log");
    print_rows(bh_local_metrics,
               r->broker_up ? BH_M_WORKER_UPTIME : BH_M_LOG_LAG, r->local);
}

static void
add_json(struct bh_buf *out, const struct bh_report *r, const char *domain)
{
    bh_report_json(out, r, (struct bh_str){domain, strlen(domain)});
}

/* The configuration's domains: a broker that is away names none. */
static void
print_json(struct bh_buf *out, const struct bh_report *r, const struct wish *w,
           const struct bh_conf *conf)
{
    if (w->domain != NULL) {
        add_json(out, r, w->domain);
        return;
    }
    bh_buf_str(out, "[");
    for (size_t i = 0; i < conf->n_domains; i++) {
        if (i > 0) bh_buf_str(out, ",");
        add_json(out, r, conf->domains[i].name);
    }
    bh_buf_str(out, "]");
}

static void
print(const struct bh_report *r, const struct wish *w,
      const struct bh_conf *conf)
{
    struct bh_buf out = BH_BUF_INIT;

    if (w->form == TABLE)
        print_table(r, w);
    else if (w->form == JSON)
        print_json(&out, r, w, conf);
    else
        bh_report_prometheus(&out, r);
    if (w->form == JSON) bh_buf_str(&out, "\n");
    fputs(bh_buf_cstr(&out), stdout);
    bh_buf_fini(&out);
}

/* Once, or again and again, on a terminal each over the one before. */
static int
show(const struct bh_conf *conf, const struct wish *w)
{
    struct bh_report *r = bh_alloc(sizeof *r);
    int code = r != NULL ? fill(r, conf) : EX_OSERR;

    while (code == EX_OK) {
        if (w->every > 0 && isatty(STDOUT_FILENO))
            fputs("\033[H\033[J", stdout);
        print(r, w, conf);
        if (!bh_ctl_flush() || w->every == 0) break;
        nanosleep(&(struct timespec){w->every, 0}, NULL);
        code = fill(r, conf);
    }
    bh_free(r);
    return code;
}

static int
run(const struct bh_command *c, const char *path, int argc, char **argv)
{
    static const struct option options[] = {
        {"domain", required_argument, NULL, 'd'},
        {"json", no_argument, NULL, 'j'},
        {"prometheus", no_argument, NULL, 'p'},
        {"watch", optional_argument, NULL, 'w'},
        {NULL, 0, NULL, 0}};
    struct wish w = {NULL, TABLE, 0};
    int o;

    while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (o == 'd')
            w.domain = optarg;
        else if (o == 'j')
            w.form = JSON;
        else if (o == 'p')
            w.form = PROMETHEUS;
        else if (o == 'w')
            w.every =
                optarg != NULL ? bh_ctl_number("--watch", optarg, 1, 3600) : 2;
        else
            return bh_ctl_usage(c, NULL);
    }
    if (optind < argc) return bh_ctl_usage(c, "it takes no arguments");
    struct bh_conf *conf = bh_ctl_conf(path);
    int code = EX_OK;
    if (w.domain != NULL &&
        bh_conf_domain(conf, w.domain, strlen(w.domain)) == NULL)
        code = bh_ctl_usage(c, "the configuration has no such domain");
    if (code == EX_OK) code = show(conf, &w);
    bh_conf_free(conf);
    return code;
}

const struct bh_command bh_cmd_stats = {
    "stats", "show what broker and workers count",
    "Usage: bellhopctl [-c FILE] stats [--domain NAME] [--json | "
    "--prometheus]\n"
    "                                  [--watch[=SECONDS]]\n"
    "Show the figures of docs/metrics.md: of each domain, of all workers, of "
    "the\n"
    "broker and of the log.\n"
    "\n"
    "  --domain NAME      one domain only\n"
    "  --json             as GET /NAME/realtime/metrics answers\n"
    "  --prometheus       as GET /metrics answers\n"
    "  --watch[=SECONDS]  again every 2 (or so many) seconds\n"
    "\n"
    "Examples: bellhopctl stats --domain tasks\n"
    "          bellhopctl stats --watch=5\n",
    run};
