/*
 * err.h: what a client can be refused with. One table gives the code's word,
 * its HTTP status, title and a sentence that says what to do next; PROTOCOL.md
 * lists the same rows and a test compares them. Problem details: RFC 9457.
 *
 * Functions that can fail for reasons of the machine return 0 or a negative
 * errno value; functions that judge a request return an enum bh_refusal.
 */
#ifndef BH_ERR_H
#define BH_ERR_H

#include "base.h"

struct bh_buf;

/*  X(symbol, word, status, title, what to do next) */
#define BH_REFUSALS(X)                                                         \
    X(BAD_REQUEST, "bad_request", 400, "Bad request",                          \
      "Correct the request and send it again.")                                \
    X(TOKEN_MISSING, "token_missing", 401, "Token missing",                    \
      "Send Authorization: Bearer and a token.")                               \
    X(TOKEN_INVALID, "token_invalid", 401, "Token invalid",                    \
      "Get a new token; this one can't be accepted.")                          \
    X(TOKEN_EXPIRED, "token_expired", 401, "Token expired",                    \
      "Get a fresh token and try again.")                                      \
    X(FORBIDDEN, "forbidden", 403, "Forbidden",                                \
      "The token doesn't permit this; use one that does.")                     \
    X(NOT_FOUND, "not_found", 404, "Not found",                                \
      "Check the path and that the domain is configured.")                     \
    X(METHOD_NOT_ALLOWED, "method_not_allowed", 405, "Method not allowed",     \
      "Use one of the methods in Allow.")                                      \
    X(SUPERSEDED, "superseded", 409, "Superseded",                             \
      "A newer request of the same X-Client-Id took this one's place.")        \
    X(EVENT_CONFLICT, "event_conflict", 409, "Event conflict",                 \
      "This eventId is stored with another body; use a new eventId.")          \
    X(GONE, "gone", 410, "Gone",                                               \
      "This endpoint has retired; follow the Link header.")                    \
    X(TOO_LARGE, "too_large", 413, "Too large",                                \
      "Send less at once: split the batch or shorten the payload.")            \
    X(UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", 415,                   \
      "Unsupported media type",                                                \
      "Send application/json or application/x-ndjson.")                        \
    X(INVALID_EVENT, "invalid_event", 422, "Invalid event",                    \
      "Correct what errors names; nothing of the request was stored.")         \
    X(RATE_LIMITED, "rate_limited", 429, "Too many requests",                  \
      "Wait for Retry-After, then try again.")                                 \
    X(INTERNAL, "internal", 500, "Internal error",                             \
      "Try again; if it stays, give the operator the X-Request-ID.")           \
    X(BROKER_DOWN, "broker_down", 503, "Broker down",                          \
      "Wait for Retry-After, then try again.")                                 \
    X(LOG_UNAVAILABLE, "log_unavailable", 503, "Log unavailable",              \
      "Wait for Retry-After, then try again with the same eventId.")           \
    X(DOMAIN_DISABLED, "domain_disabled", 503, "Domain disabled",              \
      "The operator has switched this domain off; fall back, try later.")

enum bh_refusal {
    BH_GRANTED = 0,
#define BH_REFUSAL_ENUM(sym, word, status, title, next) BH_##sym,
    BH_REFUSALS(BH_REFUSAL_ENUM)
#undef BH_REFUSAL_ENUM
        BH_REFUSAL_COUNT
};

/* All four are constant strings or numbers; R must be a refusal, not GRANTED.
 */
const char *bh_refusal_word(enum bh_refusal r);
int bh_refusal_status(enum bh_refusal r);
const char *bh_refusal_title(enum bh_refusal r);
const char *bh_refusal_next(enum bh_refusal r);

/* The reason phrase of an HTTP status that Bellhop sends, else "". */
const char *bh_status_phrase(int status);

/*
 * Append the problem+json body of R with its standard detail. It holds nothing
 * from outside, so the broker, which knows no JSON, can use it too.
 */
void bh_refusal_body(struct bh_buf *out, enum bh_refusal r);
/* With another detail: plain words of ours, or NULL for the standard one. */
void bh_refusal_body_saying(struct bh_buf *out, enum bh_refusal r,
                            const char *detail);

#endif
