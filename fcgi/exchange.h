/*
 * exchange.h: one FastCGI request from its first byte to the last of its
 * answer, and all that is held for it meanwhile. A publish is answered by the
 * writer, so an exchange can leave the thread that has begun it.
 */
#ifndef BH_EXCHANGE_H
#define BH_EXCHANGE_H

#include "base.h"

#include <fcgiapp.h>

#include "call.h"
#include "request.h"
#include "worker.h"

struct bh_exchange {
    FCGX_Request fcgi;
    struct bh_request rq;
    struct bh_setup *setup;
    struct bh_rules *rules;
    struct bh_call call;
    int64_t began_us; /* monotonic */
};

/* NULL: no memory. */
struct bh_exchange *bh_exchange_new(void);
void bh_exchange_free(struct bh_exchange *x); /* NULL is fine */

/*
 * Serve what comes over FD, which is taken over; NAMED: its peer has a name,
 * see pass.h. LOG is the thread's own reader. True: X is answered and can serve
 * the next. False: it is the writer's now, and frees itself.
 */
bool bh_exchange_serve(struct bh_exchange *x, struct bh_worker *w, int fd,
                       bool named, struct bh_store **log);

#endif
