/* bellhopd: the broker. Starts in the order in which main reads. */
#include "base.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "broker.h"
#include "conn.h"
#include "log.h"
#include "sock.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unreleased"
#endif
#ifndef BH_DEFAULT_CONF
#define BH_DEFAULT_CONF "/etc/bellhop/bellhop.conf"
#endif

#define BACKLOG 1024

static const char usage[] =
    "Usage: bellhopd [OPTION]...\n"
    "Hold the waiting subscribers of Bellhop and answer them as events come.\n"
    "\n"
    "  -c, --config=FILE    read FILE instead of " BH_DEFAULT_CONF "\n"
    "  -t, --test           check the configuration and leave\n"
    "  -d, --daemon         go to the background once it is ready\n"
    "  -p, --pid-file=FILE  write the process id to FILE\n"
    "  -h, --help           print this and leave\n"
    "  -V, --version        print the version and leave\n"
    "\n"
    "It stays in the foreground and logs to stderr unless told otherwise.\n"
    "SIGTERM: answer everybody and leave. SIGHUP: read the configuration "
    "again.\n"
    "\n"
    "Example: bellhopd -t -c ./bellhop.conf && bellhopd -c ./bellhop.conf\n";

struct options {
    const char *conf;
    const char *pid_file;
    bool test, daemon;
};

static void
parse(struct options *o, int argc, char **argv)
{
    static const struct option longs[] = {
        {"config", required_argument, NULL, 'c'},
        {"test", no_argument, NULL, 't'},
        {"daemon", no_argument, NULL, 'd'},
        {"pid-file", required_argument, NULL, 'p'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0}};
    int c;

    while ((c = getopt_long(argc, argv, "c:tdp:hV", longs, NULL)) != -1) {
        switch (c) {
        case 'c':
            o->conf = optarg;
            break;
        case 't':
            o->test = true;
            break;
        case 'd':
            o->daemon = true;
            break;
        case 'p':
            o->pid_file = optarg;
            break;
        case 'h':
            fputs(usage, stdout);
            exit(EX_OK);
        case 'V':
            puts("bellhopd " PACKAGE_VERSION);
            exit(EX_OK);
        default:
            fputs("Try 'bellhopd --help'.\n", stderr);
            exit(EX_USAGE);
        }
    }
    if (optind < argc)
        bh_die(EX_USAGE, "unexpected argument %s; try --help", argv[optind]);
}

static void
print_mistake(void *arg, const char *message)
{
    (void)arg;
    bh_log(BH_ERROR, "%s", message);
}

static struct bh_conf *
read_conf(const char *path)
{
    struct bh_conf *c = bh_conf_read(path, print_mistake, NULL);

    if (!c)
        bh_die(EX_CONFIG,
               "the configuration %s can't be used; correct it and "
               "check it with -t",
               path);
    return c;
}

/* systemd's socket, or one of our own, whose file is ours to remove. */
static int
open_socket(const struct bh_conf *c, bool *own)
{
    int fd = bh_sock_activated(SOCK_SEQPACKET);

    if (fd < 0)
        bh_die(EX_CONFIG, "systemd passed something else than one listening "
                          "socket: set ListenSequentialPacket= and Accept=no");
    *own = fd == 0;
    if (*own)
        fd = bh_sock_listen(c->broker.socket, SOCK_SEQPACKET, 0660, BACKLOG);
    if (fd < 0)
        bh_die(fd == -EADDRINUSE ? EX_UNAVAILABLE : EX_CANTCREAT,
               "can't listen on %s: %s%s", c->broker.socket, strerror(-fd),
               fd == -EADDRINUSE ? "; another broker runs there" : "");
    return fd;
}

struct signals {
    struct bh_source source;
    struct bh_broker *broker;
};

/* What there is to say goes to the log. */
static void
reload(struct bh_broker *b)
{
    struct bh_buf text = BH_BUF_INIT;
    uint32_t ended;

    bh_control_reload(b, &text, &ended);
    bh_buf_fini(&text);
}

static void
serve_signal(struct bh_source *s, uint32_t events)
{
    struct signals *sig = bh_container_of(s, struct signals, source);
    struct signalfd_siginfo info;

    (void)events;
    if (read(s->fd, &info, sizeof info) != (ssize_t)sizeof info) return;
    if (info.ssi_signo == SIGHUP) {
        bh_notify("RELOADING=1");
        reload(sig->broker);
        bh_notify("READY=1");
    } else {
        sig->broker->loop.stop = true;
    }
}

/* Before anybody can know the process's number: what comes waits. */
static void
hold_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    sigprocmask(SIG_BLOCK, set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void
take_signals(struct signals *s, const sigset_t *set, struct bh_broker *b)
{
    s->broker = b;
    s->source.serve = serve_signal;
    s->source.fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (s->source.fd < 0 || bh_loop_add(&b->loop, &s->source, EPOLLIN) < 0)
        bh_die(EX_OSERR, "can't wait for signals: %s", strerror(errno));
}

/*
 * The child goes on; this process leaves when the child says that it is ready,
 * or with the child's code where it ends before. The pipe's end to say so on.
 */
static int
fork_off(void)
{
    int ends[2], status;
    char word;
    pid_t child = -1;

    if (pipe2(ends, O_CLOEXEC) == 0) child = fork();
    if (child < 0)
        bh_die(EX_OSERR, "can't go to the background: %s", strerror(errno));
    if (child == 0) {
        close(ends[0]);
        setsid();
        return ends[1];
    }
    close(ends[1]);
    if (read(ends[0], &word, 1) == 1) _exit(EX_OK);
    if (waitpid(child, &status, 0) == child && WIFEXITED(status))
        _exit(WEXITSTATUS(status));
    _exit(EX_SOFTWARE);
}

/* From here on nobody sees what is written to stderr. */
static void
say_ready(int parent)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    for (int fd = STDIN_FILENO; null >= 0 && fd <= STDERR_FILENO; fd++)
        dup2(null, fd);
    if (null > STDERR_FILENO) close(null);
    (void)!write(parent, "", 1);
    close(parent);
}

static void
write_pid(const char *path)
{
    FILE *f = path ? fopen(path, "we") : NULL;

    if (!path) return;
    if (!f || fprintf(f, "%ld\n", (long)getpid()) < 0 || fclose(f) != 0)
        bh_die(EX_CANTCREAT, "can't write %s: %s", path, strerror(errno));
}

/* It may be another broker's by now, which was started while this one left. */
static void
remove_pid(const char *path)
{
    FILE *f = path ? fopen(path, "re") : NULL;
    long pid = 0;

    if (!f) return;
    if (fscanf(f, "%ld", &pid) == 1 && pid == (long)getpid()) unlink(path);
    fclose(f);
}

/* SOCKET is a file of our own, or NULL. It goes while the socket still listens:
 * after that it could be another broker's. */
static void
serve(struct bh_broker *b, const char *socket)
{
    int rc;

    bh_log(BH_NOTICE, "ready: room for %zu waiters and %d channels",
           b->max_waiters, b->conf->broker.channels);
    bh_notify("READY=1");
    rc = bh_loop_run(&b->loop);
    bh_notify("STOPPING=1");
    if (rc < 0) bh_log(BH_ERROR, "waiting for events: %s", strerror(-rc));
    bh_log(BH_NOTICE, "leaving: answering %zu waiters", b->n_waiters);
    if (socket) unlink(socket);
    bh_broker_drain(b);
}

int
main(int argc, char **argv)
{
    struct options o = {.conf = BH_DEFAULT_CONF};
    static struct bh_broker broker;
    static struct signals signals;
    sigset_t held;
    bool own;
    int fd;

    bh_log_open("bellhopd", false);
    parse(&o, argc, argv);
    struct bh_conf *conf = read_conf(o.conf);
    if (o.test) {
        bh_conf_free(conf);
        puts("bellhopd: the configuration is good");
        return EX_OK;
    }
    bh_log_open("bellhopd", conf->syslog);
    bh_log_level(conf->log_level);
    hold_signals(&held);
    fd = open_socket(conf, &own);
    int parent = o.daemon ? fork_off() : -1;
    write_pid(o.pid_file);
    if (bh_broker_init(&broker, conf) < 0)
        bh_die(EX_OSERR, "no memory or descriptors to start with");
    take_signals(&signals, &held, &broker);
    if (bh_conn_listen(&broker, fd) < 0)
        bh_die(EX_OSERR, "can't serve %s", broker.conf->broker.socket);
    if (parent >= 0) say_ready(parent);
    serve(&broker, own ? broker.conf->broker.socket : NULL);
    close(signals.source.fd);
    bh_broker_fini(&broker);
    remove_pid(o.pid_file);
    return EX_OK;
}
