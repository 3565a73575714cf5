/*
 * workerkit.h: a real worker in a process of its own, on a folder of its own,
 * and the broker's end of the wire in the test's hand. What the worker wrote to
 * stderr is shown when the test doesn't reach kit's close.
 */
#ifndef BH_TESTS_WORKERKIT_H
#define BH_TESTS_WORKERKIT_H

#include "base.h"
#include "conf.h"
#include "fcgiclient.h"
#include "proto.h"

#define WK_MS 60000 /* for what isn't measured, on however slow a machine */

#define WK_CONNS 8

struct workerkit {
    char dir[64];
    char conf_path[96], socket[96], broker[96], log[96];
    struct bh_conf *conf; /* as the worker has read it, to sign tokens with */
    pid_t worker, watcher;
    int finished;        /* the watcher's: a byte means all is well */
    int broker_seconds;  /* worker.broker_timeout_seconds */
    int broker_listener; /* -1: there is no broker */
    int conns[WK_CONNS]; /* taken, and nobody's yet */
    int n_conns;
};

/* Fill a folder and start a worker; nobody listens for the broker yet. */
void wk_open(struct workerkit *k);
/* The same; it waits a second for the broker. */
void wk_open_impatient(struct workerkit *k);
/* SIGTERM; the worker must leave with 0 in time. Returns the milliseconds. */
int wk_stop(struct workerkit *k);
/* How many descriptors the worker holds. */
int wk_descriptors(struct workerkit *k);
void wk_close(struct workerkit *k); /* stops it where it runs */

/* "Bearer …" for org ORG (NULL: none), one property (NULL: all), one scope
 * (NULL: none). Of the last eight of them each is valid. */
const char *wk_token(struct workerkit *k, const char *org, const char *property,
                     const char *scope);
/* A token that may publish to any org. */
const char *wk_publisher(struct workerkit *k);

/* Rewrite the configuration: MORE is added at its end. */
void wk_configure(struct workerkit *k, const char *more);

/* ---- the broker ---- */

/* The worker waits for it as long as the test does; see wk_open_impatient. */
void wk_broker_listen(struct workerkit *k);
/* Welcome whoever comes next. */
void wk_broker_greet(struct workerkit *k);
/*
 * Take the connection whose first message is OP: HELLO has been read and
 * WELCOME sent, the message hasn't been read. The worker's counts may come at
 * any time and on any connection: they are dropped, here and below.
 */
int wk_broker_accept(struct workerkit *k, int op);
/* The next message, of op OP, into PACKET (BH_MSG_MAX bytes), R at its fields;
 * *PASSED is a descriptor or -1. */
void wk_broker_expect(int fd, int op, char *packet, struct bh_reader *r,
                      int *passed);
/* Whether nothing is to be read within MS; also false at the end. */
bool wk_quiet(int fd, int ms);
/* Read a NOTE of N rows and answer that each woke WOKEN. Returns the first. */
int64_t wk_broker_note(int fd, int64_t n, uint32_t woken);
/* Send a whole FastCGI answer of BODY on the parked connection FD, and close
 * it. */
void wk_broker_answer(int fd, uint16_t request_id, const char *body);

#endif
