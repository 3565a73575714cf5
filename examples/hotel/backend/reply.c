/* reply.c: encodes answers, refusals and CORS headers. */
#include "reply.h"

#include <string.h>

#include "json.h"

static const struct refusal {
    int status;
    const char *word, *title;
} refusals[] = {
    [HOTEL_OK] = {200, "ok", "Fine"},
    [HOTEL_BAD_REQUEST] = {400, "bad_request", "The request is malformed"},
    [HOTEL_TOKEN_MISSING] = {401, "token_missing", "A token is needed"},
    [HOTEL_TOKEN_INVALID] = {401, "token_invalid", "The token is not good"},
    [HOTEL_TOKEN_EXPIRED] = {401, "token_expired", "The token has expired"},
    [HOTEL_SESSION_ENDED] = {401, "session_ended", "Sign in again"},
    [HOTEL_FORBIDDEN] = {403, "forbidden", "Not allowed"},
    [HOTEL_NOT_FOUND] = {404, "not_found", "Nothing is there"},
    [HOTEL_METHOD] = {405, "method_not_allowed", "Not by this method"},
    [HOTEL_CONFLICT] = {409, "conflict", "Somebody was faster"},
    [HOTEL_TOO_LARGE] = {413, "too_large", "Too large"},
    [HOTEL_UNSUPPORTED_TYPE] = {415, "unsupported_media_type", "Not this type"},
    [HOTEL_INVALID_TASK] = {422, "invalid_task", "The task is not sound"},
    [HOTEL_BOARD_FULL] = {409, "board_full", "The board is full"},
    [HOTEL_INTERNAL] = {500, "internal", "Something failed here"},
};

void
hotel_reply_init(struct hotel_reply *r)
{
    *r = (struct hotel_reply){.status = 200};
}

void
hotel_reply_free(struct hotel_reply *r)
{
    bh_buf_fini(&r->headers);
    bh_buf_fini(&r->body);
}

static void
add_text(struct bh_buf *b, const char *name, const char *value)
{
    bh_buf_fmt(b, "%s\"%s\":", b->len > 0 ? "," : "{", name);
    bh_json_quote(b, value, strlen(value));
}

void
hotel_refuse(struct hotel_reply *r, enum hotel_code code, const char *detail,
             const char *pointer)
{
    const struct refusal *no = &refusals[code];

    r->status = no->status;
    r->problem = true;
    bh_buf_reset(&r->body);
    add_text(&r->body, "type", "about:blank");
    add_text(&r->body, "title", no->title);
    bh_buf_fmt(&r->body, ",\"status\":%d", no->status);
    add_text(&r->body, "detail", detail);
    add_text(&r->body, "code", no->word);
    if (pointer != NULL) add_text(&r->body, "pointer", pointer);
    bh_buf_str(&r->body, "}");
    if (no->status == 401)
        bh_buf_str(&r->headers, "WWW-Authenticate: Bearer\r\n");
}

const char *
hotel_origin_known(const struct bh_conf *conf, const char *origin)
{
    for (size_t i = 0; i < conf->cors.n_origins_with_credentials; i++)
        if (strcmp(conf->cors.origins_with_credentials[i], origin) == 0)
            return conf->cors.origins_with_credentials[i];
    return NULL;
}

static void
add_cors(struct bh_buf *out, const struct bh_conf *conf, const char *origin,
         bool preflight)
{
    const char *known = hotel_origin_known(conf, origin);

    bh_buf_str(out, "Vary: Origin\r\n");
    if (known == NULL) return;
    bh_buf_fmt(out,
               "Access-Control-Allow-Origin: %s\r\n"
               "Access-Control-Allow-Credentials: true\r\n",
               known);
    if (preflight)
        bh_buf_fmt(out,
                   "Access-Control-Allow-Methods: GET, POST, PATCH, DELETE\r\n"
                   "Access-Control-Allow-Headers: Content-Type, "
                   "Authorization, X-Request-ID\r\n"
                   "Access-Control-Max-Age: %d\r\n",
                   conf->cors.max_age_s);
    else
        /* Without it the page can't see where its rows end. */
        bh_buf_str(out, "Access-Control-Expose-Headers: "
                        "X-Realtime-Cursor, X-Request-ID, Retry-After\r\n");
}

void
hotel_reply_encode(struct bh_buf *out, const struct hotel_reply *r,
                   const struct bh_conf *conf, const char *origin,
                   bool preflight)
{
    bh_buf_fmt(out,
               "Status: %d\r\nCache-Control: no-store\r\n"
               "X-Content-Type-Options: nosniff\r\n",
               r->status);
    if (r->body.len > 0)
        bh_buf_fmt(out, "Content-Type: application/%s\r\n",
                   r->problem ? "problem+json" : "json");
    if (r->status != 204)
        bh_buf_fmt(out, "Content-Length: %zu\r\n", r->body.len);
    add_cors(out, conf, origin, preflight);
    if (r->headers.failed || r->body.failed) out->failed = true;
    bh_buf_add(out, r->headers.p, r->headers.len);
    bh_buf_str(out, "\r\n");
    bh_buf_add(out, r->body.p, r->body.len);
}
