/*
 * session.c: signing in. It is a demo: whoever comes picks a name, there are no
 * passwords. All that follows is as it should be: a short token for the page's
 * memory, and a long-lived secret in a cookie that no script can read.
 */
#include "call.h"

#include <errno.h>
#include <string.h>

#include "clock.h"
#include "db.h"
#include "json.h"
#include "log.h"
#include "mem.h"

static void
fail(struct hotel_call *c)
{
    hotel_refuse(&c->reply, HOTEL_INTERNAL, "The database failed.", NULL);
}

void
hotel_handle_staff(struct hotel_call *c)
{
    if (hotel_db_staff(c->hotel->db, &c->reply.body) != 0) fail(c);
}

/* Secure wherever it came by TLS. Only the paths that need it ever see it. */
static void
set_cookie(struct hotel_call *c, const char *secret, int64_t seconds)
{
    bh_buf_fmt(&c->reply.headers,
               "Set-Cookie: hotel-refresh=%s; Path=/hotel/auth; Max-Age=%lld; "
               "HttpOnly; SameSite=Strict%s\r\n",
               secret, (long long)seconds, c->rq->https ? "; Secure" : "");
}

static char *
make_token(struct hotel *h, const struct hotel_person *p)
{
    const char *properties[bh_countof(p->properties)];
    char err[256], jti[33];
    struct bh_grant grant = {.user = p->id,
                             .org = p->org,
                             .properties =
                                 p->all_properties ? NULL : properties,
                             .n_properties = (size_t)p->n_properties,
                             .jti = jti,
                             .ttl_s = h->token_ttl_s};

    bh_random_hex(jti, 16);
    for (int i = 0; i < p->n_properties; i++) properties[i] = p->properties[i];
    char *token = bh_auth_sign(h->conf, &grant, err, sizeof err);
    if (token == NULL) bh_log(BH_ERROR, "no token can be signed: %s", err);
    return token;
}

static void
quote(struct bh_buf *out, const char *name, const char *value)
{
    bh_buf_fmt(out, "\"%s\":", name);
    bh_json_quote(out, value, strlen(value));
    bh_buf_str(out, ",");
}

static void
answer_session(struct hotel_call *c, const struct hotel_session *s)
{
    int64_t life_ms = c->hotel->token_ttl_s * 1000LL;
    char *token = make_token(c->hotel, &s->person);

    if (token == NULL) {
        hotel_refuse(&c->reply, HOTEL_INTERNAL, "No token could be signed.",
                     NULL);
        return;
    }
    set_cookie(c, s->secret, HOTEL_SESSION_MS / 1000);
    bh_buf_str(&c->reply.body, "{");
    quote(&c->reply.body, "accessToken", token);
    quote(&c->reply.body, "userId", s->person.id);
    quote(&c->reply.body, "orgId", s->person.org);
    quote(&c->reply.body, "sid", s->id);
    bh_buf_fmt(&c->reply.body, "\"expiresIn\":%d,\"expiresAt\":%lld}",
               c->hotel->token_ttl_s, (long long)(bh_wall_ms() + life_ms));
    bh_free(token);
}

/* {"user": "anna"} */
static bool
read_user(const struct bh_buf *body, char out[HOTEL_ID_MAX + 1])
{
    struct bh_buf text = BH_BUF_INIT;
    struct bh_str value;

    bool ok =
        body->len > 0 &&
        bh_json_member((struct bh_str){body->p, body->len}, "user", &value) &&
        value.p[0] == '"' && bh_json_string(&text, value) == 0 &&
        text.len > 0 && text.len <= HOTEL_ID_MAX;
    if (ok) {
        memcpy(out, text.p, text.len);
        out[text.len] = '\0';
        ok = strlen(out) == text.len && hotel_id_valid(out);
    }
    bh_buf_fini(&text);
    return ok;
}

void
hotel_handle_login(struct hotel_call *c)
{
    struct hotel_session s;
    char user[HOTEL_ID_MAX + 1];
    int rc = -ENOENT;

    if (read_user(&c->rq->body, user))
        rc = hotel_db_login(c->hotel->db, user, &s);
    if (rc == 0)
        answer_session(c, &s);
    else if (rc == -ENOENT)
        hotel_refuse(&c->reply, HOTEL_BAD_REQUEST,
                     "Send {\"user\": …} with an id of /hotel/auth/staff.",
                     "/user");
    else
        fail(c);
    bh_wipe(&s, sizeof s);
}

void
hotel_handle_refresh(struct hotel_call *c)
{
    struct hotel_session s;
    int rc = -ENOENT;

    if (c->rq->refresh[0] != '\0')
        rc = hotel_db_refresh(c->hotel->db, c->rq->refresh, &s);
    if (rc == 0) {
        answer_session(c, &s);
    } else if (rc == -ENOENT) {
        if (c->rq->refresh[0] != '\0') set_cookie(c, "", 0);
        hotel_refuse(&c->reply, HOTEL_SESSION_ENDED,
                     "There is no session, or it has ended.", NULL);
    } else {
        fail(c);
    }
    bh_wipe(&s, sizeof s);
}

void
hotel_handle_logout(struct hotel_call *c)
{
    if (c->rq->refresh[0] != '\0' &&
        hotel_db_logout(c->hotel->db, c->rq->refresh) != 0) {
        fail(c);
        return;
    }
    set_cookie(c, "", 0);
    c->reply.status = 204;
}
