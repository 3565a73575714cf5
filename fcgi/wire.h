/*
 * wire.h: a worker's connections to the broker. The one that all threads share
 * for parked requests mends itself; the writer and the health check hold plain
 * descriptors of their own.
 */
#ifndef BH_WIRE_H
#define BH_WIRE_H

#include "base.h"
#include "buf.h"
#include "proto.h"

/*
 * Connect to the broker at PATH and exchange HELLO and WELCOME, each step
 * within TIMEOUT_MS. A blocking descriptor whose sends give up with -EAGAIN
 * after that time; or a negative errno, -EPROTO for an answer that is no
 * WELCOME.
 */
int bh_wire_open(const char *path, int timeout_ms, struct bh_welcome *out);

/*
 * Connecting to a broker that may be away, or slow to answer. One who has been
 * greeted is kept until it says WELCOME, so that it is found as soon as it has:
 * before it welcomes anybody who connects later, such as the health check.
 */
struct bh_dial {
    const char *path;
    int timeout_ms;     /* for WELCOME */
    int fd;             /* greeted, and not welcomed yet; -1: none */
    int64_t pause_till; /* by bh_now_ms */
};
/* PATH outlives it. */
void bh_dial_init(struct bh_dial *d, const char *path, int timeout_ms);
void bh_dial_fini(struct bh_dial *d);
/*
 * A descriptor as bh_wire_open gives it, or a negative errno. -EAGAIN where the
 * broker doesn't answer for timeout_ms, and then at once for as long
 * as it hasn't. Where nobody listens that costs nothing to find out. Where it
 * refuses, or its backlog is full, nobody tries again for a while.
 */
int bh_dial(struct bh_dial *d);

/* Whether nothing but messages to ignore has come in, so that a send makes
 * sense; false after an ERROR, which is logged, or at the end. */
bool bh_wire_alive(int fd);

struct bh_wire;
/* As bh_dial_init. NULL without memory. Connects at the first send. */
struct bh_wire *bh_wire_new(const char *path, int timeout_ms);
void bh_wire_free(struct bh_wire *w); /* NULL is fine */

/*
 * Send a message with the descriptor PASS; reconnects once where the broker has
 * gone. Thread-safe. 0: PASS has been duplicated into the broker's hands.
 * Else a negative errno and nothing was sent: -EAGAIN where the broker doesn't
 * read. While it is away, or doesn't, all but a few callers learn so without
 * waiting.
 */
int bh_wire_send(struct bh_wire *w, const struct bh_buf *msg, int pass);

#endif
