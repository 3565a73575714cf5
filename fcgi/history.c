/* history.c: GET /<domain>/realtime/history: pages of events out of the log,
 * from the cursor on, or from the oldest. */
#include "call.h"

#include <string.h>

#include "filter.h"
#include "page.h"

static int
read_page(struct bh_call *call, const struct bh_filter *f, struct bh_page *page)
{
    const struct bh_request *rq = call->rq;
    const char *org = call->claims->org;
    struct bh_page_query q = {.domain = rq->domain,
                              .org = {org, strlen(org)},
                              .filter = f,
                              .cursor = rq->has_cursor ? &rq->cursor : NULL,
                              .limit = rq->limit};
    int rc = bh_page_log(call->log, call->worker->first->conf->log.path);

    return rc < 0 ? rc : bh_page_read(page, *call->log, &q);
}

void
bh_handle_history(struct bh_call *call)
{
    struct bh_filter f;
    struct bh_page page = {.gap = NULL};

    if (!bh_filter_make(&f, call->rq, call->claims))
        bh_refuse(call, BH_FORBIDDEN,
                  "The token doesn't permit this property.");
    else if (read_page(call, &f, &page) < 0)
        bh_refuse(call, BH_LOG_UNAVAILABLE, NULL);
    else {
        struct bh_buf *out = bh_reply_json(&call->reply);
        bh_page_open_json(out, &page);
        bh_buf_fmt(out, ",\"more\":%s}", page.more ? "true" : "false");
    }
    bh_page_fini(&page);
}
