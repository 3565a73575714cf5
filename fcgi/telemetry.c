/* telemetry.c: POST /telemetry/client: what clients tell of themselves, from
 * anyone whom the limits let in. */
#include "call.h"

#include <errno.h>
#include <string.h>

#include "beacon.h"
#include "count.h"
#include "limit.h"
#include "list.h"
#include "writer.h"

/* Every entry must name a domain that is there: strangers don't get to fill
 * the table with names of their own. */
static bool
check_domains(struct bh_call *call, struct bh_link *list)
{
    struct bh_event_errors errors = {
        .n = 1, .v = {{.detail = "an entry names a domain that isn't there"}}};

    bh_list_each (l, list) {
        const char *domain = bh_beacon_of(l)->domain;
        if (bh_conf_domain(call->setup->conf, domain, strlen(domain)) != NULL)
            continue;
        bh_reply_refuse(&call->reply, BH_INVALID_EVENT, NULL, &errors);
        return false;
    }
    return true;
}

static void
store(struct bh_call *call, struct bh_link *list, int n)
{
    const struct bh_conf *conf = call->setup->conf;

    bh_count(BH_M_TELEMETRY_TAKEN, (uint64_t)n);
    bh_list_each (l, list) {
        if (!bh_beacon_known(bh_beacon_of(l)))
            bh_count(BH_M_TELEMETRY_OTHER, 1);
    }
    if (conf->telemetry.rows > 0)
        bh_writer_telemetry(call->worker->writer, list, conf->telemetry.rows,
                            conf->telemetry.days);
    call->reply.status = 204;
}

static void
take(struct bh_call *call, const struct bh_buf *body)
{
    struct bh_event_errors errors;
    struct bh_link list;

    bh_list_init(&list);
    int n = bh_beacon_parse(
        &list, (struct bh_str){body->p != NULL ? body->p : "", body->len},
        &errors);
    if (n == -EINVAL)
        bh_reply_refuse(&call->reply, BH_INVALID_EVENT, NULL, &errors);
    else if (n < 0)
        bh_refuse(call, BH_INTERNAL, NULL);
    else if (check_domains(call, &list) && bh_limit_telemetry(call, n))
        store(call, &list, n);
    bh_beacons_free(&list);
}

void
bh_handle_telemetry(struct bh_call *call)
{
    enum bh_media media = call->rq->media;
    struct bh_buf body = BH_BUF_INIT;

    if (!bh_limit_address(call)) return;
    if (media != BH_MEDIA_JSON && media != BH_MEDIA_TEXT) {
        bh_refuse(call, BH_UNSUPPORTED_MEDIA_TYPE,
                  "Send application/json, or text/plain as sendBeacon does.");
        return;
    }
    enum bh_refusal no = bh_request_body(call->rq, &body, BH_TELEMETRY_MAX);
    if (no != BH_GRANTED)
        bh_refuse(call, no, NULL);
    else
        take(call, &body);
    bh_buf_fini(&body);
}
