/*
 * memory.c: what a waiter and an idle channel cost the broker. It parks polls
 * and makes channels by the broker's own calls, in this process, and divides.
 *
 *     memory [WAITERS [CHANNELS]]        9000 and 1000000 unless said
 *
 * Two figures each: what malloc handed out (bh_mem_used), and by how much the
 * process grew (RSS), which has malloc's own words and the pages' rest in it.
 * The descriptors are eventfds: what the kernel needs for a connection is not
 * the broker's memory.
 */
#include "base.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/broker.h"
#include "broker/park.h"
#include "clock.h"
#include "log.h"
#include "mem.h"

#define WAITERS      9000
#define CHANNELS     1000000
#define PER_CHANNEL  1000 /* waiters of one channel, where they share */
#define TOKEN_TTL_MS 3600000

/* What a browser's poll brings with it. */
#define HEAD                                                                   \
    "Access-Control-Allow-Origin: https://app.example.com\r\n"                 \
    "Access-Control-Allow-Credentials: true\r\n"                               \
    "Access-Control-Expose-Headers: X-Request-ID, Retry-After\r\n"             \
    "Vary: Origin\r\n"
#define ORIGIN     "https://app.example.com"
#define REQUEST_ID "0123456789abcdef0123456789abcdef"
#define AGENT      "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firef"

struct figure {
    size_t used, rss;
};

static size_t
resident(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    unsigned long size = 0, pages = 0;

    if (!f || fscanf(f, "%lu %lu", &size, &pages) != 2) pages = 0;
    if (f) fclose(f);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static struct figure
take_figure(void)
{
    return (struct figure){bh_mem_used(), resident()};
}

static void
report(const char *what, size_t n, struct figure before)
{
    struct figure now = take_figure();

    printf("{\"mode\":\"memory\",\"what\":\"%s\",\"count\":%zu,"
           "\"bytes_each\":%.0f,\"rss_each\":%.0f}\n",
           what, n, (double)(now.used - before.used) / (double)n,
           (double)(now.rss - before.rss) / (double)n);
}

/* A name as long as a UUID. */
static struct bh_str
org_name(char out[40], size_t i)
{
    snprintf(out, 40, "%08x-0000-4000-8000-%012x", (unsigned)i, (unsigned)i);
    return (struct bh_str){out, 36};
}

#define STR(s)                                                                 \
    (struct bh_str)                                                            \
    {                                                                          \
        s, sizeof s - 1                                                        \
    }

static int
park_one(struct bh_broker *b, size_t i, size_t org)
{
    char org_text[40], user_text[40];
    struct bh_park p = {.request_id = 1,
                        .kind = BH_PARK_POLL,
                        .has_cursor = true,
                        .all_properties = true,
                        .expires_ms = bh_wall_ms() + TOKEN_TTL_MS,
                        .wait_ms = BH_WAIT_DEFAULT,
                        .cursor_log = {b->log_id, BH_LOG_ID_LEN},
                        .domain = STR("tasks"),
                        .org = org_name(org_text, org),
                        .user = org_name(user_text, i),
                        .client_id = STR("k3v9x2m1q8"),
                        .property = STR(""),
                        .origin = STR(ORIGIN),
                        .ua = STR(AGENT),
                        .request_id_text = STR(REQUEST_ID),
                        .head = STR(HEAD)};
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (fd < 0) return -errno;
    bh_park(b, &p, fd);
    return 0;
}

/* PER waiters to a channel. */
static int
park_all(struct bh_broker *b, size_t n, size_t per)
{
    for (size_t i = 0; i < n; i++) {
        int e = park_one(b, i, i / per);
        if (e || b->n_waiters != i + 1) {
            fprintf(stderr, "memory: only %zu of %zu waiters parked: %s\n", i,
                    n, e ? strerror(-e) : "the broker refused the next");
            return -1;
        }
    }
    return 0;
}

static int
make_channels(struct bh_broker *b, size_t n, size_t per)
{
    char text[40];

    (void)per;
    for (size_t i = 0; i < n; i++)
        if (!bh_channel_get(b, STR("tasks"), org_name(text, i)) ||
            b->channels.count != i + 1) {
            fprintf(stderr, "memory: only %zu of %zu channels were made\n", i,
                    n);
            return -1;
        }
    return 0;
}

static void
print_mistake(void *arg, const char *message)
{
    (void)arg;
    fprintf(stderr, "memory: %s\n", message);
}

/* The defaults, but for the number of channels. */
static struct bh_conf *
make_conf(size_t channels)
{
    char path[] = "/tmp/bellhop-memory-XXXXXX";
    int fd = mkstemp(path);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;

    if (!f) return NULL;
    fprintf(f,
            "log { path = \"none.db\" }\n"
            "broker { socket = \"none.sock\" channels = %zu }\n"
            "key \"k\" { algorithm = \"HS256\" file = \"none.key\" }\n"
            "domain \"tasks\" { }\n",
            channels);
    fclose(f);
    struct bh_conf *c = bh_conf_read(path, print_mistake, NULL);
    unlink(path);
    return c;
}

struct measure {
    const char *what;
    int (*fill)(struct bh_broker *b, size_t n, size_t per);
    size_t n, per;
};

/* In a process of its own: what another measure gave back to malloc would make
 * this one's growth look small. */
static int
measure(const struct measure *m, size_t channels)
{
    static struct bh_broker broker;
    struct bh_conf *conf = make_conf(channels);
    size_t at_start = bh_mem_used();

    if (!conf || bh_broker_init(&broker, conf) < 0) return 71;
    memset(broker.log_id, '0', BH_LOG_ID_LEN);
    struct figure before = take_figure();
    if (m->fill(&broker, m->n, m->per) < 0) return 1;
    report(m->what, m->n, before);
    bh_broker_fini(&broker);
    if (bh_mem_used() <= at_start) return 0;
    fprintf(stderr, "memory: %zu bytes were not given back\n",
            bh_mem_used() - at_start);
    return 1;
}

static int
measure_apart(const struct measure *m, size_t channels)
{
    int status = -1;
    pid_t child = fork();

    if (child == 0) {
        int rc = measure(m, channels);
        fflush(stdout);
        _exit(rc);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) return 71;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 70;
}

int
main(int argc, char **argv)
{
    size_t waiters = argc > 1 ? strtoul(argv[1], NULL, 10) : WAITERS;
    size_t channels = argc > 2 ? strtoul(argv[2], NULL, 10) : CHANNELS;
    const struct measure measures[] = {
        {"waiter", park_all, waiters, PER_CHANNEL},
        {"waiter and its channel", park_all, waiters, 1},
        {"idle channel", make_channels, channels, 1},
    };
    int rc = 0;

    if (argc > 3 || waiters < 1 || channels < 1) {
        fputs("usage: memory [WAITERS [CHANNELS]]\n", stderr);
        return 64;
    }
    bh_log_open("memory", false);
    bh_log_level(BH_ERROR);
    for (size_t i = 0; i < bh_countof(measures) && rc == 0; i++)
        rc = measure_apart(&measures[i], channels + waiters);
    return rc;
}
