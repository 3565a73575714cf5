/* conn.h: the workers' connections: accept, check who it is, serve messages. */
#ifndef BH_CONN_H
#define BH_CONN_H

#include "broker.h"
#include "proto.h"

struct bh_conn {
    struct bh_source source;
    struct bh_link all; /* b->conns, or b->dead_conns */
    struct bh_broker *broker;
    bool greeted; /* its HELLO has come */
    pid_t pid;
};

/* Take connections on FD, a listening SOCK_SEQPACKET socket that is now the
 * broker's. 0 or a negative errno. */
int bh_conn_listen(struct bh_broker *b, int fd);
/* In the before-wait hook: listen again after a pause for want of descriptors.
 */
void bh_conn_tick(struct bh_broker *b);
void bh_conn_close(struct bh_conn *c);
/* Serve all that has been sent, and let no more come: a request that a worker
 * has handed over is lost with the message, and the worker doesn't know. */
void bh_conns_serve(struct bh_broker *b);
/* Stop listening and close all. */
void bh_conns_close(struct bh_broker *b);
void bh_conns_reap(struct bh_broker *b);

#endif
