/* legacy.c: GET /<domain>/events/subscribe, the retired poll. */
#include "call.h"

void
bh_handle_legacy(struct bh_call *call)
{
    if (call->domain->legacy) {
        bh_buf_str(bh_reply_json(&call->reply), "{\"events\":[]}");
        return;
    }
    bh_refuse(call, BH_GONE, NULL);
    bh_buf_fmt(&call->reply.headers,
               "Link: </%s/realtime/subscribe>; rel=\"successor-version\"\r\n",
               call->domain->name);
}
