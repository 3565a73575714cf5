/*
 * caller.h: the calling side of a connection to the broker, on a blocking
 * descriptor: say a message, hear the next one, and the greeting that comes
 * before all others. The broker's own side never blocks: broker/conn.c.
 */
#ifndef BH_CALLER_H
#define BH_CALLER_H

#include "base.h"
#include "buf.h"
#include "proto.h"

/* Send M, which is freed. 0, or a negative errno and nothing was sent: -ENOMEM
 * where M has failed, -EAGAIN after FD's write timeout. */
int bh_say(int fd, struct bh_buf *m);

/*
 * The next message into PACKET, of SIZE bytes, R at its fields. Its op, 0 for
 * one of another build; or a negative errno, -ECONNRESET at the end and -EAGAIN
 * after FD's read timeout. A descriptor that came along is closed. FLAGS as for
 * recvmsg(2).
 */
int bh_hear(int fd, void *packet, size_t size, struct bh_reader *r, int flags);

/* HELLO from this process, which is a PROGRAM. As bh_say. */
int bh_say_hello(int fd, const char *program);

#endif
