/* call.h: one request on its way through the worker, and the handlers that
 * answer it. */
#ifndef BH_CALL_H
#define BH_CALL_H

#include "auth.h"
#include "base.h"
#include "conf.h"
#include "reply.h"
#include "request.h"
#include "rules.h"
#include "setup.h"
#include "store.h"
#include "worker.h"

struct bh_route;
struct bh_job;

struct bh_call {
    struct bh_worker *worker;
    struct bh_store **log; /* the thread's reader, for bh_page_log() */
    struct bh_request *rq;
    const struct bh_setup *setup;
    int connection;      /* to the web server: what a handler may hand over */
    uint16_t request_id; /* FastCGI's */

    const struct bh_route *route;        /* NULL: there is none */
    const struct bh_conf_domain *domain; /* NULL: the route has none */
    const struct bh_claims *claims;      /* NULL: no token was asked for */
    const struct bh_rules *rules;        /* the operator's; NULL: unknown */
    bool preflight;

    /* For the log. */
    size_t events;         /* published, or answered with */
    char org[BH_WORD_MAX]; /* theirs, escaped; "many"; "" until known */

    struct bh_reply reply;
    bool parked; /* the broker has the request: nothing to answer */
    /* A publish on its way to the writer: answered when it is stored. */
    struct bh_job *job;
    uint8_t shape; /* publish.c's: how the body held its events */
};

/* Each fills call->reply, or sets call->parked. */
typedef void bh_handler(struct bh_call *call);
bh_handler bh_handle_publish, bh_handle_subscribe, bh_handle_stream,
    bh_handle_history, bh_handle_head, bh_handle_metrics, bh_handle_prometheus,
    bh_handle_health, bh_handle_legacy, bh_handle_telemetry;

/* Answer a publish: what has become of it, NULL: LOG_UNAVAILABLE. */
void bh_publish_answer(struct bh_call *call, const struct bh_job *job);

/* Refuse, with a constant sentence or NULL for the standard one. */
void bh_refuse(struct bh_call *call, enum bh_refusal why, const char *detail);

/* The CORS lines that go with the answer. */
void bh_call_cors(struct bh_buf *out, const struct bh_call *call);

#endif
