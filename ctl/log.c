/* log.c: bellhopctl log: watch the log of events. Reads only. */
#include "ctl.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "buf.h"
#include "event.h"
#include "log.h"
#include "store.h"

#define LOOK_MS   200  /* between two looks at the log while following */
#define ROWS      1000 /* read at once */
#define LIMIT_MAX 1000000

struct view {
    const char *domain, *org; /* NULL: all */
    int limit;
    bool follow, json;
    int64_t after; /* the last seq seen */
    bool broken;   /* nobody reads what is printed */
};

static volatile sig_atomic_t stopped;

static void
stop(int signo)
{
    (void)signo;
    stopped = 1;
}

/* Not restarted, so that a sleep ends. A reader that leaves ends us quietly. */
static void
take_signals(void)
{
    struct sigaction sa = {.sa_handler = stop};

    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static bool
is_named(struct bh_str s, const char *name)
{
    return name == NULL ||
           (s.len == strlen(name) && memcmp(s.p, name, s.len) == 0);
}

static void
print_json(const struct bh_event_row *row)
{
    struct bh_buf line = BH_BUF_INIT;

    bh_event_with_seq(&line, row->body, row->seq);
    if (!line.failed) printf("%.*s\n", (int)line.len, line.p);
    bh_buf_fini(&line);
}

static const char *
word(char out[BH_WORD_MAX], struct bh_str s)
{
    return bh_log_word(out, BH_WORD_MAX, s.p, s.len);
}

static void
print_line(const struct bh_event_row *row)
{
    char domain[BH_WORD_MAX], org[BH_WORD_MAX], property[BH_WORD_MAX];
    char type[BH_WORD_MAX], id[BH_WORD_MAX], at[32];
    time_t seconds = (time_t)(row->stored_at / 1000);
    struct tm tm;

    gmtime_r(&seconds, &tm);
    strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%S", &tm);
    printf("%s.%03dZ %8lld  %s  %s  %s  %s  %s\n", at,
           (int)(row->stored_at % 1000), (long long)row->seq,
           word(domain, row->domain), word(org, row->org),
           word(property, row->property), word(type, row->event_type),
           word(id, row->event_id));
}

static bool
show(void *arg, const struct bh_event_row *row)
{
    struct view *v = arg;

    v->after = row->seq;
    if (!is_named(row->domain, v->domain) || !is_named(row->org, v->org))
        return true;
    if (v->json)
        print_json(row);
    else
        print_line(row);
    v->broken = ferror(stdout) != 0;
    return !v->broken;
}

static int
show_new(struct bh_store *s, struct view *v)
{
    int64_t before;
    int rc;

    do {
        before = v->after;
        rc = bh_store_follow(s, v->after, ROWS, show, v);
        if (fflush(stdout) != 0) v->broken = true;
    } while (rc == 0 && v->after > before && !v->broken && !stopped);
    return rc;
}

/* Wait for the next commit. */
static int
await(struct bh_store *s)
{
    struct timespec pause = {0, LOOK_MS * 1000000L};
    bool changed = false;
    int rc = 0;

    while (rc == 0 && !changed && !stopped) {
        nanosleep(&pause, NULL);
        if (bh_store_replaced(s)) return -ESTALE;
        rc = bh_store_changed(s, &changed);
    }
    return rc;
}

/* Seqs have next to no holes, so the last LIMIT are the last LIMIT events,
 * before the filter. */
static int
start(struct bh_store *s, struct view *v)
{
    struct bh_span span;
    bool changed;
    int rc = bh_store_span(s, &span);

    if (rc == 0) rc = bh_store_changed(s, &changed);
    if (rc == 0 && span.head > v->limit) v->after = span.head - v->limit;
    return rc;
}

static int
watch(const char *path, struct view *v)
{
    struct bh_store *s;
    int rc = bh_store_open_reader(&s, path);

    if (rc == 0) rc = start(s, v);
    if (rc == 0) rc = show_new(s, v);
    while (rc == 0 && v->follow && !stopped && !v->broken) {
        rc = await(s);
        if (rc == 0) rc = show_new(s, v);
    }
    if (rc == -ESTALE)
        fprintf(stderr, "bellhopctl: the log was replaced; start again\n");
    else if (rc < 0)
        fprintf(stderr, "bellhopctl: %s\n", bh_store_error(s));
    bh_store_close(s);
    return rc < 0 ? EX_UNAVAILABLE : EX_OK;
}

static const struct option longs[] = {{"domain", required_argument, NULL, 'd'},
                                      {"org", required_argument, NULL, 'o'},
                                      {"limit", required_argument, NULL, 'n'},
                                      {"follow", no_argument, NULL, 'f'},
                                      {"json", no_argument, NULL, 'j'},
                                      {NULL, 0, NULL, 0}};

static int
run(const struct bh_command *c, const char *path, int argc, char **argv)
{
    struct view v = {.limit = 10};
    int o;

    while ((o = getopt_long(argc, argv, "d:o:n:fj", longs, NULL)) != -1) {
        switch (o) {
        case 'd':
            v.domain = optarg;
            break;
        case 'o':
            v.org = optarg;
            break;
        case 'n':
            v.limit = (int)bh_ctl_number("--limit", optarg, 0, LIMIT_MAX);
            break;
        case 'f':
            v.follow = true;
            break;
        case 'j':
            v.json = true;
            break;
        default:
            return bh_ctl_usage(c, NULL);
        }
    }
    if (optind < argc) return bh_ctl_usage(c, "it takes options only");
    struct bh_conf *conf = bh_ctl_conf(path);
    take_signals();
    int code = watch(conf->log.path, &v);
    bh_conf_free(conf);
    return code;
}

const struct bh_command bh_cmd_log = {
    "log", "print the last events of the log, or watch it",
    "Usage: bellhopctl [-c FILE] log [OPTION]...\n"
    "Print the last events of the log: time, seq, domain, org, property, type, "
    "id.\n"
    "\n"
    "  -f, --follow       go on printing events as they are stored\n"
    "  -n, --limit=N      look at the last N events, 10 unless said\n"
    "  -d, --domain=NAME  only events of this domain\n"
    "  -o, --org=ORG      only events of this organisation\n"
    "  -j, --json         the events themselves, one a line\n"
    "\n"
    "Examples:\n"
    "  bellhopctl log --follow --org hotel-1\n"
    "  bellhopctl log -n 1000 --json | jq .payload\n",
    run};
