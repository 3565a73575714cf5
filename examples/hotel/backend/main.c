/* main.c: hotel-backend: options, then everything in its order. */
#include "hotel.h"

#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>

#include <curl/curl.h>

#include "db.h"
#include "log.h"
#include "relay.h"
#include "serve.h"
#include "sock.h"

#define BACKLOG     256
#define TTL_DEFAULT 300
#define TTL_MIN     5

static const char usage[] =
    "Usage: hotel-backend -c CONF -s SOCKET -d DATABASE -b URL [-t SECONDS]\n"
    "The backend of Bellhop's demo, a task board of a hotel group: it answers\n"
    "/hotel/auth/* and /hotel/api/* by FastCGI, and publishes each change.\n"
    "\n"
    "  -c, --config=CONF     Bellhop's configuration: the key that signs "
    "tokens,\n"
    "                        and the origins whose pages are let in\n"
    "  -s, --socket=SOCKET   listen there for the web server\n"
    "  -d, --database=FILE   tasks and outbox; it is made where it isn't "
    "there\n"
    "  -b, --bellhop=URL     Bellhop's URL and domain\n"
    "  -t, --token-ttl=N     seconds that a token is good for; 300 unless "
    "said\n"
    "      --help            this text\n"
    "\n"
    "  hotel-backend -c bellhop.conf -s hotel.sock -d hotel.db \\\n"
    "      -b http://127.0.0.1:8080/tasks/realtime\n"
    "\n"
    "There are no passwords: whoever comes picks a name.\n";

struct options {
    const char *conf, *socket, *database, *bellhop;
    int ttl_s;
};

static int
read_ttl(const char *text)
{
    char *end;
    long n = strtol(text, &end, 10);

    if (*text == '\0' || *end != '\0' || n < TTL_MIN || n > 3600)
        bh_die(EX_USAGE, "--token-ttl takes 5 to 3600 seconds");
    return (int)n;
}

static void
parse_options(struct options *o, int argc, char **argv)
{
    static const struct option longs[] = {
        {"config", required_argument, NULL, 'c'},
        {"socket", required_argument, NULL, 's'},
        {"database", required_argument, NULL, 'd'},
        {"bellhop", required_argument, NULL, 'b'},
        {"token-ttl", required_argument, NULL, 't'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0}};
    int c;

    *o = (struct options){.ttl_s = TTL_DEFAULT};
    while ((c = getopt_long(argc, argv, "c:s:d:b:t:", longs, NULL)) != -1) {
        if (c == 'c') o->conf = optarg;
        if (c == 's') o->socket = optarg;
        if (c == 'd') o->database = optarg;
        if (c == 'b') o->bellhop = optarg;
        if (c == 't') o->ttl_s = read_ttl(optarg);
        if (c == 'h') {
            fputs(usage, stdout);
            exit(EX_OK);
        }
        if (c == '?') exit(EX_USAGE);
    }
    if (optind < argc || o->conf == NULL || o->socket == NULL ||
        o->database == NULL || o->bellhop == NULL)
        bh_die(EX_USAGE, "-c, -s, -d and -b are needed, and nothing else; see "
                         "hotel-backend --help");
    if (strncmp(o->bellhop, "http://", 7) != 0 &&
        strncmp(o->bellhop, "https://", 8) != 0)
        bh_die(EX_USAGE, "--bellhop takes an http:// or https:// URL");
}

static void
print_mistake(void *arg BH_UNUSED, const char *message)
{
    fprintf(stderr, "hotel-backend: %s\n", message);
}

static void
open_all(struct hotel *h, const struct options *o)
{
    char err[512];

    h->conf = bh_conf_read(o->conf, print_mistake, NULL);
    if (h->conf == NULL)
        bh_die(EX_CONFIG, "correct the configuration %s and start again",
               o->conf);
    if (bh_auth_new(&h->auth, h->conf, err, sizeof err) != 0)
        bh_die(EX_CONFIG, "%s", err);
    h->db = hotel_db_open(o->database, err, sizeof err);
    if (h->db == NULL) bh_die(EX_CANTCREAT, "%s", err);
    h->listener = bh_sock_listen(o->socket, SOCK_STREAM, 0660, BACKLOG);
    if (h->listener < 0)
        bh_die(EX_CANTCREAT,
               "can't listen at %s: %s; see that its folder is there and "
               "writable and that no other backend serves it",
               o->socket, strerror(-h->listener));
}

static void
close_all(struct hotel *h)
{
    hotel_db_close(h->db);
    bh_auth_free(h->auth);
    bh_conf_free(h->conf);
    curl_global_cleanup();
}

/* Taken by main alone, for no thread may be interrupted by them. */
static void
block_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    pthread_sigmask(SIG_BLOCK, set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

int
main(int argc, char **argv)
{
    struct options o;
    sigset_t set;
    int signal_number;

    bh_log_open("hotel-backend", false);
    parse_options(&o, argc, argv);
    struct hotel h = {.bellhop = o.bellhop, .token_ttl_s = o.ttl_s};
    block_signals(&set);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    open_all(&h, &o);
    h.relay = hotel_relay_start(&h);
    if (h.relay == NULL || !hotel_serve_start(&h)) return EX_OSERR;
    bh_log(BH_NOTICE, "ready at %s", o.socket);
    sigwait(&set, &signal_number);
    bh_log(BH_NOTICE, "stopping");
    __atomic_store_n(&h.stop, true, __ATOMIC_RELEASE);
    hotel_serve_join();
    hotel_relay_stop(h.relay);
    close_all(&h);
    return EX_OK;
}
