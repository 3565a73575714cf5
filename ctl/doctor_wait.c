/* doctor_wait.c: a poll and a stream, side by side, for a poll's time: what the
 * web server makes of answers that take long. */
#include "doctor_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "mem.h"
#include "words.h"

#define SLACK_MS 5000 /* on top of what the broker takes */
#define PROMPT_MS                                                              \
    3000 /* a stream's first bytes leave at once; so long may they travel */
#define EARLY_MS 1000 /* a poll that ends so much early was cut */

struct watch {
    struct bh_doctor *d;
    struct bh_http poll, stream;
    int64_t poll_ms, beat_ms; /* as configured */
    struct bh_bar bar;
};

/* ---- waiting ---- */

/* The stream by itself never ends: enough is the poll's end and a heartbeat. */
static bool
seen_all(void *arg)
{
    struct watch *w = arg;
    int64_t now = bh_now_ms() - w->stream.began;
    bool beaten = w->stream.ended >= 0 || now > w->beat_ms + PROMPT_MS;

    bh_bar_show(&w->bar, now, w->poll_ms);
    return beaten && (w->poll.ended >= 0 || w->poll.handle == NULL);
}

static void
ask(struct watch *w, struct bh_http *h, const char *action, const char *token)
{
    char path[128], value[BH_TOKEN_MAX + 16];

    snprintf(path, sizeof path, "/%s/realtime/%s", w->d->domain, action);
    bh_http_init(h, w->d, "GET", path);
    snprintf(value, sizeof value, "Bearer %s", token);
    bh_http_header(h, "Authorization", value);
    bh_wipe(value, sizeof value);
    /* As browsers do: where something compresses, it gathers. */
    bh_http_header(h, "Accept-Encoding", "gzip, deflate, br");
}

/* ---- the poll ---- */

static void
tell_refusal(struct bh_doctor *d, const char *what, const struct bh_http *h)
{
    char code[32];

    if (*bh_answer_code(&h->answer, code) == '\0') code[0] = '\0';
    bh_tell(d, BH_WRONG, "docs/operate.md has each refusal", "%s: %d %s", what,
            h->answer.status, *code != '\0' ? code : "by the web server");
}

static const char timeouts[] =
    "raise its timeout over broker.poll_seconds: timeout= of ProxyPassMatch, "
    "FcgidIOTimeout, fastcgi_read_timeout, read-timeout; a proxy in front has "
    "one, too";

static void
weigh_poll(struct watch *w)
{
    const struct bh_http *h = &w->poll;
    struct bh_doctor *d = w->d;
    char retry[256], code[32];
    double s = (double)h->ended / 1000;
    int status = h->answer.status;
    bool cut = h->failed || (status >= 500 && status <= 504 &&
                             *bh_answer_code(&h->answer, code) == '\0');

    if (h->ended < 0)
        bh_tell(d, BH_WRONG,
                "see the broker's log; something on the way may hold answers "
                "back",
                "a poll has had no answer after %d s",
                (int)((w->poll_ms + SLACK_MS) / 1000));
    else if (cut)
        bh_tell(d, BH_WRONG, timeouts, "a poll was cut after %.1f s of %d: %s",
                s, (int)(w->poll_ms / 1000),
                h->failed ? h->why : "the web server gave up");
    else if (status != 200)
        tell_refusal(d, "a poll", h);
    else if (strstr(bh_buf_cstr((struct bh_buf *)&h->answer.body),
                    "\"overloaded\":true") != NULL)
        bh_tell(d, BH_WRONG, "see load above",
                "a poll was turned away: a "
                "limit is met");
    else if (*bh_http_got(h, "Retry-After", retry, NULL) != '\0')
        bh_tell(d, BH_WRONG, "see broker above",
                "a poll was answered without the broker");
    else if (h->ended < d->conf->broker.poll_ms - EARLY_MS)
        bh_tell(d, BH_WRONG,
                "see that --url and the configuration belong "
                "together; reload",
                "an idle poll ended after %.1f s, not %d", s,
                d->conf->broker.poll_ms / 1000);
    else
        bh_tell(d, BH_FINE, NULL, "an idle poll lasts: %.1f s", s);
}

/* ---- the stream ---- */

static const char buffering[] =
    "let nothing gather it: flushpackets=on, FcgidOutputBufferSize 0, "
    "fastcgi_buffering off, server.stream-response-body = 1; no compression";

static void
weigh_stream(struct watch *w)
{
    const struct bh_http *h = &w->stream;
    struct bh_doctor *d = w->d;
    char coding[256];
    double first = (double)h->first / 1000;
    int64_t seen = bh_now_ms() - h->began;

    bh_http_got(h, "Content-Encoding", coding, NULL);
    if (h->answer.status != 200 && h->answer.status != 0)
        tell_refusal(d, "a stream", h);
    else if (*coding != '\0')
        bh_tell(d, BH_WRONG, buffering, "a stream comes compressed: %s",
                coding);
    else if (h->first < 0)
        bh_tell(d, BH_WRONG, buffering,
                "a stream's first bytes, sent at once, had not come after %d s",
                (int)(seen / 1000));
    else if (h->first > PROMPT_MS)
        bh_tell(d, BH_WRONG, buffering,
                "a stream's first bytes, sent at once, came after %.1f s",
                first);
    else if (h->ended >= 0)
        bh_tell(d, BH_WRONG,
                "raise the web server's timeouts over "
                "broker.heartbeat_seconds, as for polls",
                "a stream was cut after %.1f s%s%s", (double)h->ended / 1000,
                h->failed ? ": " : "", h->failed ? h->why : "");
    else if (h->last < w->beat_ms - EARLY_MS)
        bh_tell(d, BH_WRONG, buffering,
                "a stream began, and then its heartbeat of %d s didn't come",
                (int)(w->beat_ms / 1000));
    else
        bh_tell(d, BH_FINE, NULL,
                "a stream flows: first bytes after %.1f s, a heartbeat after "
                "%.1f",
                first, (double)h->last / 1000);
}

/* ---- both ---- */

static void
watch(struct bh_doctor *d, const char *token)
{
    const struct bh_conf *c = d->conf;
    struct watch w = {.d = d,
                      .poll_ms = c->broker.poll_ms + c->broker.poll_jitter_ms,
                      .beat_ms = c->broker.heartbeat_ms,
                      .bar = {.what = "a poll's time"}};
    struct bh_http *both[] = {&w.poll, &w.stream};
    int64_t most = w.poll_ms > w.beat_ms ? w.poll_ms : w.beat_ms;

    ask(&w, &w.poll, "subscribe", token);
    ask(&w, &w.stream, "stream", token);
    bh_http_run(both, bh_countof(both), most + SLACK_MS, seen_all, &w);
    bh_bar_end(&w.bar);
    weigh_poll(&w);
    weigh_stream(&w);
    bh_http_fini(&w.poll);
    bh_http_fini(&w.stream);
}

void
bh_check_waiting(struct bh_doctor *d)
{
    char org[48] = "bellhop-doctor-", why[256];
    int64_t ttl_s;

    if (d->url == NULL || d->quick || d->conf == NULL || d->domain == NULL) {
        bh_tell(d, BH_SKIPPED, NULL,
                d->url == NULL ? "no --url was given"
                : d->quick     ? "--quick doesn't wait"
                               : "the configuration can't be used");
        return;
    }
    bh_random_hex(org + strlen(org), 8); /* nobody publishes to it */
    ttl_s =
        (d->conf->broker.poll_ms + d->conf->broker.heartbeat_ms) / 1000 + 120;
    char *token = bh_doctor_token(d, org, ttl_s, why, sizeof why);
    if (token == NULL)
        bh_tell(d, BH_SKIPPED, NULL, "no token to wait with: %s", why);
    else
        watch(d, token);
    if (token != NULL) bh_wipe(token, strlen(token));
    bh_free(token);
}
