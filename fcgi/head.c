/* head.c: GET /<domain>/realtime/cursor: the log's head. Whoever asks before
 * it reads its own rows misses nothing that is published meanwhile. */
#include "call.h"

#include "page.h"

void
bh_handle_head(struct bh_call *call)
{
    char cursor[BH_CURSOR_MAX];
    int rc = bh_page_log(call->log, call->worker->first->conf->log.path);

    if (rc == 0) rc = bh_page_head(cursor, *call->log);
    if (rc < 0)
        bh_refuse(call, BH_LOG_UNAVAILABLE, NULL);
    else
        bh_buf_fmt(bh_reply_json(&call->reply), "{\"cursor\":\"%s\"}", cursor);
}
