#include "route.h"

#include <string.h>

#include "clock.h"
#include "orders.h"
#include "cors.h"
#include "count.h"
#include "writer.h"

/* Who may call. */
enum who {
    ANYONE,
    MEMBER,    /* a token with an org */
    PUBLISHER, /* a token with the scope realtime:publish */
    MONITOR    /* one with realtime:metrics */
};

struct bh_route {
    const char *path; /* after "/<domain>/" where it doesn't begin with '/' */
    enum bh_method method;
    enum who who;
    unsigned takes; /* enum bh_request_item */
    bool recorded;  /* refusals to a valid token go to the log's table */
    bh_handler *handler;
};

static const struct bh_route routes[] = {
    {"/healthz", BH_GET, ANYONE, BH_LIVE, false, bh_handle_health},
    {"/metrics", BH_GET, MONITOR, 0, false, bh_handle_prometheus},
    {"/telemetry/client", BH_POST, ANYONE, BH_ANY_QUERY, false,
     bh_handle_telemetry},
    {"realtime/subscribe", BH_GET, MEMBER,
     BH_PROPERTY | BH_WAIT | BH_CURSOR | BH_CLIENT_ID, false,
     bh_handle_subscribe},
    {"realtime/stream", BH_GET, MEMBER, BH_PROPERTY | BH_CURSOR | BH_CLIENT_ID,
     false, bh_handle_stream},
    {"realtime/history", BH_GET, MEMBER, BH_PROPERTY | BH_LIMIT | BH_CURSOR,
     false, bh_handle_history},
    {"realtime/cursor", BH_GET, MEMBER, 0, false, bh_handle_head},
    {"realtime/publish", BH_POST, PUBLISHER, 0, true, bh_handle_publish},
    {"realtime/metrics", BH_GET, MONITOR, 0, false, bh_handle_metrics},
    {"events/subscribe", BH_GET, ANYONE, BH_ANY_QUERY, false, bh_handle_legacy},
};

void
bh_refuse(struct bh_call *call, enum bh_refusal why, const char *detail)
{
    bh_reply_refuse(&call->reply, why, detail, NULL);
}

void
bh_call_cors(struct bh_buf *out, const struct bh_call *call)
{
    if (call->preflight)
        bh_cors_preflight(out, call->setup->conf, call->rq->origin,
                          bh_route_methods(call->route));
    else
        bh_cors_answer(out, call->setup->conf, call->rq->origin);
}

/* ---- finding it ---- */

static bool
matches(const struct bh_route *route, const struct bh_request *rq)
{
    if (route->path[0] == '/') return strcmp(route->path, rq->path) == 0;
    return rq->domain.len > 0 && strcmp(route->path, rq->action.p) == 0;
}

const struct bh_route *
bh_route_find(const struct bh_request *rq)
{
    for (size_t i = 0; i < bh_countof(routes); i++)
        if (matches(&routes[i], rq)) return &routes[i];
    return NULL;
}

const char *
bh_route_methods(const struct bh_route *route)
{
    return route->method == BH_POST ? "POST, OPTIONS" : "GET, OPTIONS";
}

const char *
bh_route_line(const struct bh_route *route)
{
    if (route->handler == bh_handle_publish) return BH_LINE_PUBLISH;
    return route->handler == bh_handle_subscribe ? BH_LINE_SUBSCRIBE : NULL;
}

/* False, and refused, where the path leads nowhere. */
static bool
find(struct bh_call *call)
{
    const struct bh_request *rq = call->rq;
    const struct bh_route *route = bh_route_find(rq);

    if (route != NULL && route->path[0] != '/') {
        call->domain =
            bh_conf_domain(call->setup->conf, rq->domain.p, rq->domain.len);
        if (call->domain == NULL) route = NULL;
    }
    call->route = route;
    if (route == NULL) bh_refuse(call, BH_NOT_FOUND, NULL);
    return route != NULL;
}

/* ---- checks; false means refused ---- */

static bool
check_method(struct bh_call *call)
{
    if (call->rq->method == call->route->method) return true;
    bh_refuse(call, BH_METHOD_NOT_ALLOWED, NULL);
    bh_buf_fmt(&call->reply.headers, "Allow: %s\r\n",
               bh_route_methods(call->route));
    return false;
}

/* Any "off" wins: the environment's, the configuration's, the operator's. */
static bool
check_domain(struct bh_call *call)
{
    const struct bh_conf_domain *d = call->domain;
    const char *by = NULL;

    if (d == NULL) return true;
    if (d->off_by_environment)
        by = "Switched off by ENABLE_<DOMAIN>_REALTIME_V2; fall back, try "
             "later.";
    else if (!d->enabled)
        by = "Switched off in the configuration; fall back, try later.";
    else if (bh_rules_off(call->rules,
                          (struct bh_str){d->name, strlen(d->name)}))
        by = "Switched off by bellhopctl domain disable; fall back, try later.";
    if (by == NULL) return true;
    bh_refuse(call, BH_DOMAIN_DISABLED, by);
    return false;
}

/* After the token was found good, in the cache or not. */
static bool
check_revoked(struct bh_call *call)
{
    if (call->rules == NULL) {
        bh_refuse(call, BH_LOG_UNAVAILABLE,
                  "The deny list can't be read; try again after Retry-After.");
        return false;
    }
    if (!bh_orders_revoked(call->rules, call->claims)) return true;
    bh_reply_challenge(&call->reply, BH_TOKEN_INVALID,
                       "The token has been revoked.");
    return false;
}

static bool
check_token(struct bh_call *call)
{
    const char *why = NULL;
    enum bh_refusal no = bh_auth_check(
        call->setup->auth, call->rq->authorization, &call->claims, &why);

    if (no == BH_GRANTED) return check_revoked(call);
    if (bh_refusal_status(no) == 401)
        bh_reply_challenge(&call->reply, no, why);
    else
        bh_refuse(call, no, NULL);
    return false;
}

static bool
check_grant(struct bh_call *call)
{
    const char *missing = NULL;

    if (call->route->who == MEMBER && call->claims->org == NULL)
        missing = "The token names no organisation.";
    if (call->route->who == PUBLISHER && !call->claims->may_publish)
        missing = "The token lacks the scope realtime:publish.";
    if (call->route->who == MONITOR && !call->claims->may_metrics)
        missing = "The token lacks the scope realtime:metrics.";
    if (missing == NULL) return true;
    bh_refuse(call, BH_FORBIDDEN, missing);
    return false;
}

static bool
check_items(struct bh_call *call)
{
    const char *fault = bh_request_fault(call->rq, call->route->takes);

    if (fault != NULL) bh_refuse(call, BH_BAD_REQUEST, fault);
    return fault == NULL;
}

/* A body where none belongs: it must be out of the way before a hand-over, and
 * a connection that is read to its end closes faster. */
static bool
drain(struct bh_call *call)
{
    enum bh_refusal no = bh_request_body(call->rq, NULL, BH_STRAY_MAX);

    if (no != BH_GRANTED) bh_refuse(call, no, NULL);
    return no == BH_GRANTED;
}

/* ---- the way through ---- */

static void
run_checked(struct bh_call *call)
{
    const struct bh_route *route = call->route;

    if (!check_method(call) || !check_domain(call)) return;
    if (route->who != ANYONE && (!check_token(call) || !check_grant(call)))
        return;
    if (check_items(call)) route->handler(call);
}

static void
record(struct bh_call *call)
{
    const struct bh_reply *reply = &call->reply;
    const char *org = call->claims->org != NULL ? call->claims->org : "";
    const char *word = bh_refusal_word(reply->refusal);
    const struct bh_json_error *first = &reply->first;
    const struct bh_conf *conf = call->setup->conf;
    struct bh_request *rq = call->rq;
    struct bh_refused r = {
        .domain = rq->domain,
        .org = {org, strlen(org)},
        .subject = {call->claims->user, strlen(call->claims->user)},
        .code = {word, strlen(word)},
        .pointer = {first->pointer, strlen(first->pointer)},
        .detail = {first->detail, strlen(first->detail)},
        .request_id = {rq->id, strlen(rq->id)},
        .bytes = (int64_t)rq->body_len,
    };

    if (rq->content_length > r.bytes) r.bytes = rq->content_length;
    if (conf->worker.refusals_kept > 0)
        bh_writer_record(call->worker->writer, &r, conf->worker.refusals_kept);
}

/* Of its publisher's making, and the token good: one that was revoked isn't,
 * though its claims have been read. */
static bool
is_for_record(enum bh_refusal r)
{
    int status = bh_refusal_status(r);

    return status != 401 && status < 500;
}

static void
run(struct bh_call *call)
{
    if (call->rq->method != BH_POST && !drain(call)) return;
    if (!find(call)) return;
    if (call->rq->method == BH_OPTIONS) {
        call->preflight = true;
        call->reply.status = 204;
        return;
    }
    run_checked(call);
}

void
bh_route_end(struct bh_call *call)
{
    enum bh_refusal no = call->reply.refusal;

    if (no == BH_GRANTED) return;
    bh_count_refused(no);
    if (call->route != NULL && call->route->recorded && call->claims != NULL &&
        is_for_record(no))
        record(call);
}

void
bh_route_run(struct bh_call *call)
{
    run(call);
    if (call->job == NULL) bh_route_end(call);
}
