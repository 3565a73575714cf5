/* health.c: GET /healthz: what is up. ?live asks for nothing but an answer. */
#include "call.h"

#include <unistd.h>

#include "clock.h"
#include "page.h"
#include "wire.h"

#define BROKER_MS 500

/* A fresh connection: whether a new one is taken is the question. A broker that
 * follows no log yet can't serve anybody. */
static bool
broker_is_up(const struct bh_worker *w)
{
    struct bh_welcome welcome;
    int fd = bh_wire_open(w->first->conf->broker.socket, BROKER_MS, &welcome);

    if (fd < 0) return false;
    close(fd);
    return welcome.log_id[0] != '\0';
}

static bool
log_is_up(struct bh_call *call)
{
    char cursor[BH_CURSOR_MAX];

    return bh_page_log(call->log, call->worker->first->conf->log.path) == 0 &&
           bh_page_head(cursor, *call->log) == 0;
}

static const char *
word(bool up)
{
    return up ? "up" : "down";
}

void
bh_handle_health(struct bh_call *call)
{
    struct bh_buf *out = bh_reply_json(&call->reply);

    if (call->rq->given & BH_LIVE) {
        bh_buf_str(out, "{\"worker\":\"up\"}");
        return;
    }
    bool broker = broker_is_up(call->worker);
    bool log = log_is_up(call);
    bh_buf_fmt(out,
               "{\"status\":\"%s\",\"worker\":\"up\",\"broker\":\"%s\","
               "\"log\":\"%s\"}",
               word(broker && log), word(broker), word(log));
    if (broker && log) return;
    call->reply.status = 503;
    call->reply.retry_after = 1 + (int)bh_random_below(5);
}
