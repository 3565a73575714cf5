/* doctor_url.c: short requests through the web server, and what came of them.
 * Most need no token: a worker tells a missing one from a wrong one. */
#include "doctor_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "mem.h"

#define SHORT_MS   10000
#define BODY_MS    60000
#define NO_TOKEN   "Bearer bellhop-doctor" /* well-formed by no means */
#define LONG_TOKEN 8000
#define TOKEN_S    300

static bool
skip_without_url(struct bh_doctor *d)
{
    if (d->url == NULL)
        bh_tell(d, BH_SKIPPED, NULL, "no --url was given");
    else if (d->conf == NULL || d->domain == NULL)
        bh_tell(d, BH_SKIPPED, NULL, "the configuration can't be used");
    return d->url == NULL || d->conf == NULL || d->domain == NULL;
}

static void
init(struct bh_http *h, const struct bh_doctor *d, const char *method,
     const char *action)
{
    char path[128];

    snprintf(path, sizeof path, "/%s/realtime/%s", d->domain, action);
    bh_http_init(h, d, method, path);
}

static void
run(struct bh_http *h, int64_t ms)
{
    bh_http_run(&h, 1, ms, NULL, NULL);
    if (h->ended >= 0 || h->failed) return;
    h->failed = true;
    snprintf(h->why, sizeof h->why, "no answer within %d s", (int)(ms / 1000));
}

/* Whether a worker has answered: each of its refusals says so. */
static bool
is_refused(const struct bh_http *h, const char *with)
{
    char code[32];

    return strcmp(bh_answer_code(&h->answer, code), with) == 0;
}

/* Neither a worker's answer nor none at all. */
static void
tell_stranger(struct bh_doctor *d, const struct bh_http *h)
{
    char where[256], code[32];
    int status = h->answer.status;

    if (h->failed)
        bh_tell(d, BH_WRONG, "see that the web server runs and listens there",
                "%s: %s", d->url, h->why);
    else if (*bh_answer_code(&h->answer, code) != '\0')
        bh_tell(d, BH_WRONG, "docs/operate.md has each refusal",
                "the worker refuses with %d %s", status, code);
    else if (status >= 300 && status < 400)
        bh_tell(d, BH_WRONG, "give that URL: browsers' preflights don't follow",
                "it leads elsewhere: %d, Location: %s", status,
                bh_http_got(h, "Location", where, NULL));
    else if (status >= 500)
        bh_tell(d, BH_WRONG,
                "see worker and worker socket above, and the web server's log",
                "the web server can't get an answer from the worker: %d",
                status);
    else
        bh_tell(d, BH_WRONG,
                "include deploy/'s lines for the web server, for these paths "
                "(docs/servers.md)",
                "/%s/realtime/cursor is answered with %d, and not by a worker",
                d->domain, status);
}

/* ---- url ---- */

static void
weigh_version(struct bh_doctor *d, const struct bh_http *h)
{
    bool tls = strncmp(d->url, "https:", 6) == 0;

    if (h->version >= 20)
        bh_tell(d, BH_FINE, NULL, "a worker answers, over HTTP/2");
    else if (tls)
        bh_tell(d, BH_DOUBTFUL,
                "switch HTTP/2 on (docs/servers.md), so that tabs don't share "
                "six connections",
                "a worker answers, over HTTP/1.1");
    else
        bh_tell(d, BH_FINE, NULL,
                "a worker answers, over HTTP/1.1 and without TLS");
}

void
bh_check_url(struct bh_doctor *d)
{
    struct bh_http h;

    if (skip_without_url(d)) return;
    init(&h, d, "GET", "cursor");
    run(&h, SHORT_MS);
    if (is_refused(&h, "token_missing"))
        weigh_version(d, &h);
    else
        tell_stranger(d, &h);
    bh_http_fini(&h);
}

/* ---- authorization ---- */

static const char lost[] =
    "Apache: CGIPassAuth On; else look for what sets or drops it on the way";

/* With a token of our own, where we can make one. */
static void
weigh_token(struct bh_doctor *d, const char *token)
{
    char value[BH_TOKEN_MAX + 16], code[32];
    struct bh_http h;

    init(&h, d, "GET", "cursor");
    snprintf(value, sizeof value, "Bearer %s", token);
    bh_http_header(&h, "Authorization", value);
    bh_wipe(value, sizeof value);
    run(&h, SHORT_MS);
    bh_answer_code(&h.answer, code);
    if (h.answer.status == 200)
        bh_tell(d, BH_FINE, NULL, "a token of ours is taken");
    else if (strcmp(code, "token_invalid") == 0)
        bh_tell(d, BH_WRONG,
                "bellhopctl reload; see that worker and this program read one "
                "configuration",
                "the worker doesn't know the key that signs here");
    else if (strcmp(code, "token_expired") == 0)
        bh_tell(d, BH_WRONG, "set both clocks right",
                "the worker's clock is ahead: a token of five minutes has "
                "expired");
    else
        tell_stranger(d, &h);
    bh_http_fini(&h);
}

void
bh_check_authorization(struct bh_doctor *d)
{
    struct bh_http h;
    char why[256];

    if (skip_without_url(d)) return;
    init(&h, d, "POST", "publish");
    bh_http_header(&h, "Authorization", NO_TOKEN);
    bh_http_body(&h, 2);
    run(&h, SHORT_MS);
    if (is_refused(&h, "token_missing")) {
        bh_tell(d, BH_WRONG, lost,
                "the Authorization header is lost before it reaches the "
                "worker");
    } else if (!is_refused(&h, "token_invalid")) {
        tell_stranger(d, &h);
    } else {
        char *token =
            bh_doctor_token(d, "bellhop-doctor", TOKEN_S, why, sizeof why);
        bh_tell(d, BH_FINE, NULL,
                "it gets through; a publish with a wrong token is refused");
        if (token != NULL)
            weigh_token(d, token);
        else
            bh_tell(d, BH_SKIPPED, NULL, "a good token: %s", why);
        bh_free(token);
    }
    bh_http_fini(&h);
}

/* ---- request id ---- */

void
bh_check_request_id(struct bh_doctor *d)
{
    char id[32] = "doctor-", got[256];
    struct bh_http h;
    int n;

    if (skip_without_url(d)) return;
    bh_random_hex(id + 7, 8);
    init(&h, d, "GET", "cursor");
    bh_http_header(&h, "X-Request-ID", id);
    run(&h, SHORT_MS);
    bh_http_got(&h, "X-Request-ID", got, &n);
    if (h.failed)
        bh_tell(d, BH_SKIPPED, NULL, "%s", h.why);
    else if (n == 1 && strcmp(got, id) == 0)
        bh_tell(d, BH_FINE, NULL, "X-Request-ID comes back");
    else
        bh_tell(d, BH_DOUBTFUL,
                "let the web server pass it on both ways, and add none",
                "X-Request-ID comes back %s: logs can't be matched",
                n == 0   ? "not at all"
                : n == 1 ? "as another"
                         : "twice");
    bh_http_fini(&h);
}

/* ---- cors ---- */

static const char *
an_origin(const struct bh_conf *c)
{
    if (c->cors.n_origins_with_credentials > 0)
        return c->cors.origins_with_credentials[0];
    return c->cors.n_origins > 0 ? c->cors.origins[0] : NULL;
}

void
bh_check_cors(struct bh_doctor *d)
{
    char got[256];
    struct bh_http h;
    int n;

    if (skip_without_url(d)) return;
    const char *origin = an_origin(d->conf);
    if (origin == NULL) {
        bh_tell(d, BH_SKIPPED, NULL, "no origin is configured");
        return;
    }
    init(&h, d, "OPTIONS", "subscribe");
    bh_http_header(&h, "Origin", origin);
    bh_http_header(&h, "Access-Control-Request-Method", "GET");
    bh_http_header(&h, "Access-Control-Request-Headers", "authorization");
    run(&h, SHORT_MS);
    bh_http_got(&h, "Access-Control-Allow-Origin", got, &n);
    if (h.failed)
        bh_tell(d, BH_SKIPPED, NULL, "%s", h.why);
    else if (n > 1)
        bh_tell(d, BH_WRONG, "let the web server add no CORS headers here",
                "two Access-Control-Allow-Origin: browsers refuse both");
    else if (h.answer.status / 100 != 2 || strcmp(got, origin) != 0)
        bh_tell(d, BH_WRONG,
                "let OPTIONS through to the worker; bellhopctl reload where "
                "cors has changed",
                "a preflight of %s is answered with %d and %s", origin,
                h.answer.status, n > 0 ? got : "no allowed origin");
    else
        bh_tell(d, BH_FINE, NULL, "a preflight of %s passes", origin);
    bh_http_fini(&h);
}

/* ---- sizes ---- */

void
bh_check_headers(struct bh_doctor *d)
{
    static char value[LONG_TOKEN + 16] = "Bearer ";
    struct bh_http h;

    if (skip_without_url(d)) return;
    memset(value + 7, 'x', LONG_TOKEN);
    init(&h, d, "GET", "cursor");
    bh_http_header(&h, "Authorization", value);
    run(&h, SHORT_MS);
    if (is_refused(&h, "token_invalid"))
        bh_tell(d, BH_FINE, NULL, "a token of %d bytes reaches the worker",
                LONG_TOKEN);
    else if (is_refused(&h, "token_missing"))
        bh_tell(d, BH_SKIPPED, NULL, "the header is lost, see authorization");
    else
        bh_tell(d, BH_WRONG,
                "LimitRequestFieldSize, large_client_header_buffers or "
                "server.max-request-field-size: 32768",
                "a token of %d bytes is refused on the way: %d%s%s", LONG_TOKEN,
                h.answer.status, h.failed ? " " : "", h.failed ? h.why : "");
    bh_http_fini(&h);
}

/* Refused by the worker for want of a token, whatever its size: so nothing is
 * stored, and it is seen who has refused. */
void
bh_check_bodies(struct bh_doctor *d)
{
    struct bh_http h;

    if (skip_without_url(d)) return;
    if (d->quick) {
        bh_tell(d, BH_SKIPPED, NULL, "--quick sends no %d MB",
                BH_BODY_MAX / 1000000);
        return;
    }
    init(&h, d, "POST", "publish");
    bh_http_body(&h, BH_BODY_MAX);
    run(&h, BODY_MS);
    if (is_refused(&h, "token_missing"))
        bh_tell(d, BH_FINE, NULL, "a publish of %d MB reaches the worker",
                BH_BODY_MAX / 1000000);
    else
        bh_tell(d, BH_WRONG,
                "LimitRequestBody, FcgidMaxRequestLen, client_max_body_size or "
                "server.max-request-size as in deploy/",
                "a publish of %d MB is refused on the way: %d%s%s",
                BH_BODY_MAX / 1000000, h.answer.status, h.failed ? " " : "",
                h.failed ? h.why : "");
    bh_http_fini(&h);
}
