/* send.h: writing an answer to a waiter's FastCGI connection, in one system
 * call where the web server keeps up, and the line about it in the log. */
#ifndef BH_SEND_H
#define BH_SEND_H

#include "waiter.h"

/* A web server that takes no byte for so long has lost its client. */
#define BH_WRITE_TIMEOUT_MS 30000

/* 0: all is written. -EAGAIN: the rest is kept in w->pending, call bh_send_more
 * when there's room. Else the connection is useless. */
int bh_send_answer(struct bh_waiter *w, struct bh_answer *a, int retry_after);
/* DETAIL: a plain sentence, or NULL for the refusal's own. */
int bh_send_refusal(struct bh_waiter *w, enum bh_refusal r, const char *detail);
/* The same for a part of a stream, and for its beginning: a head without a
 * length. RETRY_AFTER in seconds, -1: none. */
int bh_send_part(struct bh_waiter *w, struct bh_answer *part);
int bh_send_opening(struct bh_waiter *w, struct bh_answer *part,
                    int retry_after);
/* A is to be written when what is pending has been. -EAGAIN, or -ENOMEM. */
int bh_send_after(struct bh_waiter *w, struct bh_answer *a);
int bh_send_more(struct bh_waiter *w);
void bh_send_forget(struct bh_waiter *w); /* free w->pending */

/* The line of a finished subscribe or stream; FAILURE is NULL or a refusal's
 * word. Call it before bh_waiter_detach: it names user and channel. */
void bh_send_log(const struct bh_waiter *w, uint32_t events,
                 const char *failure);

#endif
