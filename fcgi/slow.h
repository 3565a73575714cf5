/* slow.h: answers that a web server doesn't take at once. The writer must not
 * wait for one, so each gets a thread, which ends with it. */
#ifndef BH_SLOW_H
#define BH_SLOW_H

#include "base.h"
#include "buf.h"

struct bh_worker;

/*
 * Send BYTES over FD, which stays the caller's: now, as much as is taken, and
 * the rest by a thread that gives up TIMEOUT_MS after the last byte was taken.
 * A rest for which there is no thread or no memory is lost: the web server then
 * sees the connection end.
 */
void bh_slow_send(struct bh_worker *w, int fd, struct bh_buf *bytes,
                  int timeout_ms);
/* How many such threads there are. */
int bh_slow_threads(struct bh_worker *w);

#endif
