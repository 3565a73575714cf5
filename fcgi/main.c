/* main.c: bellhop-worker: options, configuration and the socket to serve. */
#include "base.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>

#include "log.h"
#include "setup.h"
#include "sock.h"
#include "worker.h"

#ifndef BH_DEFAULT_CONF
#define BH_DEFAULT_CONF "/etc/bellhop/bellhop.conf"
#endif

#define BACKLOG 4096

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "0"
#endif

static const char usage[] =
    "Usage: bellhop-worker [-c CONF] [-s SOCKET] [-t]\n"
    "Answer Bellhop's HTTP requests behind a web server, by FastCGI.\n"
    "\n"
    "  -c, --config=CONF    the configuration ($BELLHOP_CONF, else\n"
    "                       " BH_DEFAULT_CONF ")\n"
    "  -s, --socket=SOCKET  listen there, whatever else there is\n"
    "  -t, --test           check the configuration and the keys, then leave\n"
    "      --help           this text\n"
    "      --version        the version\n"
    "\n"
    "Without -s it serves the socket that systemd or the web server passed,\n"
    "else the configuration's worker.socket.\n";

struct options {
    const char *conf, *socket;
    bool test;
};

static void
parse_options(struct options *o, int argc, char **argv)
{
    static const struct option longs[] = {
        {"config", required_argument, NULL, 'c'},
        {"socket", required_argument, NULL, 's'},
        {"test", no_argument, NULL, 't'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},
        {NULL, 0, NULL, 0}};
    int c;

    *o = (struct options){.conf = getenv("BELLHOP_CONF")};
    if (o->conf == NULL || o->conf[0] == '\0') o->conf = BH_DEFAULT_CONF;
    while ((c = getopt_long(argc, argv, "c:s:t", longs, NULL)) != -1) {
        if (c == 'c') o->conf = optarg;
        if (c == 's') o->socket = optarg;
        if (c == 't') o->test = true;
        if (c == 'h' || c == 'v') {
            fputs(c == 'h' ? usage : "bellhop-worker " PACKAGE_VERSION "\n",
                  stdout);
            exit(EX_OK);
        }
        if (c == '?') exit(EX_USAGE);
    }
    if (optind < argc)
        bh_die(EX_USAGE, "%s is no option; see bellhop-worker --help",
               argv[optind]);
}

static void
print_mistake(void *arg BH_UNUSED, const char *message)
{
    fprintf(stderr, "bellhop-worker: %s\n", message);
}

static int
listen_at(const char *path)
{
    int fd = bh_sock_listen(path, SOCK_STREAM, 0660, BACKLOG);

    if (fd < 0)
        bh_die(fd == -EADDRINUSE ? EX_UNAVAILABLE : EX_CANTCREAT,
               "can't listen at %s: %s; see that its folder is there and "
               "writable and that no other worker serves it",
               path, strerror(-fd));
    return fd;
}

/* The socket to serve, by whoever has made it; *OWN is the file of ours. */
static int
find_listener(const struct options *o, const struct bh_conf *conf,
              const char **own)
{
    *own = o->socket;
    if (o->socket != NULL) return listen_at(o->socket);
    int fd = bh_sock_activated(SOCK_STREAM);
    if (fd < 0)
        bh_die(EX_CONFIG, "systemd passed something else than one listening "
                          "socket: set ListenStream= and Accept=no");
    if (fd > 0) return fd;
    if (bh_sock_is_listener(0)) return 0;
    if (conf->worker.socket == NULL)
        bh_die(EX_CONFIG,
               "no socket to serve: set socket in the section "
               "worker of %s, or use -s",
               conf->path);
    *own = conf->worker.socket;
    return listen_at(conf->worker.socket);
}

int
main(int argc, char **argv)
{
    struct options o;
    const char *own;

    bh_log_open("bellhop-worker", false);
    parse_options(&o, argc, argv);
    struct bh_setup *setup = bh_setup_read(o.conf, print_mistake, NULL);
    if (setup == NULL)
        bh_die(EX_CONFIG, "correct the configuration %s and start again",
               o.conf);
    if (o.test) {
        bh_setup_put(setup);
        return EX_OK;
    }
    bh_log_open("bellhop-worker", setup->conf->syslog);
    bh_log_level(setup->conf->log_level);
    int listener = find_listener(&o, setup->conf, &own);
    return bh_worker_run(listener, own, o.conf, setup);
}
