/* prune.c: bellhopctl prune: what is too old, or too much, goes. */
#include "ctl.h"

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "clock.h"
#include "steps.h"
#include "words.h"

#define SUMMARY_DAYS 400
#define DAY_MS       (86400 * (int64_t)1000)

struct order {
    const char *domain, *org; /* NULL: all */
    int64_t age_ms;           /* 0: not by age */
    int64_t bytes;            /* -1: not by size */
    bool dry, quiet;
};

struct work {
    const struct order *order;
    struct bh_store *s;
    struct bh_steps steps;
    struct bh_bar bar;
    struct bh_prune prune;
    int64_t rows, expected;
    bool by_size; /* of the two limits it is this one's turn */
};

static volatile sig_atomic_t stopped;

/* Between two steps; a second one ends it at once, which does no harm. */
static void
stop(int signo)
{
    stopped = 1;
    signal(signo, SIG_DFL);
}

static bool
is_whole(const struct order *o)
{
    return o->domain == NULL && o->org == NULL;
}

static struct bh_str
str(const char *s)
{
    return (struct bh_str){s, s != NULL ? strlen(s) : 0};
}

/* ---- steps ---- */

static int
prune_step(void *arg, int limit)
{
    struct work *w = arg;
    int n, rc = bh_store_prune(w->s, &w->prune, limit, &n);

    w->rows += n;
    return rc < 0 ? rc : !w->prune.done;
}

/* Whether what is left is small enough; asked where the limit is the file's. */
static bool
fits(struct work *w)
{
    int64_t used = 0;

    if (!w->by_size || !is_whole(w->order)) return false;
    return bh_store_used(w->s, &used) == 0 && used <= w->order->bytes;
}

static int
prune_one(struct work *w)
{
    int64_t rows = 0;
    int rc = 0;

    if (w->order->dry) {
        rc = bh_store_prune_count(w->s, &w->prune, &rows);
        w->rows += rows;
        return rc;
    }
    while (rc >= 0 && !w->prune.done && !fits(w) && !stopped) {
        rc = bh_steps_run(&w->steps, prune_step, w);
        bh_bar_show(&w->bar, w->rows, w->expected);
    }
    return rc < 0 ? rc : 0;
}

/* ---- what goes ---- */

static bool
is_wanted(const char *name, const struct bh_buf *b)
{
    return name == NULL ||
           (strlen(name) == b->len && memcmp(name, b->p, b->len) == 0);
}

/* A channel by itself, wherever it isn't the whole log that goes. */
static int
prune_channels(struct work *w, struct bh_prune model)
{
    struct bh_buf domain = BH_BUF_INIT, org = BH_BUF_INIT;
    bool any = true;
    int rc = 0;

    while (rc == 0 && any && !stopped) {
        rc = bh_store_next_channel(w->s, &domain, &org, &any);
        if (rc < 0 || !any || !is_wanted(w->order->domain, &domain) ||
            !is_wanted(w->order->org, &org))
            continue;
        w->prune = model;
        w->prune.domain = (struct bh_str){domain.p, domain.len};
        w->prune.org = (struct bh_str){org.p, org.len};
        rc = prune_one(w);
    }
    bh_buf_fini(&domain);
    bh_buf_fini(&org);
    return rc;
}

/* In a dry run by size: the share of the rows that is as large as the surplus.
 */
static int
guess(struct work *w)
{
    int64_t used = 0, rows = 0;
    int rc = bh_store_used(w->s, &used);

    if (rc == 0) rc = bh_store_prune_count(w->s, &w->prune, &rows);
    if (rc < 0 || used <= w->order->bytes) return rc;
    rows = (int64_t)((double)rows * (double)(used - w->order->bytes) /
                     (double)used);
    if (rows > w->rows) w->rows = rows;
    return 0;
}

static int
prune_whole(struct work *w, const struct bh_prune *p)
{
    w->prune = *p;
    if (w->by_size && w->order->dry) return guess(w);
    if (!w->by_size && !w->order->dry && !w->order->quiet) {
        int rc = bh_store_prune_count(w->s, p, &w->expected);
        if (rc < 0) return rc;
    }
    return prune_one(w);
}

/* One of the two limits. */
static int
pass(struct work *w, int64_t before_ms)
{
    const struct order *o = w->order;
    struct bh_prune p = {.before_ms = before_ms, .upto = INT64_MAX};
    int rc = 0;

    w->expected = 0;
    if (is_whole(o)) return prune_whole(w, &p);
    if (w->by_size)
        rc = bh_store_oversize(w->s, str(o->domain), str(o->org), o->bytes,
                               &p.upto);
    return rc < 0 ? rc : prune_channels(w, p);
}

static int
tidy(void *arg, int limit)
{
    struct work *w = arg;
    int64_t before = bh_wall_ms() - SUMMARY_DAYS * DAY_MS;
    int n, rc = bh_store_prune_tidy(w->s, limit, &n);

    if (rc < 0 || n > 0) return rc < 0 ? rc : 1;
    rc = bh_store_summary_keep(w->s, before, limit, &n);
    return rc < 0 ? rc : n > 0;
}

/*
 * The last few seconds stay, whatever was asked: a broker holds them in memory,
 * and one that starts reads them from the log.
 */
static int
prune(struct work *w, const struct bh_conf *conf)
{
    const struct order *o = w->order;
    int64_t latest = bh_wall_ms() - conf->broker.buffer_ms * (int64_t)2;
    int64_t old = bh_wall_ms() - o->age_ms;
    int64_t counted;
    /* What goes is counted first: the summaries outlive the events. */
    int rc = o->dry ? 0 : bh_steps_summarize(&w->steps, NULL, &counted);

    if (rc == 0 && o->age_ms > 0) rc = pass(w, old < latest ? old : latest);
    w->by_size = true;
    if (rc == 0 && o->bytes >= 0) rc = pass(w, latest);
    bool more = !o->dry;
    while (rc >= 0 && more && !stopped) {
        rc = bh_steps_run(&w->steps, tidy, w);
        more = rc > 0;
    }
    return rc < 0 ? rc : 0;
}

/* ---- the command ---- */

/* What the next prune would find first. */
static void
report_rest(const struct work *w)
{
    char size[BH_SIZE_MAX];
    int64_t used = 0, first = 0, last = 0;

    bh_store_used(w->s, &used);
    bh_store_extent(w->s, &first, &last);
    if (last > 0)
        printf("left: events %" PRId64 " to %" PRId64 "; %s in use\n", first,
               last, bh_size_text(size, used));
    else
        printf("left: no event; %s in use\n", bh_size_text(size, used));
}

static void
report(const struct work *w)
{
    if (w->order->quiet) return;
    printf("%s %" PRId64 " event%s%s\n",
           w->order->dry ? "would prune" : "pruned", w->rows,
           w->rows == 1 ? "" : "s",
           stopped ? ", and was stopped: run it again for the rest" : "");
    report_rest(w);
    if (w->order->dry) return;
    bh_steps_print(&w->steps);
}

static int
work(const struct order *o, const struct bh_conf *conf)
{
    struct work w = {.order = o, .bar = {.what = "pruning"}};

    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    int rc = o->dry ? bh_store_open_reader(&w.s, conf->log.path)
                    : bh_ctl_writer(&w.s, conf);

    if (rc == 0) {
        if (!o->dry) rc = bh_steps_init(&w.steps, w.s);
        if (rc == 0) rc = prune(&w, conf);
    }
    bh_bar_end(&w.bar);
    if (rc == 0)
        report(&w);
    else
        fprintf(stderr, "bellhopctl: %s\n", bh_store_error(w.s));
    bh_store_close(w.s);
    return rc < 0 ? EX_UNAVAILABLE : stopped ? EX_TEMPFAIL : EX_OK;
}

static const struct option longs[] = {
    {"older-than", required_argument, NULL, 't'},
    {"max-size", required_argument, NULL, 's'},
    {"domain", required_argument, NULL, 'd'},
    {"org", required_argument, NULL, 'o'},
    {"dry-run", no_argument, NULL, 'n'},
    {"quiet", no_argument, NULL, 'q'},
    {NULL, 0, NULL, 0}};

/* NULL, or what is wrong with it; "" for an unknown one. */
static const char *
take_option(struct order *o, int option, const char *value)
{
    switch (option) {
    case 't':
        return bh_parse_age(value, &o->age_ms) && o->age_ms > 0
                   ? NULL
                   : "--older-than takes a number and s, m, h, d or w: 30d";
    case 's':
        return bh_parse_size(value, &o->bytes)
                   ? NULL
                   : "--max-size takes a number and B, k, M, G or T: 2G";
    case 'd':
        o->domain = value;
        return NULL;
    case 'o':
        o->org = value;
        return NULL;
    case 'n':
        o->dry = true;
        return NULL;
    case 'q':
        o->quiet = true;
        return NULL;
    default:
        return "";
    }
}

static int
run(const struct bh_command *c, const char *path, int argc, char **argv)
{
    struct order o = {.bytes = -1};
    int option;

    while ((option = getopt_long(argc, argv, "d:o:nq", longs, NULL)) != -1) {
        const char *wrong = take_option(&o, option, optarg);
        if (wrong != NULL) return bh_ctl_usage(c, *wrong ? wrong : NULL);
    }
    if (optind < argc) return bh_ctl_usage(c, "it takes options only");
    if (o.age_ms == 0 && o.bytes < 0)
        return bh_ctl_usage(c, "say what goes: --older-than or --max-size");
    struct bh_conf *conf = bh_ctl_conf(path);
    int code = work(&o, conf);
    bh_conf_free(conf);
    return code;
}

const struct bh_command bh_cmd_prune = {
    "prune", "delete old events, in steps that nobody notices",
    "Usage: bellhopctl [-c FILE] prune --older-than AGE|--max-size SIZE "
    "[OPTION]...\n"
    "Delete the oldest events of the log. Readers whose cursor lies before "
    "what "
    "is\n"
    "left are told so by a gap (expired). Bellhop goes on meanwhile: each step "
    "aims\n"
    "to hold the writers' lock for 6 ms, so that none holds it for 20.\n"
    "\n"
    "      --older-than=AGE  what was stored before: 90s, 15m, 12h, 30d, 8w\n"
    "      --max-size=SIZE   until so much is left: 500M, 2G. Of the whole "
    "log: "
    "its\n"
    "                        pages in use (the file keeps its size, they are "
    "used\n"
    "                        again); with --domain or --org: the events' text\n"
    "  -d, --domain=NAME     only events of this domain\n"
    "  -o, --org=ORG         only events of this organisation\n"
    "  -n, --dry-run         only say how many (by size of the whole log: "
    "about)\n"
    "  -q, --quiet           say nothing unless it fails\n"
    "\n"
    "With both limits what is beyond either goes.\n"
    "Organisations on hold (bellhopctl hold) are left alone, and so are the "
    "last "
    "few\n"
    "seconds, which brokers may still need.\n"
    "\n"
    "Ctrl-C stops it between two steps. Exit: 0 done, 69 the log can't be "
    "written,\n"
    "75 stopped before it was done.\n"
    "\n"
    "Examples:\n"
    "  bellhopctl prune --older-than 30d --dry-run\n"
    "  bellhopctl prune --older-than 90d --max-size 20G\n"
    "  bellhopctl prune --org hotel-1 --older-than 7d\n",
    run};
