/* worker.h: the process: what all its threads share, and its life from the
 * first accept to the last answer. */
#ifndef BH_WORKER_H
#define BH_WORKER_H

#include "base.h"
#include "orders.h"
#include "rates.h"
#include "setup.h"
#include "store.h"
#include "wire.h"
#include "writer.h"

struct bh_worker {
    int listener;
    const char *own; /* its file, where nobody else has the listener; or NULL */
    const char *conf_path;
    /* Sockets, the log and the number of threads stay as they were at the
     * start, whatever is reread: their strings are this one's. */
    struct bh_setup *first;
    struct bh_setup_slot setup;
    struct bh_orders orders;
    struct bh_wire *wire;
    struct bh_writer *writer;
    struct bh_rates *rates;
    bool stop; /* atomic */
    int slow;  /* atomic; slow.c's threads */
};

/*
 * Serve LISTENER until SIGTERM, SIGINT or SIGUSR1; SIGHUP rereads CONF_PATH.
 * OWN is its file where nobody else has the socket, or NULL: it is removed at
 * the end, and what waits there is served. Takes SETUP over. The process must
 * have one thread. 0, or an exit code from sysexits.h and a line in the log.
 */
int bh_worker_run(int listener, const char *own, const char *conf_path,
                  struct bh_setup *setup);

#endif
