/* log.c: bellhopctl log: find events, or watch them come. Reads only. */
#include "ctl.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "buf.h"
#include "event.h"
#include "log.h"
#include "words.h"

#define LOOK_MS   200 /* between two looks at the log while following */
#define ROWS      500 /* read at once */
#define LIMIT_MAX 100000000

enum format { TABLE, JSON, CSV };

struct view {
    struct bh_search search;
    int limit; /* -1: not said */
    bool follow, colours;
    enum format format;
    int64_t after;      /* the last seq seen */
    int rows;           /* of the last look */
    struct bh_buf text; /* what is to be printed of it */
    bool broken;        /* nothing more can be printed */
    bool no_memory;     /* for that reason */
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

/* ---- one event ---- */

static void
add_json(struct bh_buf *out, const struct bh_event_row *row)
{
    bh_event_with_seq(out, row->body, row->seq);
    bh_buf_str(out, "\n");
}

/* RFC 4180: quotes around all, doubled inside. */
static void
add_field(struct bh_buf *out, struct bh_str s, const char *end)
{
    bh_buf_str(out, "\"");
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '"') bh_buf_str(out, "\"");
        bh_buf_add(out, s.p + i, 1);
    }
    bh_buf_fmt(out, "\"%s", end);
}

static void
add_csv(struct bh_buf *out, const struct bh_event_row *row)
{
    char at[BH_STAMP_MAX];

    bh_buf_fmt(out, "%" PRId64 ",%s,", row->seq, bh_stamp(at, row->stored_at));
    add_field(out, row->domain, ",");
    add_field(out, row->org, ",");
    add_field(out, row->property, ",");
    add_field(out, row->event_type, ",");
    add_field(out, row->event_id, ",");
    add_field(out, row->body, "\r\n");
}

/* In a colour, where there are any; what is foreign is escaped. */
static void
add_word(struct view *v, const char *colour, struct bh_str s)
{
    char word[BH_WORD_MAX];

    bh_log_word(word, sizeof word, s.p, s.len);
    if (v->colours)
        bh_buf_fmt(&v->text, "  \033[%sm%s\033[0m", colour, word);
    else
        bh_buf_fmt(&v->text, "  %s", word);
}

static void
add_line(struct view *v, const struct bh_event_row *row)
{
    char at[BH_STAMP_MAX];

    bh_buf_fmt(&v->text,
               v->colours ? "\033[2m%s\033[0m %8" PRId64 : "%s %8" PRId64,
               bh_stamp(at, row->stored_at), row->seq);
    add_word(v, "36", row->domain);
    add_word(v, "33", row->org);
    add_word(v, "35", row->property);
    add_word(v, "1", row->event_type);
    add_word(v, "2", row->event_id);
    bh_buf_str(&v->text, "\n");
}

static bool
take(void *arg, const struct bh_event_row *row)
{
    struct view *v = arg;

    v->after = row->seq;
    v->rows++;
    if (v->format == JSON)
        add_json(&v->text, row);
    else if (v->format == CSV)
        add_csv(&v->text, row);
    else
        add_line(v, row);
    return !v->text.failed;
}

/* ---- many ---- */

/* Printed when the reading is over: a pager that waits must not hold a read of
 * the log open, under which it could only grow. */
static void
print(struct view *v)
{
    if (v->text.failed) v->broken = v->no_memory = true;
    if (v->text.len > 0) fwrite(v->text.p, 1, v->text.len, stdout);
    if (!bh_ctl_flush()) v->broken = true;
    bh_buf_reset(&v->text);
}

static int
show_new(struct bh_store *s, struct view *v)
{
    struct bh_span span;
    int rc;

    do {
        v->rows = 0;
        rc = bh_store_span(s, &span);
        if (rc == 0)
            rc = bh_store_search(s, &v->search, v->after, ROWS, take, v);
        print(v);
    } while (rc == 0 && v->rows == ROWS && !v->broken && !stopped);
    /* What was looked at and isn't wanted need not be looked at again. */
    if (rc == 0 && v->after < span.head) v->after = span.head;
    return rc;
}

/* A while; false as soon as nobody reads any more: head(1) has had its lines.
 */
static bool
pause_for_reader(void)
{
    struct pollfd p = {.fd = STDOUT_FILENO}; /* its error is told unasked */

    return poll(&p, 1, LOOK_MS) <= 0;
}

/* Wait for the next commit. */
static int
await(struct bh_store *s, struct view *v)
{
    bool changed = false;
    int rc = 0;

    while (rc == 0 && !changed && !stopped && !v->broken) {
        if (!pause_for_reader()) v->broken = true;
        if (bh_store_replaced(s)) return -ESTALE;
        rc = bh_store_changed(s, &changed);
    }
    return rc;
}

/* Where to begin: the last LIMIT that are wanted; with a time all of them. */
static int
start(struct bh_store *s, struct view *v)
{
    struct bh_span span;
    bool changed;
    int rc = bh_store_changed(s, &changed);

    if (rc == 0) rc = bh_store_span(s, &span);
    if (v->limit < 0 && v->search.since_ms == 0 && !v->search.id.p)
        v->limit = 10;
    if (rc < 0 || v->limit < 0) return rc;
    rc = bh_store_search_last(s, &v->search, v->limit, &v->after);
    if (v->after > span.head) v->after = span.head;
    return rc;
}

static int
watch(const char *path, struct view *v)
{
    struct bh_store *s;
    int rc = bh_store_open_reader(&s, path);

    if (rc == 0 && v->format == CSV)
        fputs("seq,stored,domain,org,property,type,id,body\r\n", stdout);
    if (rc == 0) rc = start(s, v);
    if (rc == 0) rc = show_new(s, v);
    while (rc == 0 && v->follow && !stopped && !v->broken) {
        rc = await(s, v);
        if (rc == 0 && !v->broken) rc = show_new(s, v);
    }
    if (rc == -ESTALE)
        fprintf(stderr, "bellhopctl: the log was replaced; start again\n");
    else if (rc < 0)
        fprintf(stderr, "bellhopctl: %s\n", bh_store_error(s));
    if (v->no_memory) fputs("bellhopctl: out of memory\n", stderr);
    bh_store_close(s);
    bh_buf_fini(&v->text);
    return rc < 0 ? EX_UNAVAILABLE : v->no_memory ? EX_OSERR : EX_OK;
}

/* ---- the command ---- */

static const struct option longs[] = {
    {"domain", required_argument, NULL, 'd'},
    {"org", required_argument, NULL, 'o'},
    {"property", required_argument, NULL, 'p'},
    {"type", required_argument, NULL, 't'},
    {"id", required_argument, NULL, 'i'},
    {"since", required_argument, NULL, 's'},
    {"until", required_argument, NULL, 'u'},
    {"limit", required_argument, NULL, 'n'},
    {"follow", no_argument, NULL, 'f'},
    {"json", no_argument, NULL, 'j'},
    {"csv", no_argument, NULL, 'c'},
    {NULL, 0, NULL, 0}};

static struct bh_str
str(const char *s)
{
    return (struct bh_str){s, strlen(s)};
}

static bool
take_filter(struct bh_search *q, int option, const char *value)
{
    struct bh_str *const into = option == 'd'   ? &q->domain
                                : option == 'o' ? &q->org
                                : option == 'p' ? &q->property
                                : option == 't' ? &q->type
                                : option == 'i' ? &q->id
                                                : NULL;
    if (into != NULL) *into = str(value);
    return into != NULL;
}

/* NULL, or what is wrong with it; "" for an unknown one. */
static const char *
take_option(struct view *v, int option, const char *value)
{
    static const char wrong_time[] =
        "a time is 15m or 7d (ago), 2026-11-24 or '2026-11-24 08:00' (UTC)";

    if (take_filter(&v->search, option, value)) return NULL;
    switch (option) {
    case 's':
        return bh_parse_time(value, &v->search.since_ms) ? NULL : wrong_time;
    case 'u':
        return bh_parse_time(value, &v->search.until_ms) ? NULL : wrong_time;
    case 'n':
        v->limit = (int)bh_ctl_number("--limit", value, 0, LIMIT_MAX);
        return NULL;
    case 'f':
        v->follow = true;
        return NULL;
    case 'j':
        v->format = JSON;
        return NULL;
    case 'c':
        v->format = CSV;
        return NULL;
    default:
        return "";
    }
}

static int
run(const struct bh_command *c, const char *path, int argc, char **argv)
{
    struct view v = {.limit = -1, .colours = bh_colours()};
    int o;

    while ((o = getopt_long(argc, argv, "d:o:p:t:i:s:u:n:fjc", longs, NULL)) !=
           -1) {
        const char *wrong = take_option(&v, o, optarg);
        if (wrong != NULL) return bh_ctl_usage(c, *wrong ? wrong : NULL);
    }
    if (optind < argc) return bh_ctl_usage(c, "it takes options only");
    struct bh_conf *conf = bh_ctl_conf(path);
    take_signals();
    int code = watch(conf->log.path, &v);
    bh_conf_free(conf);
    return code;
}

const struct bh_command bh_cmd_log = {
    "log", "find events in the log, or watch them come",
    "Usage: bellhopctl [-c FILE] log [OPTION]...\n"
    "Print events of the log: when stored, seq, domain, org, property, type, "
    "id.\n"
    "\n"
    "  -n, --limit=N        the last N; 10 unless said, all where a time or an "
    "id is\n"
    "  -f, --follow         go on printing events as they are stored\n"
    "  -s, --since=TIME     stored from then on: 15m, 1h, 7d (ago), "
    "2026-11-24,\n"
    "                       '2026-11-24 08:00' (UTC), @1763900000\n"
    "  -u, --until=TIME     stored before\n"
    "  -d, --domain=NAME    only events of this domain\n"
    "  -o, --org=ORG        of this organisation\n"
    "  -p, --property=NAME  of this property\n"
    "  -t, --type=TYPE      of this eventType\n"
    "  -i, --id=ID          of this eventId\n"
    "  -j, --json           the events themselves, one a line\n"
    "  -c, --csv            comma-separated, with a heading and the event "
    "last\n"
    "\n"
    "Colours come on a terminal only, and not where NO_COLOR is set.\n"
    "\n"
    "Examples:\n"
    "  bellhopctl log --follow --org hotel-1\n"
    "  bellhopctl log --since 1h --type TaskCreated\n"
    "  bellhopctl log --since 2026-11-24 --until 2026-11-25 --csv > day.csv\n"
    "  bellhopctl log -n 1000 --json | jq .payload\n",
    run};
