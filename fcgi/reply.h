/*
 * reply.h: every answer of the worker passes here: status, headers, CORS and,
 * for a refusal, problem details (RFC 9457).
 */
#ifndef BH_REPLY_H
#define BH_REPLY_H

#include "base.h"
#include "buf.h"
#include "err.h"
#include "event.h"

#define BH_NO_RETRY (-1)

struct bh_reply {
    int status;
    const char *type; /* of the body; NULL: there is none */
    enum bh_refusal refusal;
    int retry_after;            /* seconds, or BH_NO_RETRY */
    struct bh_json_error first; /* of a refusal: what to put on record */
    struct bh_buf headers;      /* lines of this answer alone, CRLF each */
    struct bh_buf body;
};

void bh_reply_init(struct bh_reply *r);
void bh_reply_fini(struct bh_reply *r);

/* Start anew as 200 with a JSON body, which the caller then writes. */
struct bh_buf *bh_reply_json(struct bh_reply *r);

/* Start anew as a refusal. DETAIL is a sentence of ours, or NULL for the
 * standard one; ERRORS may be NULL. 429 and 503 ask to come back in 1 to 5 s.
 */
void bh_reply_refuse(struct bh_reply *r, enum bh_refusal why,
                     const char *detail, const struct bh_event_errors *errors);

/* 401 with RFC 6750's words; WHY is bh_auth_check's sentence or NULL. */
void bh_reply_challenge(struct bh_reply *r, enum bh_refusal why_not,
                        const char *why);

/*
 * The whole response as CGI has it (RFC 3875, section 6), CORS being its lines.
 * Where memory has run out OUT is a plain 500, or failed when there's none even
 * for that.
 */
void bh_reply_encode(struct bh_buf *out, const struct bh_reply *r,
                     const char *request_id, const char *cors);

#endif
