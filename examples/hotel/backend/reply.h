/* reply.h: an answer, and the ways of saying no (RFC 9457). */
#ifndef HOTEL_REPLY_H
#define HOTEL_REPLY_H

#include "hotel.h"

#include "buf.h"

enum hotel_code {
    HOTEL_OK,
    HOTEL_BAD_REQUEST,
    HOTEL_TOKEN_MISSING,
    HOTEL_TOKEN_INVALID,
    HOTEL_TOKEN_EXPIRED,
    HOTEL_SESSION_ENDED,
    HOTEL_FORBIDDEN,
    HOTEL_NOT_FOUND,
    HOTEL_METHOD,
    HOTEL_CONFLICT,
    HOTEL_TOO_LARGE,
    HOTEL_UNSUPPORTED_TYPE,
    HOTEL_INVALID_TASK,
    HOTEL_BOARD_FULL,
    HOTEL_INTERNAL
};

struct hotel_reply {
    int status;            /* 200 unless changed */
    struct bh_buf headers; /* further ones, each with its line end */
    struct bh_buf body;    /* JSON, or empty */
    bool problem;          /* it is application/problem+json */
};

void hotel_reply_init(struct hotel_reply *r);
void hotel_reply_free(struct hotel_reply *r);

/* Say no: what was in the body is dropped. POINTER (may be NULL) leads to the
 * member of the request that is wrong. DETAIL is a sentence of ours. */
void hotel_refuse(struct hotel_reply *r, enum hotel_code code,
                  const char *detail, const char *pointer);

/* All of it as a FastCGI answer; ORIGIN as it was sent, or "". */
void hotel_reply_encode(struct bh_buf *out, const struct hotel_reply *r,
                        const struct bh_conf *conf, const char *origin,
                        bool preflight);

/* The configuration's own copy of ORIGIN, where it may use cookies; or NULL. */
const char *hotel_origin_known(const struct bh_conf *conf, const char *origin);

#endif
