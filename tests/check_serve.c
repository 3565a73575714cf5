/* check_serve.c: connections and signals: requests cut short, silence,
 * stopping, and a configuration read again. */
#include "base.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "fcgi/orders.h"
#include "fcgi/pass.h"
#include "fcgiclient.h"
#include "fcgirec.h"
#include "suites.h"
#include "workerkit.h"

#define PUBLISH "/tasks/realtime/publish"

static struct workerkit k;

static void
start(void)
{
    wk_open(&k);
}

static void
finish(void)
{
    wk_close(&k);
}

static int
status_of(int fd)
{
    struct fcgi_answer a = fcgi_read(fd, WK_MS);
    int status = a.status;

    fcgi_answer_fini(&a);
    return status;
}

/* The worker's time, of two seconds, is up. */
#define CLOSED_MS 8000

static void
expect_closed(int fd)
{
    int64_t began = bh_now_ms();

    ck_assert_int_eq(status_of(fd), 0);
    ck_assert_int_lt(bh_now_ms() - began, CLOSED_MS);
}

static int
live(void)
{
    return status_of(fcgi_ask(k.socket, "GET", "/healthz?live", NULL, NULL));
}

/* Back to N descriptors; a connection may still be closing. */
static void
expect_descriptors(int n)
{
    int64_t deadline = bh_now_ms() + WK_MS;

    while (wk_descriptors(&k) != n) {
        ck_assert_int_lt(bh_now_ms(), deadline);
        poll(NULL, 0, 5);
    }
}

/* BYTES of a request, then the end: no answer, and no harm. */
static void
send_and_hang_up(const struct bh_buf *bytes)
{
    int fd = fcgi_dial(k.socket);

    fcgi_write(fd, bytes);
    ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
    ck_assert_int_eq(status_of(fd), 0);
}

/* Cut at every byte: never an answer, not even where a parameter has just
 * ended, and libfcgi takes what there is for all. */
START_TEST(test_cut_short)
{
    struct bh_buf params = BH_BUF_INIT;
    struct bh_buf whole = BH_BUF_INIT;
    int descriptors = wk_descriptors(&k);

    bh_fcgi_param(&params, "REQUEST_METHOD", "POST");
    bh_fcgi_param(&params, "SCRIPT_NAME", PUBLISH);
    bh_fcgi_param(&params, "QUERY_STRING", "");
    fcgi_add_begin(&whole);
    fcgi_add_params(&whole, &params);
    size_t len = whole.len;
    for (whole.len = 0; whole.len < len; whole.len++) send_and_hang_up(&whole);
    int fd = fcgi_dial(k.socket);
    fcgi_write(fd, &whole);
    ck_assert_int_eq(status_of(fd), 401); /* without a look at the body */
    expect_descriptors(descriptors);
    bh_buf_fini(&params);
    bh_buf_fini(&whole);
}
END_TEST

START_TEST(test_no_request_in_it)
{
    struct bh_buf params = BH_BUF_INIT;
    struct bh_buf bytes = BH_BUF_INIT;

    bh_fcgi_param(&params, "SCRIPT_NAME", "/healthz");
    fcgi_add_begin(&bytes);
    fcgi_add_params(&bytes, &params);
    fcgi_add_stdin(&bytes, NULL, 0);
    send_and_hang_up(&bytes);
    bh_buf_reset(&bytes);
    for (int i = 0; i < 4096; i++) bh_buf_u8(&bytes, (uint8_t)(i * 7));
    send_and_hang_up(&bytes);
    ck_assert_int_eq(live(), 200);
    bh_buf_fini(&params);
    bh_buf_fini(&bytes);
}
END_TEST

/* A publish up to the middle of its body. */
static int
half_a_publish(void)
{
    struct bh_buf params = BH_BUF_INIT;
    struct bh_buf out = BH_BUF_INIT;
    int fd = fcgi_dial(k.socket);

    bh_fcgi_param(&params, "REQUEST_METHOD", "POST");
    bh_fcgi_param(&params, "SCRIPT_NAME", PUBLISH);
    bh_fcgi_param(&params, "CONTENT_TYPE", "application/json");
    bh_fcgi_param(&params, "CONTENT_LENGTH", "100");
    bh_fcgi_param(&params, "HTTP_AUTHORIZATION", wk_publisher(&k));
    fcgi_add_begin(&out);
    fcgi_add_params(&out, &params);
    bh_fcgi_stream(&out, BH_FCGI_STDIN, 1, "{\"eventId\":", 11);
    fcgi_write(fd, &out);
    bh_buf_fini(&params);
    bh_buf_fini(&out);
    return fd;
}

START_TEST(test_body_never_comes)
{
    int fd = half_a_publish();

    ck_assert_int_eq(live(), 200);
    ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
    ck_assert_int_eq(status_of(fd), 0);
    expect_closed(half_a_publish());
}
END_TEST

/* Two of three threads are held by silence; the third goes on, and silence ends
 * in the time-out. */
START_TEST(test_silence)
{
    bool held = false;

    for (int n = 20; !held; n /= 2) { /* fewer where the machine is slow */
        ck_assert_int_gt(n, 0);
        int a = fcgi_dial(k.socket);
        int b = fcgi_dial(k.socket);
        for (int i = 0; i < n; i++) ck_assert_int_eq(live(), 200);
        held = wk_quiet(a, 0) && wk_quiet(b, 0);
        expect_closed(a);
        expect_closed(b);
    }
}
END_TEST

/* How many ms a connection lasts that the web server would like to keep. */
static int64_t
ask_to_keep(void)
{
    static const unsigned char begin[8] = {0, 1, 1};
    struct bh_buf params = BH_BUF_INIT;
    struct bh_buf out = BH_BUF_INIT;
    int64_t began = bh_now_ms();
    int fd = fcgi_dial(k.socket);

    bh_fcgi_param(&params, "REQUEST_METHOD", "GET");
    bh_fcgi_param(&params, "SCRIPT_NAME", "/healthz");
    bh_fcgi_param(&params, "QUERY_STRING", "live");
    bh_fcgi_stream(&out, BH_FCGI_BEGIN_REQUEST, 1, begin, sizeof begin);
    fcgi_add_params(&out, &params);
    fcgi_add_stdin(&out, NULL, 0);
    fcgi_write(fd, &out);
    ck_assert_int_eq(status_of(fd), 200); /* and closed: read to the end */
    bh_buf_fini(&params);
    bh_buf_fini(&out);
    return bh_now_ms() - began;
}

/* One request a connection: it doesn't wait for the time-out of two seconds,
 * however slow the machine. */
START_TEST(test_keep_conn)
{
    for (int n = 0; ask_to_keep() >= 1500; n++) ck_assert_int_lt(n, 20);
}
END_TEST

/* Without a descriptor to spare a connection waits; nothing spins or breaks. */
START_TEST(test_no_descriptors)
{
    struct rlimit was, none;
    int fd = -1;

    ck_assert_int_eq(prlimit(k.worker, RLIMIT_NOFILE, NULL, &was), 0);
    none = was;
    none.rlim_cur = 3;
    ck_assert_int_eq(prlimit(k.worker, RLIMIT_NOFILE, &none, NULL), 0);
    /* Each thread that waits in accept has its next descriptor already. */
    for (int i = 0; i < 4; i++) {
        if (fd >= 0) ck_assert_int_eq(status_of(fd), 200);
        fd = fcgi_ask(k.socket, "GET", "/healthz?live", NULL, NULL);
        if (wk_quiet(fd, 300)) break;
    }
    ck_assert(wk_quiet(fd, 0));
    ck_assert_int_eq(prlimit(k.worker, RLIMIT_NOFILE, &was, NULL), 0);
    ck_assert_int_eq(status_of(fd), 200);
}
END_TEST

/* A thread that isn't woken would make it wait for longer than that. */
#define STOP_MS 8000

START_TEST(test_stop_idle)
{
    ck_assert_int_lt(wk_stop(&k), STOP_MS);
}
END_TEST

START_TEST(test_stop_after_work)
{
    ck_assert_int_eq(live(), 200);
    ck_assert_int_eq(
        status_of(fcgi_ask(k.socket, "POST", PUBLISH, "{}", "CONTENT_TYPE",
                           "application/json", "HTTP_AUTHORIZATION",
                           wk_publisher(&k), NULL)),
        422);
    ck_assert_int_lt(wk_stop(&k), STOP_MS);
}
END_TEST

/* The status of its answer; 0 where its time was over. */
static int
finish_publish(int fd)
{
    struct bh_buf out = BH_BUF_INIT;
    char rest[256];

    memset(rest, ' ', sizeof rest);
    fcgi_add_stdin(&out, rest, 100 - 11);
    fcgi_write(fd, &out);
    bh_buf_fini(&out);
    return status_of(fd);
}

/* Whoever has connected is answered, though every thread has work. */
START_TEST(test_stop_with_some_in_the_backlog)
{
    enum { THREADS = 3, N = 10 };
    int busy[THREADS], fds[N];
    int64_t deadline = bh_now_ms() + WK_MS;

    for (int i = 0; i < THREADS; i++) busy[i] = half_a_publish();
    for (int i = 0; i < N; i++)
        fds[i] = fcgi_ask(k.socket, "GET", "/healthz?live", NULL, NULL);
    ck_assert_int_eq(kill(k.worker, SIGTERM), 0);
    while (access(k.socket, F_OK) == 0) {
        ck_assert_int_lt(bh_now_ms(), deadline);
        poll(NULL, 0, 1);
    }
    for (int i = 0; i < THREADS; i++) finish_publish(busy[i]);
    for (int i = 0; i < N; i++) ck_assert_int_eq(status_of(fds[i]), 200);
}
END_TEST

/* A request that has begun is answered. */
START_TEST(test_stop_in_between)
{
    int fd = half_a_publish();

    ck_assert_int_eq(live(), 200);
    ck_assert_int_eq(kill(k.worker, SIGTERM), 0);
    ck_assert(wk_quiet(fd, 100));
    ck_assert_int_eq(finish_publish(fd), 422);
}
END_TEST

/* A publish of as many events as one may have, of which the worker can send the
 * answer in small pieces only: passed on as by a relay, so that its socket is
 * ours to choose. Returns our end. */
static int
publish_with_little_room(void)
{
    int pair[2], least = 1;
    struct bh_buf params = BH_BUF_INIT, out = BH_BUF_INIT, body = BH_BUF_INIT;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &least, sizeof least);
    for (int i = 0; i < BH_BATCH_MAX; i++)
        bh_buf_fmt(&body,
                   "{\"eventId\":\"%d\",\"eventType\":\"T\",\"timestamp\":1,"
                   "\"orgId\":\"o\",\"payload\":{}}\n",
                   i);
    bh_fcgi_param(&params, "REQUEST_METHOD", "POST");
    bh_fcgi_param(&params, "SCRIPT_NAME", PUBLISH);
    bh_fcgi_param(&params, "QUERY_STRING", "");
    bh_fcgi_param(&params, "CONTENT_TYPE", "application/x-ndjson");
    bh_fcgi_param(&params, "HTTP_AUTHORIZATION", wk_publisher(&k));
    fcgi_add_begin(&out);
    fcgi_add_params(&out, &params);
    fcgi_add_stdin(&out, body.p, body.len);
    fcgi_write(pair[0], &out);
    ck_assert_int_eq(bh_pass_on(pair[1], k.socket), 0);
    close(pair[1]);
    bh_buf_fini(&params);
    bh_buf_fini(&body);
    bh_buf_fini(&out);
    return pair[0];
}

/* It is not waited for until its end, and the writer has ended by then. */
START_TEST(test_stop_while_an_answer_is_taken_slowly)
{
    int fd = publish_with_little_room();
    char piece[256];
    ssize_t n = 1;

    ck_assert(!wk_quiet(fd, WK_MS)); /* the answer has begun */
    ck_assert_int_eq(kill(k.worker, SIGTERM), 0);
    while (n > 0) {
        ck_assert(!wk_quiet(fd, WK_MS));
        n = recv(fd, piece, sizeof piece, 0);
        poll(NULL, 0, 100);
    }
    close(fd);
    wk_stop(&k);
}
END_TEST

/* ---- SIGHUP ---- */

static int
preflight_admits(const char *origin)
{
    int fd = fcgi_ask(k.socket, "OPTIONS", "/healthz", NULL, "HTTP_ORIGIN",
                      origin, NULL);
    struct fcgi_answer a = fcgi_read(fd, WK_MS);
    bool admitted = fcgi_header(&a, "Access-Control-Allow-Origin") != NULL;

    ck_assert_int_eq(a.status, 204);
    fcgi_answer_fini(&a);
    return admitted;
}

/* Until the worker has read its configuration again; the new one has DOMAIN. */
static void
fail_with(void *arg BH_UNUSED, const char *message)
{
    ck_abort_msg("%s", message);
}

static void
wait_for_domain(const char *path)
{
    int64_t deadline = bh_now_ms() + WK_MS;

    while (status_of(fcgi_ask(k.socket, "GET", path, NULL, NULL)) == 404)
        ck_assert_int_lt(bh_now_ms(), deadline);
}

START_TEST(test_reload)
{
    wk_configure(&k, "domain \"new\" { legacy = true }\n");
    ck_assert_int_eq(kill(k.worker, SIGHUP), 0);
    wait_for_domain("/new/events/subscribe");
    ck_assert(preflight_admits("https://app.example"));
}
END_TEST

START_TEST(test_reload_of_a_bad_one)
{
    wk_configure(&k, "domain \"worse\" { legacy = perhaps }\n");
    ck_assert_int_eq(kill(k.worker, SIGHUP), 0);
    for (int i = 0; i < 5; i++)
        ck_assert(preflight_admits("https://app.example"));
    /* Signals come one after the other: when this one has been served, so has
     * the first. */
    wk_configure(&k, "domain \"new\" { legacy = true }\n");
    ck_assert_int_eq(kill(k.worker, SIGHUP), 0);
    wait_for_domain("/new/events/subscribe");
    ck_assert_int_eq(status_of(fcgi_ask(k.socket, "GET",
                                        "/worse/events/subscribe", NULL, NULL)),
                     404);
}
END_TEST

/* Announced after its file was read, and before the page was: nobody will say
 * so again. */
START_TEST(test_reload_during_the_start)
{
    struct bh_ctlchange change = bh_ctlchange_none;
    struct bh_setup *first = bh_setup_read(k.conf_path, fail_with, NULL);
    struct bh_setup_slot slot;
    struct bh_orders orders;

    ck_assert_ptr_nonnull(first);
    bh_setup_slot_init(&slot, first);
    first = bh_setup_get(&slot);
    wk_configure(&k, "domain \"new\" { }\n");
    change.conf = true;
    ck_assert_int_eq(bh_ctlpage_change(k.log, &change), 0);
    ck_assert_int_eq(bh_orders_init(&orders, k.conf_path, first, &slot), 0);
    ck_assert_ptr_nonnull(bh_conf_domain(slot.now->conf, "new", 3));
    bh_orders_fini(&orders);
    bh_setup_slot_fini(&slot);
    bh_setup_put(first);
}
END_TEST

Suite *
check_serve(void)
{
    Suite *s = suite_create("serve");
    TCase *c = tcase_create("serve");

    tcase_add_checked_fixture(c, start, finish);
    tcase_add_test(c, test_cut_short);
    tcase_add_test(c, test_no_request_in_it);
    tcase_add_test(c, test_body_never_comes);
    tcase_add_test(c, test_silence);
    tcase_add_test(c, test_keep_conn);
    tcase_add_test(c, test_no_descriptors);
    tcase_add_test(c, test_stop_idle);
    tcase_add_test(c, test_stop_after_work);
    tcase_add_test(c, test_stop_with_some_in_the_backlog);
    tcase_add_test(c, test_stop_in_between);
    tcase_add_test(c, test_stop_while_an_answer_is_taken_slowly);
    tcase_add_test(c, test_reload);
    tcase_add_test(c, test_reload_of_a_bad_one);
    tcase_add_test(c, test_reload_during_the_start);
    suite_add_tcase(s, c);
    return s;
}
