/*
 * relay.c: bellhop-relay, the process that Apache's mod_fcgid starts for each
 * request under way. mod_fcgid can't speak to a worker that runs by itself, and
 * a worker for each waiting poll would take megabytes. So this one only
 * accepts the connection and passes it on; what it costs is its stack.
 */
#include "base.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "fcgirec.h"
#include "log.h"
#include "pass.h"
#include "sock.h"

#define PATIENCE_MS 5000 /* for a worker that is being restarted */
#define RETRY_MS    50

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "0"
#endif

static const char usage[] =
    "Usage: bellhop-relay -s SOCKET [CLASS]\n"
    "Pass FastCGI connections on to bellhop-worker. Apache's mod_fcgid starts\n"
    "this; see docs/servers.md.\n"
    "\n"
    "  -s, --socket=SOCKET  where the worker listens (its worker.socket)\n"
    "      --help           this text\n"
    "      --version        the version\n"
    "\n"
    "CLASS is any word: mod_fcgid counts processes by their command line.\n";

static const char *
parse_options(int argc, char **argv)
{
    static const struct option longs[] = {
        {"socket", required_argument, NULL, 's'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},
        {NULL, 0, NULL, 0}};
    const char *path = NULL;
    int c;

    while ((c = getopt_long(argc, argv, "s:", longs, NULL)) != -1) {
        if (c == 's') path = optarg;
        if (c == 'h' || c == 'v') {
            fputs(c == 'h' ? usage : "bellhop-relay " PACKAGE_VERSION "\n",
                  stdout);
            exit(EX_OK);
        }
        if (c == '?') exit(EX_USAGE);
    }
    if (path == NULL || argc - optind > 1)
        bh_die(EX_USAGE, "name the worker's socket with -s; see bellhop-relay "
                         "--help");
    return path;
}

static bool
pass(int fd, const char *path)
{
    static bool away; /* and the log says so */
    int64_t deadline = bh_now_ms() + PATIENCE_MS;
    struct timespec pause = {0, RETRY_MS * 1000000L};
    int rc;

    while ((rc = bh_pass_on(fd, path)) < 0 && bh_now_ms() < deadline)
        nanosleep(&pause, NULL);
    if (rc < 0 && !away)
        bh_log(BH_ERROR,
               "no worker at %s: %s; start bellhop-worker, and see "
               "that this user may open its socket",
               path, strerror(-rc));
    away = rc < 0;
    return rc == 0;
}

/* ---- without a worker ---- */

/* N bytes, into P or nowhere; false where they don't come. */
static bool
take(int fd, unsigned char *p, size_t n)
{
    unsigned char waste[4096];

    while (n > 0) {
        size_t want = p != NULL || n < sizeof waste ? n : sizeof waste;
        ssize_t got = recv(fd, p != NULL ? p : waste, want, 0);
        if (got <= 0) return false;
        n -= (size_t)got;
        if (p != NULL) p += got;
    }
    return true;
}

/* To the end of STDIN, since mod_fcgid reads only after it has written all. */
static bool
take_request(int fd, uint16_t *id)
{
    unsigned char h[BH_FCGI_HEADER];

    do {
        if (!take(fd, h, sizeof h)) return false;
        *id = (uint16_t)(h[2] << 8 | h[3]);
        if (!take(fd, NULL, (size_t)(h[4] << 8 | h[5]) + h[6])) return false;
    } while (h[1] != BH_FCGI_STDIN || h[4] != 0 || h[5] != 0);
    return true;
}

static void
refuse(int fd)
{
    static const char answer[] =
        "Status: 503 Service Unavailable\r\n"
        "Content-Type: application/problem+json\r\n"
        "Cache-Control: no-store\r\n"
        "Retry-After: 2\r\n"
        "\r\n"
        "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\","
        "\"status\":503,\"detail\":\"no worker is running\"}";
    struct bh_buf out = BH_BUF_INIT;
    uint16_t id;

    bh_sock_timeouts(fd, PATIENCE_MS);
    if (!take_request(fd, &id)) return;
    bh_fcgi_stream(&out, BH_FCGI_STDOUT, id, answer, sizeof answer - 1);
    bh_fcgi_end(&out, id);
    if (!out.failed) (void)!send(fd, out.p, out.len, MSG_NOSIGNAL);
    bh_buf_fini(&out);
}

int
main(int argc, char **argv)
{
    bh_log_open("bellhop-relay", false);
    const char *path = parse_options(argc, argv);
    if (!bh_sock_is_listener(STDIN_FILENO))
        bh_die(EX_USAGE, "standard input is no listening socket: mod_fcgid "
                         "starts this program; see bellhop-relay --help");
    fcntl(STDIN_FILENO, F_SETFL, 0);
    for (;;) {
        int fd = accept4(STDIN_FILENO, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
        if (fd < 0) bh_die(EX_OSERR, "accept: %s", strerror(errno));
        if (!pass(fd, path)) refuse(fd);
        close(fd);
    }
}
