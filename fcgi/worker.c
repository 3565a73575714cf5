#include "worker.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"
#include "count.h"
#include "log.h"
#include "process.h"
#include "serve.h"
#include "slow.h"
#include "sock.h"

#define SLOW_MS     5000 /* what answers under way may take at the end */
#define BACKLOG_MS  3000 /* and those that wait to be taken */
#define DESCRIPTORS 4096 /* wanted, where the hard limit allows it */

/* ---- signals ---- */

static void
ignore(int sig BH_UNUSED)
{
}

/*
 * Signals wait in the kernel until the main thread asks for them. libfcgi puts
 * handlers of its own where it finds none, and its SIGTERM makes it spin on a
 * silent connection, so it must find these.
 */
static void
block_signals(sigset_t *wanted)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGUSR1, SIGHUP};
    struct sigaction sa = {.sa_handler = ignore};

    sigemptyset(&sa.sa_mask);
    sigemptyset(wanted);
    for (size_t i = 0; i < bh_countof(signals); i++) {
        sigaction(signals[i], &sa, NULL);
        sigaddset(wanted, signals[i]);
    }
    sigaction(SIGPIPE, &sa, NULL);
    pthread_sigmask(SIG_BLOCK, wanted, NULL);
}

/* ---- SIGHUP ---- */

static void
reload(struct bh_worker *w)
{
    bh_notify("RELOADING=1");
    bh_orders_reload(&w->orders);
    bh_notify("READY=1");
}

/* ---- the log ---- */

/* So that readers find a log before the first event; a failure may pass, and
 * healthz shows it. */
static void
prepare_log(const struct bh_conf *conf)
{
    struct bh_store *s = NULL;
    int rc = bh_store_open_reader(&s, conf->log.path);

    if (rc == -ENOENT || rc == -EINVAL)
        rc = bh_store_open_writer(&s, conf->log.path, conf->log.sync);
    if (rc < 0)
        bh_log(BH_ERROR, "log: %s: %s", bh_store_error(NULL), strerror(-rc));
    bh_store_close(s);
}

/* ---- the rates ---- */

/* Beside the log, so that all workers of one log count together. */
static struct bh_rates *
open_rates(const struct bh_conf *conf)
{
    struct bh_buf path = BH_BUF_INIT;

    bh_buf_fmt(&path, "%s.rates", conf->log.path);
    struct bh_rates *t = bh_rates_open(bh_buf_cstr(&path));
    bh_buf_fini(&path);
    return t;
}

/* ---- its life ---- */

/* Each publish that waits for its commit holds one. */
static void
raise_descriptors(void)
{
    struct rlimit l;

    if (getrlimit(RLIMIT_NOFILE, &l) != 0 || l.rlim_cur >= DESCRIPTORS) return;
    l.rlim_cur = l.rlim_max < DESCRIPTORS ? l.rlim_max : DESCRIPTORS;
    setrlimit(RLIMIT_NOFILE, &l);
}

static bool
init(struct bh_worker *w, int listener, const char *own, const char *conf_path,
     struct bh_setup *setup)
{
    const struct bh_conf *conf = setup->conf;

    bh_process_now(); /* uptime begins here */
    raise_descriptors();
    *w = (struct bh_worker){
        .listener = listener, .own = own, .conf_path = conf_path};
    bh_setup_slot_init(&w->setup, setup);
    w->first = bh_setup_get(&w->setup);
    w->wire = bh_wire_new(conf->broker.socket, conf->worker.broker_timeout_ms);
    w->writer =
        bh_writer_new(conf->log.path, conf->log.sync, conf->broker.socket,
                      conf->worker.broker_timeout_ms);
    if (w->writer != NULL)
        bh_writer_deliveries(w->writer, conf->log.deliveries_kept);
    w->rates = open_rates(conf);
    if (bh_orders_init(&w->orders, conf_path, w->first, &w->setup) < 0)
        return false;
    return w->wire != NULL && w->writer != NULL && w->rates != NULL;
}

/* Those that still send an answer have a bound of their own. */
static bool
wait_for_slow(struct bh_worker *w)
{
    const struct timespec nap = {0, 10 * 1000000};

    for (int i = 0; bh_slow_threads(w) > 0 && i < SLOW_MS / 10; i++)
        nanosleep(&nap, NULL);
    return bh_slow_threads(w) == 0;
}

/* False, and the rest left as it is, where somebody can't be waited for. */
static bool
fini(struct bh_worker *w)
{
    if (!bh_writer_free(w->writer)) return false;
    w->writer = NULL;
    if (!wait_for_slow(w)) return false;
    if (w->wire != NULL) bh_counts_send(w->wire);
    bh_wire_free(w->wire);
    bh_rates_close(w->rates);
    bh_orders_fini(&w->orders);
    bh_setup_slot_fini(&w->setup);
    bh_setup_put(w->first);
    return true;
}

static void
watch_signals(struct bh_worker *w, const sigset_t *wanted)
{
    const struct timespec second = {1, 0};

    for (;;) {
        int sig = sigtimedwait(wanted, NULL, &second);
        if (sig == SIGHUP)
            reload(w);
        else if (sig > 0)
            return;
        else
            bh_counts_send(w->wire);
        bh_writer_expire(w->writer);
    }
}

/* Of a socket that goes with the process: nobody can come any more, and those
 * who have come aren't left to the kernel, which would hang up. */
static void
empty_backlog(int listener)
{
    const struct timespec nap = {0, 5 * 1000000};
    struct pollfd p = {.fd = listener, .events = POLLIN};

    for (int i = 0; i < BACKLOG_MS / 5 && poll(&p, 1, 0) > 0; i++)
        nanosleep(&nap, NULL);
}

int
bh_worker_run(int listener, const char *own, const char *conf_path,
              struct bh_setup *setup)
{
    struct bh_worker w;
    sigset_t wanted;

    block_signals(&wanted);
    if (!init(&w, listener, own, conf_path, setup)) {
        bh_log(BH_ERROR, "no memory or descriptors to start with");
        fini(&w);
        return EX_OSERR;
    }
    prepare_log(setup->conf);
    struct bh_serve *serve = bh_serve_start(&w, setup->conf->worker.threads);
    if (serve == NULL) {
        fini(&w);
        return EX_OSERR;
    }
    bh_notify("READY=1");
    watch_signals(&w, &wanted);
    bh_notify("STOPPING=1");
    if (own != NULL && unlink(own) == 0) empty_backlog(listener);
    /* A silent connection may hold a thread, and another process the log's
     * lock: publishes that wait for that are told that nobody knows. */
    bool served = bh_serve_stop(serve);
    if (served && fini(&w)) return EX_OK;
    if (w.writer != NULL) bh_writer_expire(w.writer);
    bh_log(BH_WARN, "leaving though %s",
           served ? "the log is locked, or an answer isn't taken"
                  : "a connection is still open");
    _exit(EX_OK);
}
