/*
 * waiter.h: a parked subscribe: one FastCGI connection, and all that is needed
 * to answer it and to log it, in one block of a few hundred bytes.
 *
 *   new ──► attached ──► parked ──► answered (freed late)
 *                 └────────┴──────► writing (the web server reads slowly) ──►
 * answered
 */
#ifndef BH_WAITER_H
#define BH_WAITER_H

#include "answer.h"
#include "broker.h"
#include "intern.h"
#include "memo.h"
#include "proto.h"
#include "user.h"

struct bh_pending; /* the rest of an answer that didn't go in one write */

enum bh_waiter_word {
    BH_W_CLIENT,
    BH_W_REQUEST,
    BH_W_PROPERTY,
    BH_W_ORIGIN,
    BH_W_UA
};
#define BH_W_COUNT 5

struct bh_waiter {
    struct bh_source source;            /* its fd is the FastCGI connection */
    struct bh_link in_channel, in_user; /* in_user also links the dead */
    struct bh_link unwatched;           /* its hang-up isn't looked for yet */
    struct bh_timer timer;
    struct bh_broker *broker;
    struct bh_channel *channel; /* NULL unless attached */
    struct bh_domain *domain;   /* that counts it */
    struct bh_user *user;
    struct bh_interned *head;   /* response head lines */
    struct bh_interned *filter; /* NULL: all properties */
    struct bh_pending *pending;
    int64_t since;   /* the client has everything up to here */
    int64_t started; /* monotonic ms */
    int64_t expires; /* monotonic ms: the token's end, or a stream's */
    int64_t told;    /* streams: the last position that the client was told */
    uint32_t events; /* streams: sent so far */
    int unread;      /* a stream: in its full socket at the last heartbeat */
    uint16_t request_id;
    bool in_loop;
    bool remembered; /* without a cursor: a memo key stands before the words */
    bool begun;      /* a stream's head has been written */
    bool by_token;   /* a stream: `expires` is the token's end */
    uint8_t stalled; /* a stream: heartbeats with a full socket of which nothing
                        was read */
    uint8_t kind;    /* enum bh_park_kind */
    uint8_t noise;   /* reads that brought bytes nobody expects */
    uint8_t words[BH_W_COUNT];
    /* The memo key, if any, then the words. */
    char text[] __attribute__((aligned(8)));
};

/* Takes FD over, also when it returns NULL for want of memory. Not parked yet.
 */
struct bh_waiter *bh_waiter_new(struct bh_broker *b, const struct bh_park *p,
                                int fd);
struct bh_str bh_waiter_word(const struct bh_waiter *w, enum bh_waiter_word i);
/* NULL unless it came without a cursor. */
const struct bh_memo_key *bh_waiter_memo(const struct bh_waiter *w);

/* Into its channel and its user, which are counted by it from then on. */
void bh_waiter_attach(struct bh_waiter *w, struct bh_channel *ch,
                      struct bh_user *u);
/* Attached, it waits until DEADLINE (monotonic ms). 0, or a negative errno. */
int bh_waiter_park(struct bh_waiter *w, int64_t deadline);
/*
 * In the before-wait hook: watch those for a hang-up that have waited for a
 * while. Most polls of a busy org are answered before, and never cost the
 * kernel's two visits.
 */
void bh_waiters_watch(struct bh_broker *b);
/* When that is due, monotonic ms; INT64_MAX: never. */
int64_t bh_waiters_next(const struct bh_broker *b);
/* Out of channel, user and timers; a user without waiters goes. */
void bh_waiter_detach(struct bh_waiter *w);

/* Whether events of this property concern it. */
bool bh_waiter_wants(const struct bh_waiter *w, struct bh_str property);

/*
 * Send head and body, and end the request. A's reference stays the caller's.
 * Logs, counts, remembers the position of one without a cursor, and lets go of
 * the waiter: at once, or when the rest has been written. W is not the caller's
 * any more.
 */
void bh_waiter_answer(struct bh_waiter *w, struct bh_answer *a,
                      int retry_after);
void bh_waiter_refuse(struct bh_waiter *w, enum bh_refusal r);
/* The same, with a sentence in place of the refusal's own (NULL). */
void bh_waiter_end(struct bh_waiter *w, enum bh_refusal r, const char *detail);
/* Having detached it: write the last part, after what is pending. NULL: there
 * was no memory for it. */
void bh_waiter_finish(struct bh_waiter *w, struct bh_answer *last);
/* Having detached it: RC is what came of writing the last of it. */
void bh_waiter_sent(struct bh_waiter *w, int rc);
/* Look for these epoll events. 0 or a negative errno. */
int bh_waiter_await(struct bh_waiter *w, uint32_t events);
/* Whether the other side has hung up, or sends what it shouldn't. */
bool bh_waiter_gone(struct bh_waiter *w, uint32_t events);
/* The client or the web server has left: close without an answer. */
void bh_waiter_drop(struct bh_waiter *w);
/* FN, which lets go of it, for every parked waiter. */
void bh_waiters_each(struct bh_broker *b, void (*fn)(struct bh_waiter *w));
/* In the before-wait hook: free those that were let go of. */
void bh_waiters_reap(struct bh_broker *b);

#endif
