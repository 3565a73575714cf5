#include "tell.h"

#include <string.h>

#include "clock.h"
#include "log.h"
#include "route.h"

/* A word of a line, escaped and cut. */
struct word {
    char text[BH_WORD_MAX];
};

static const char *
word(struct word *w, const char *s)
{
    return bh_log_word(w->text, sizeof w->text, s, s != NULL ? strlen(s) : 0);
}

static const char *
field(struct word *w, const char *s)
{
    return bh_log_field(w->text, sizeof w->text, s, s != NULL ? strlen(s) : 0);
}

/* The org that is concerned: the token's; without one that of the events. */
static const char *
org_of(struct word *w, const struct bh_call *call)
{
    if (call->claims != NULL && call->claims->org != NULL)
        return field(w, call->claims->org);
    return call->org[0] != '\0' ? call->org : field(w, NULL);
}

static const char *
user_of(struct word *w, const struct bh_call *call)
{
    return field(w, call->claims != NULL ? call->claims->user : NULL);
}

static void
tell_realtime(const struct bh_call *call, const char *what, enum bh_level level,
              long long ms)
{
    const struct bh_request *rq = call->rq;
    enum bh_refusal no = call->reply.refusal;
    struct word org, user, property, origin, ua;
    bool publish = strcmp(what, BH_LINE_PUBLISH) == 0;

    bh_log(level,
           "[%s][%s] orgId=%s userId=%s %s%s%sevents=%zu durationMs=%lld "
           "origin=%s ua=\"%s\"%s%s%s%s",
           what, no ? "failure" : "completed", org_of(&org, call),
           user_of(&user, call), publish ? "" : "propertyId=",
           publish         ? ""
           : *rq->property ? field(&property, rq->property)
                           : "all",
           publish ? "" : " ", call->events, ms, field(&origin, rq->origin),
           word(&ua, rq->user_agent), no ? " code=" : "",
           no ? bh_refusal_word(no) : "", no ? " id=" : "", no ? rq->id : "");
}

static void
tell_plainly(const struct bh_call *call, enum bh_level level, long long us)
{
    const struct bh_request *rq = call->rq;
    struct word path, user, origin, ua;

    bh_log(level,
           "status=%d code=%s path='%s' user='%s' origin='%s' ua='%s' id=%s "
           "us=%lld",
           call->reply.status,
           call->reply.refusal ? bh_refusal_word(call->reply.refusal) : "-",
           word(&path, rq->path), user_of(&user, call),
           word(&origin, rq->origin), word(&ua, rq->user_agent), rq->id, us);
}

void
bh_tell(const struct bh_call *call, int64_t began_us)
{
    enum bh_level level =
        call->reply.refusal == BH_INTERNAL ? BH_ERROR : BH_INFO;
    long long us = (long long)(bh_now_us() - began_us);
    const char *what = call->route != NULL && !call->preflight
                           ? bh_route_line(call->route)
                           : NULL;

    if (call->parked || !bh_log_wants(level)) return;
    if (what != NULL)
        tell_realtime(call, what, level, us / 1000);
    else
        tell_plainly(call, level, us);
}
