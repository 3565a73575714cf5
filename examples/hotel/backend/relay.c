/*
 * relay.c: at least once, in order. A batch leaves the outbox only when Bellhop
 * has answered 200: whatever dies in between, it is sent again, and since each
 * event keeps its eventId, Bellhop takes it for the one it has ("duplicate").
 * So each is published exactly once.
 */
#include "relay.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "clock.h"
#include "db.h"
#include "http.h"
#include "log.h"
#include "mem.h"

#define TOKEN_S        300
#define TOKEN_SPARE_MS 60000
#define TIMEOUT_MS     15000
#define FIRST_PAUSE_MS 200
#define LAST_PAUSE_MS  30000
#define LOOK_MS        30000 /* by itself, though nobody called */

struct hotel_relay {
    struct hotel *hotel;
    struct hotel_http *http;
    pthread_t thread;
    pthread_mutex_t turn;
    pthread_cond_t call;
    bool work, stop;
    struct bh_buf authorization; /* "Bearer …" */
    int64_t token_until_ms;      /* monotonic */
    int64_t pause_ms;            /* after the next failure; 0: none before it */
    int batch;                   /* events in the next request */
    char url[512];
};

/* ---- the token ---- */

static bool
renew_token(struct hotel_relay *r)
{
    static const char *const scopes[] = {"realtime:publish"};
    struct bh_grant grant = {.user = "hotel-backend",
                             .scopes = scopes,
                             .n_scopes = 1,
                             .ttl_s = TOKEN_S};
    char err[256];

    if (bh_now_ms() < r->token_until_ms) return true;
    char *token = bh_auth_sign(r->hotel->conf, &grant, err, sizeof err);
    if (token == NULL) {
        bh_log(BH_ERROR, "outbox: no token: %s", err);
        return false;
    }
    bh_buf_reset(&r->authorization);
    bh_buf_fmt(&r->authorization, "Bearer %s", token);
    bh_free(token);
    r->token_until_ms = bh_now_ms() + TOKEN_S * 1000 - TOKEN_SPARE_MS;
    return !r->authorization.failed;
}

/* ---- one batch ---- */

enum verdict { SENT, LATER, NEVER };

/* 401: the key may have changed, so another token may do. 4xx else says that
 * these events are at fault, but for those that mean "not now". */
static enum verdict
judge(struct hotel_relay *r, int status)
{
    if (status == 200) return SENT;
    if (status == 401) r->token_until_ms = 0;
    if (status == 400 || status == 409 || status == 413 || status == 422)
        return NEVER;
    return LATER;
}

/* Of a refused batch nothing was stored, and one event may be to blame: send
 * them one by one, and put aside what is refused by itself. */
static int64_t
handle_refusal(struct hotel_relay *r, int64_t seq, int n, int status)
{
    if (n > 1) {
        r->batch = 1;
        return 0;
    }
    bh_log(BH_ERROR,
           "outbox: Bellhop refuses event %lld for good (%d); it is kept in "
           "the table `refused`",
           (long long)seq, status);
    return hotel_db_set_aside(r->hotel->db, seq, status) == 0 ? 0 : -1;
}

/* How long to wait after a failure: doubling, and a fifth of chance, so that
 * many backends don't come back at once. Bellhop's own Retry-After counts. */
static int64_t
next_pause(struct hotel_relay *r, const struct hotel_answer *a)
{
    int64_t pause = r->pause_ms > 0 ? r->pause_ms * 2 : FIRST_PAUSE_MS;

    if (r->pause_ms == 0) {
        if (a->status > 0)
            bh_log(BH_WARN, "outbox: Bellhop answers %d; trying again",
                   a->status);
        else
            bh_log(BH_WARN,
                   "outbox: Bellhop can't be reached (%s); trying "
                   "again",
                   a->error);
    }
    if (pause > LAST_PAUSE_MS) pause = LAST_PAUSE_MS;
    r->pause_ms = pause;
    if (a->retry_after_s > 0 && a->retry_after_s * 1000 > pause)
        pause = a->retry_after_s * 1000;
    return pause + bh_random_below((uint32_t)(pause / 5) + 1);
}

/* The wait before the next batch: 0 none, -1 until there is something. */
static int64_t
send_batch(struct hotel_relay *r)
{
    struct bh_buf body = BH_BUF_INIT;
    int64_t seqs[HOTEL_BATCH_MAX];
    struct hotel_answer a = {.error = "the database failed"};
    int n = hotel_db_outbox(r->hotel->db, r->batch, &body, seqs);
    int64_t wait = -1;

    if (n > 0 && renew_token(r)) {
        hotel_http_send(r->http, r->url, bh_buf_cstr(&r->authorization), &body,
                        TIMEOUT_MS, &a);
        enum verdict v = judge(r, a.status);
        if (v == SENT && hotel_db_sent(r->hotel->db, seqs, n) == 0) {
            if (r->pause_ms > 0) bh_log(BH_NOTICE, "outbox: it goes on");
            r->pause_ms = wait = 0;
            r->batch = HOTEL_BATCH_MAX;
        } else if (v == NEVER) {
            wait = handle_refusal(r, seqs[0], n, a.status);
        } else {
            wait = next_pause(r, &a);
        }
    } else if (n != 0) {
        wait = next_pause(r, &a);
    }
    hotel_answer_free(&a);
    bh_buf_fini(&body);
    return wait;
}

/* ---- the thread ---- */

static void
sleep_until(struct hotel_relay *r, int64_t ms, bool for_work)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    while (!r->stop && !(for_work && r->work) &&
           pthread_cond_timedwait(&r->call, &r->turn, &until) != ETIMEDOUT) {
    }
}

static void *
run(void *arg)
{
    struct hotel_relay *r = arg;

    pthread_mutex_lock(&r->turn);
    while (!r->stop) {
        r->work = false;
        pthread_mutex_unlock(&r->turn);
        int64_t wait = send_batch(r);
        pthread_mutex_lock(&r->turn);
        if (wait != 0) sleep_until(r, wait > 0 ? wait : LOOK_MS, wait < 0);
    }
    pthread_mutex_unlock(&r->turn);
    return NULL;
}

static void
release(struct hotel_relay *r)
{
    hotel_http_free(r->http);
    pthread_cond_destroy(&r->call);
    pthread_mutex_destroy(&r->turn);
    if (r->authorization.p != NULL)
        bh_wipe(r->authorization.p, r->authorization.cap);
    bh_buf_fini(&r->authorization);
    bh_free(r);
}

static void
init_call(pthread_cond_t *call)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(call, &attr);
    pthread_condattr_destroy(&attr);
}

struct hotel_relay *
hotel_relay_start(struct hotel *h)
{
    struct hotel_relay *r = bh_zalloc(sizeof *r);

    if (r == NULL) return NULL;
    r->hotel = h;
    r->batch = HOTEL_BATCH_MAX;
    snprintf(r->url, sizeof r->url, "%s/publish", h->bellhop);
    pthread_mutex_init(&r->turn, NULL);
    init_call(&r->call);
    r->http = hotel_http_new();
    if (r->http != NULL && pthread_create(&r->thread, NULL, run, r) == 0)
        return r;
    bh_log(BH_ERROR, "outbox: its thread can't be started");
    release(r);
    return NULL;
}

void
hotel_relay_stop(struct hotel_relay *r)
{
    if (r == NULL) return;
    pthread_mutex_lock(&r->turn);
    r->stop = true;
    pthread_cond_broadcast(&r->call);
    pthread_mutex_unlock(&r->turn);
    pthread_join(r->thread, NULL);
    release(r);
}

void
hotel_relay_wake(struct hotel_relay *r)
{
    pthread_mutex_lock(&r->turn);
    r->work = true;
    pthread_cond_signal(&r->call);
    pthread_mutex_unlock(&r->turn);
}
