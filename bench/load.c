/*
 * load.c: the load generator's command line, its request heads and its report.
 *
 *     load hello|poll|park|fanout --port P [options]
 *
 * One JSON line per run goes to standard output. Exit code 0; 1 where anything
 * failed, was lost or came twice; 64 for a wrong command line.
 */
#include "base.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "clock.h"
#include "load.h"
#include "token.h"

#define TOKEN_TTL_S 3600

/* ---- shared by the modes ---- */

void
bh_load_window(struct bh_load *l)
{
    l->from_us = bh_now_us() + (int64_t)(l->warm * 1e6);
    l->until_us = l->from_us + (int64_t)(l->seconds * 1e6);
}

bool
bh_load_counts(const struct bh_load *l, int64_t now_us)
{
    return now_us >= l->from_us && now_us < l->until_us;
}

bool
bh_load_gives_up(const struct bh_load *l)
{
    return l->errors >= BH_LOAD_ERRORS_MAX || bh_http_interrupted();
}

/* The report holds it between quotes. */
static void
make_plain(char *s)
{
    for (; *s; s++)
        if (*s == '"' || *s == '\\' || *s < ' ') *s = '\'';
}

void
bh_load_error(struct bh_load *l, const char *what,
              const struct bh_http_answer *a)
{
    if (l->errors++) return;
    if (a)
        snprintf(l->why, sizeof l->why, "%s: %d %.*s", what, a->status,
                 (int)(a->body.len < 120 ? a->body.len : 120), a->body.p);
    else
        snprintf(l->why, sizeof l->why, "%s", what);
    make_plain(l->why);
}

void
bh_load_head(struct bh_load *l, struct bh_buf *out, const char *method,
             const char *what, const char *user, int org, const char *scope)
{
    char org_name[48];
    struct bh_token t = {.key = {l->key.p, l->key.len},
                         .kid = l->kid,
                         .user = user,
                         .org = scope ? NULL : org_name,
                         .scope = scope,
                         .expires_s = bh_wall_ms() / 1000 + TOKEN_TTL_S};

    snprintf(org_name, sizeof org_name, "%s-%d", l->run, org);
    bh_buf_fmt(out, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n", method, what);
    if (!l->key.len) return;
    bh_buf_str(out, "Authorization: Bearer ");
    bh_token_mint(out, &t);
    bh_buf_str(out, "\r\n");
}

void
bh_load_browser(struct bh_buf *out)
{
    bh_buf_str(out, "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) "
                    "Gecko/20100101 Firefox/140.0\r\n"
                    "X-Client-Id: k3v9x2m1q8\r\n");
}

struct bh_str
bh_load_member(struct bh_str body, size_t from, const char *name)
{
    char word[32];
    int n = snprintf(word, sizeof word, "\"%s\":\"", name);
    const char *end = body.p + body.len;
    const char *p = memmem(body.p + from, body.len - from, word, (size_t)n);
    if (!p) return (struct bh_str){NULL, 0};
    p += n;
    const char *quote = memchr(p, '"', (size_t)(end - p));
    if (!quote) return (struct bh_str){NULL, 0};
    return (struct bh_str){p, (size_t)(quote - p)};
}

/* ---- the report ---- */

static const struct mode {
    const char *name;
    int (*run)(struct bh_load *l);
    bool polls; /* and so needs a key */
} modes[] = {
    {"hello", bh_load_hello, false},
    {"poll", bh_load_poll, true},
    {"park", bh_load_park, true},
    {"fanout", bh_load_fanout, true},
};

static void
report_latency(const struct bh_hist *h)
{
    printf(",\"p50_us\":%" PRIu64 ",\"p90_us\":%" PRIu64 ",\"p99_us\":%" PRIu64
           ",\"max_us\":%" PRIu64,
           bh_hist_percentile(h, 50), bh_hist_percentile(h, 90),
           bh_hist_percentile(h, 99), h->max);
}

/* What only polls have. */
static void
report_polls(const struct bh_load *l)
{
    double s = l->seconds;

    printf(",\"orgs\":%d,\"batch\":%d,\"publishers\":%d,\"rate\":%d", l->orgs,
           l->batch, l->publishers, l->rate);
    printf(",\"polls_per_s\":%.0f,\"publishes_per_s\":%.0f"
           ",\"events_per_s\":%.0f,\"posted_per_s\":%.0f"
           ",\"woken_per_posted\":%.3f",
           (double)l->polls / s, (double)l->publishes / s,
           (double)l->events / s, (double)l->posted / s,
           l->posted ? (double)l->woken / (double)l->posted : 0);
    printf(",\"empty\":%" PRIu64 ",\"gaps\":%" PRIu64 ",\"lost\":%" PRIu64
           ",\"doubled\":%" PRIu64,
           l->empty, l->gaps, l->lost, l->doubled);
}

/* Of this process, all its threads, in user and system mode. */
static int64_t
cpu_us(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (int64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
           u.ru_utime.tv_usec + u.ru_stime.tv_usec;
}

static void
report(const struct bh_load *l, const struct mode *m)
{
    printf("{\"mode\":\"%s\",\"connections\":%d,\"seconds\":%.1f"
           ",\"requests_per_s\":%.0f",
           m->name, l->connections, l->seconds,
           (double)l->requests / l->seconds);
    report_latency(&l->latency);
    if (m->polls) report_polls(l);
    printf(",\"answered\":%" PRIu64 ",\"cpu_us\":%" PRId64
           ",\"errors\":%" PRIu64 ",\"why\":\"%s\"}\n",
           l->answered, cpu_us(), l->errors, l->why);
}

/* ---- the command line ---- */

static const char usage[] =
    "usage: load hello|poll|park|fanout --port P\n"
    "  --connections N   subscribers, or connections of hello (100)\n"
    "  --seconds S       counted time, or how long park holds (4)\n"
    "  --warm S          time before it (0.5)\n"
    "  --key FILE        HS256 secret; hello sends a token only with it\n"
    "  --kid K           its name (bench)\n"
    "  --domain D        (tasks)\n"
    "  --path /P         hello asks for it (/hello)\n"
    "  --batch N         events in a publish at most, up to 500 (500)\n"
    "  --publishers N    poll: connections that publish (1)\n"
    "  --orgs N          park: orgs that share the subscribers (one each)\n"
    "  --rate R          fanout: events a second (100)\n"
    "  --pad N           bytes in the payload, up to 90 (60)\n";

static const struct option options[] = {
    {"port", 1, NULL, 'p'},    {"connections", 1, NULL, 'n'},
    {"seconds", 1, NULL, 's'}, {"warm", 1, NULL, 'w'},
    {"key", 1, NULL, 'k'},     {"kid", 1, NULL, 'i'},
    {"domain", 1, NULL, 'd'},  {"path", 1, NULL, 'a'},
    {"batch", 1, NULL, 'b'},   {"publishers", 1, NULL, 'u'},
    {"orgs", 1, NULL, 'o'},    {"rate", 1, NULL, 'r'},
    {"pad", 1, NULL, 'x'},     {NULL, 0, NULL, 0},
};

/* The number in optarg; out of bounds ends the program. */
static double
number(double min, double max)
{
    char *end;
    double v = strtod(optarg, &end);

    if (*end || end == optarg || !(v >= min && v <= max)) {
        fprintf(stderr, "load: %s is not between %g and %g\n", optarg, min,
                max);
        exit(64);
    }
    return v;
}

static void
take_option(struct bh_load *l, int c)
{
    switch (c) {
    case 'p':
        l->port = (int)number(1, 65535);
        break;
    case 'n':
        l->connections = (int)number(1, 30000);
        break;
    case 's':
        l->seconds = number(0.1, 600);
        break;
    case 'w':
        l->warm = number(0, 60);
        break;
    case 'k':
        l->key_file = optarg;
        break;
    case 'i':
        l->kid = optarg;
        break;
    case 'd':
        l->domain = optarg;
        break;
    case 'a':
        l->path = optarg;
        break;
    case 'b':
        l->batch = (int)number(1, BH_BATCH_MAX);
        break;
    case 'u':
        l->publishers = (int)number(1, 1000);
        break;
    case 'o':
        l->orgs = (int)number(1, 30000);
        break;
    case 'r':
        l->rate = (int)number(1, 1000000);
        break;
    case 'x':
        l->pad = (int)number(0, 90);
        break;
    default:
        fputs(usage, stderr);
        exit(64);
    }
}

/* The secret without the line's end, as Bellhop reads it. */
static int
read_key(struct bh_load *l)
{
    int fd = open(l->key_file, O_RDONLY | O_CLOEXEC);
    char *p = bh_buf_reserve(&l->key, BH_KEY_FILE_MAX);
    ssize_t n = fd >= 0 && p ? read(fd, p, BH_KEY_FILE_MAX) : -1;

    if (n <= 0) fprintf(stderr, "load: can't read %s\n", l->key_file);
    if (fd >= 0) close(fd);
    if (n <= 0) return -1;
    l->key.len = (size_t)n;
    while (l->key.len && l->key.p[l->key.len - 1] == '\n') l->key.len--;
    return 0;
}

static int
run(struct bh_load *l, const struct mode *m)
{
    if (l->key_file && read_key(l) < 0) return 66;
    l->to = (struct sockaddr_in){.sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)l->port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (l->epoll < 0) return 71;
    bh_random_hex(l->run, (sizeof l->run - 1) / 2);
    int e = m->run(l);
    report(l, m);
    close(l->epoll);
    bh_buf_fini(&l->key);
    return e || l->errors || l->lost || l->doubled || l->gaps;
}

int
main(int argc, char **argv)
{
    static struct bh_load l = {.path = "/hello",
                               .domain = "tasks",
                               .kid = "bench",
                               .connections = 100,
                               .batch = BH_BATCH_MAX,
                               .publishers = 1,
                               .rate = 100,
                               .pad = 60,
                               .seconds = 4,
                               .warm = 0.5};
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
        take_option(&l, c);
    for (size_t i = 0; i < bh_countof(modes) && optind == argc - 1; i++)
        if (strcmp(argv[optind], modes[i].name) == 0 && l.port &&
            (l.key_file || !modes[i].polls))
            return run(&l, &modes[i]);
    fputs(usage, stderr);
    return 64;
}
