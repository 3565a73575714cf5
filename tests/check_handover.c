/* check_handover.c: a real worker and a broker played by the test: what PARK
 * carries, who answers, NOTE and NOTED, a broker that goes and comes back. */
#include "base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "fcgiclient.h"
#include "sock.h"
#include "suites.h"
#include "workerkit.h"

#define PUBLISH   "/tasks/realtime/publish"
#define SUBSCRIBE "/tasks/realtime/subscribe"
#define LOG_ID    "0123456789abcdef"
#define EVENT                                                                  \
    "{\"eventId\":\"%s\",\"eventType\":\"T\",\"timestamp\":1,"                 \
    "\"orgId\":\"o1\",\"payload\":{}}"

static struct workerkit k;

static void
start(void)
{
    wk_open(&k);
    wk_broker_listen(&k);
}

static void
start_impatient(void)
{
    wk_open_impatient(&k);
    wk_broker_listen(&k);
}

static void
finish(void)
{
    wk_close(&k);
}

/* A parked request as the broker gets it. */
struct parked {
    char packet[BH_MSG_MAX];
    struct bh_park m;
    int fd;
};

static void
expect_park(int broker, struct parked *p)
{
    struct bh_reader r;

    wk_broker_expect(broker, BH_OP_PARK, p->packet, &r, &p->fd);
    ck_assert(bh_park_decode(&r, &p->m));
    ck_assert_int_ge(p->fd, 0);
}

static bool
is(struct bh_str s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.p, text, s.len) == 0;
}

static int
subscribe(const char *query)
{
    char path[128];

    snprintf(path, sizeof path, SUBSCRIBE "%s", query);
    return fcgi_ask(k.socket, "GET", path, NULL, "HTTP_AUTHORIZATION",
                    wk_token(&k, "o1", NULL, NULL), NULL);
}

static int
publish(const char *id)
{
    char body[256];

    snprintf(body, sizeof body, EVENT, id);
    return fcgi_ask(k.socket, "POST", PUBLISH, body, "CONTENT_TYPE",
                    "application/json", "HTTP_AUTHORIZATION", wk_publisher(&k),
                    NULL);
}

/* The answer on FD has STATUS and TEXT. */
static void
expect_answer(int fd, int status, const char *text)
{
    struct fcgi_answer a = fcgi_read(fd, WK_MS);

    ck_assert_msg(a.status == status && strstr(fcgi_body(&a), text) != NULL,
                  "%d %s", a.status, fcgi_body(&a));
    fcgi_answer_fini(&a);
}

static void
expect_parked_answer(int fd, struct parked *p)
{
    wk_broker_answer(p->fd, p->m.request_id, "{\"by\":\"broker\"}");
    expect_answer(fd, 200, "{\"by\":\"broker\"}");
}

START_TEST(test_park_least)
{
    struct parked p;
    int64_t before = bh_wall_ms();
    int fd = subscribe("");
    int broker = wk_broker_accept(&k, BH_OP_PARK);

    expect_park(broker, &p);
    ck_assert_int_eq(p.m.kind, BH_PARK_POLL);
    ck_assert_int_eq(p.m.request_id, 1);
    ck_assert(!p.m.has_cursor && p.m.all_properties);
    ck_assert_uint_eq(p.m.wait_ms, BH_WAIT_DEFAULT);
    ck_assert(is(p.m.domain, "tasks") && is(p.m.org, "o1") &&
              is(p.m.user, "u1"));
    ck_assert(is(p.m.client_id, "") && is(p.m.property, "") &&
              is(p.m.origin, "") && is(p.m.ua, ""));
    ck_assert(is(p.m.head, "Vary: Origin\r\n"));
    ck_assert_uint_eq(p.m.request_id_text.len, 32);
    ck_assert_int_ge(p.m.expires_ms, before + 590000);
    ck_assert_int_le(p.m.expires_ms, before + 700000);
    expect_parked_answer(fd, &p);
    close(broker);
}
END_TEST

START_TEST(test_park_all)
{
    struct parked p;
    struct bh_reader r;
    int fd = fcgi_ask(k.socket, "GET", SUBSCRIBE "?wait=3&cursor=nonsense",
                      NULL, "HTTP_AUTHORIZATION", wk_token(&k, "o1", "p", NULL),
                      "HTTP_LAST_EVENT_ID", LOG_ID "-17", "HTTP_X_CLIENT_ID",
                      "tab-1", "HTTP_X_REQUEST_ID", "rid-1", "HTTP_ORIGIN",
                      "https://app.example", "HTTP_USER_AGENT", "a\nb", NULL);
    int broker = wk_broker_accept(&k, BH_OP_PARK);

    expect_park(broker, &p);
    ck_assert(p.m.has_cursor && is(p.m.cursor_log, LOG_ID));
    ck_assert_int_eq(p.m.cursor_seq, 17);
    ck_assert_uint_eq(p.m.wait_ms, 3000);
    ck_assert(is(p.m.client_id, "tab-1") && is(p.m.request_id_text, "rid-1"));
    ck_assert(is(p.m.origin, "https://app.example") && is(p.m.ua, "a\\x0ab"));
    ck_assert(!p.m.all_properties);
    ck_assert_int_eq(p.m.n_properties, 1);
    bh_reader_init(&r, p.m.properties.p, p.m.properties.len);
    ck_assert(is(bh_read_lstr(&r, BH_NAME_MAX), "p"));
    ck_assert(is(p.m.property, ""));
    ck_assert_ptr_nonnull(memmem(p.m.head.p, p.m.head.len,
                                 "Access-Control-Allow-Credentials: true\r\n",
                                 40));
    expect_parked_answer(fd, &p);

    fd = subscribe("?propertyId=x%20y&wait=0");
    expect_park(broker, &p);
    ck_assert(is(p.m.property, "x y") && !p.m.all_properties);
    ck_assert_int_eq(p.m.n_properties, 1);
    ck_assert_uint_eq(p.m.wait_ms, 0);
    expect_parked_answer(fd, &p);
    close(broker);
}
END_TEST

/* More parked than the worker has threads: it holds on to none. */
START_TEST(test_many_parked)
{
    enum { N = 40 };
    struct parked p[N];
    int fds[N];
    int broker = -1;
    int descriptors = wk_descriptors(&k);

    for (int i = 0; i < N; i++) {
        fds[i] = subscribe("");
        if (broker < 0) broker = wk_broker_accept(&k, BH_OP_PARK);
        expect_park(broker, &p[i]);
    }
    ck_assert(wk_quiet(fds[0], 0));
    /* The wire to the broker, and the last one may still be on its way. */
    ck_assert_int_le(wk_descriptors(&k), descriptors + 2);
    for (int i = N - 1; i >= 0; i--) expect_parked_answer(fds[i], &p[i]);
    close(broker);
}
END_TEST

START_TEST(test_body_is_drained)
{
    struct parked p;
    char body[4000], pad[6000];
    int fd, broker;

    memset(body, 'x', sizeof body);
    body[sizeof body - 1] = '\0';
    memset(pad, 'x', sizeof pad); /* libfcgi reads 8 KiB at once */
    pad[sizeof pad - 1] = '\0';
    fd = fcgi_ask(k.socket, "GET", SUBSCRIBE, body, "HTTP_AUTHORIZATION",
                  wk_token(&k, "o1", NULL, NULL), "HTTP_X_PAD", pad, NULL);
    broker = wk_broker_accept(&k, BH_OP_PARK);
    expect_park(broker, &p);
    ck_assert(wk_quiet(p.fd, 0));
    expect_parked_answer(fd, &p);
    close(broker);
}
END_TEST

START_TEST(test_broker_comes_back)
{
    struct parked p;
    int fd = subscribe("");
    int broker = wk_broker_accept(&k, BH_OP_PARK);

    expect_park(broker, &p);
    expect_parked_answer(fd, &p);
    close(broker); /* it restarts */
    fd = subscribe("");
    broker = wk_broker_accept(&k, BH_OP_PARK);
    expect_park(broker, &p);
    expect_parked_answer(fd, &p);

    /* One that takes no more says so and hangs up. */
    struct bh_buf b = BH_BUF_INIT;
    bh_error_encode(&b, "going");
    ck_assert_int_eq(bh_sock_send(broker, b.p, b.len, -1, 0), 0);
    bh_buf_fini(&b);
    close(broker);
    fd = subscribe("");
    int again = wk_broker_accept(&k, BH_OP_PARK);
    expect_park(again, &p);
    expect_parked_answer(fd, &p);
    close(again);
}
END_TEST

START_TEST(test_broker_goes_for_good)
{
    struct parked p;
    int fd = subscribe("");
    int broker = wk_broker_accept(&k, BH_OP_PARK);

    expect_park(broker, &p);
    expect_parked_answer(fd, &p);
    close(broker);
    close(k.broker_listener);
    k.broker_listener = -1;
    fd = subscribe("");
    expect_answer(fd, 200, "{\"events\":[],\"cursor\":");
}
END_TEST

static int
count_connections(void)
{
    int n = 0;

    while (!wk_quiet(k.broker_listener, 0)) {
        close(accept4(k.broker_listener, NULL, NULL, SOCK_CLOEXEC));
        n++;
    }
    return n;
}

/* A broker that listens and says nothing: one waits for a second, the others no
 * longer than that; half a minute if each did. */
START_TEST(test_silent_broker)
{
    enum { N = 30 };
    int64_t began = bh_now_ms();
    int fds[N];

    for (int i = 0; i < N; i++) fds[i] = subscribe("");
    for (int i = 0; i < N; i++)
        expect_answer(fds[i], 200, "{\"events\":[],\"cursor\":");
    ck_assert_int_lt(bh_now_ms() - began, 10000);
    ck_assert_int_eq(count_connections(), 1);
}
END_TEST

START_TEST(test_noted)
{
    int fd = publish("a");
    int broker = wk_broker_accept(&k, BH_OP_NOTE);
    char body[512];

    ck_assert_int_eq(wk_broker_note(broker, 1, 3), 1);
    expect_answer(fd, 200, "\"status\":\"stored\",\"seq\":1,\"woken\":3}]");
    fd = publish("a"); /* nothing new: no note */
    expect_answer(fd, 200, "\"status\":\"duplicate\",\"seq\":1,\"woken\":0}]");
    ck_assert(wk_quiet(broker, 0));
    snprintf(body, sizeof body, EVENT "\n" EVENT "\n" EVENT, "b", "a", "c");
    fd = fcgi_ask(k.socket, "POST", PUBLISH, body, "CONTENT_TYPE",
                  "application/x-ndjson", "HTTP_AUTHORIZATION",
                  wk_publisher(&k), NULL);
    ck_assert_int_eq(wk_broker_note(broker, 2, 7), 2);
    expect_answer(fd, 200,
                  "\"seq\":2,\"woken\":7},{\"eventId\":\"a\",\"status\":"
                  "\"duplicate\",\"seq\":1,\"woken\":0},{\"eventId\":\"c\","
                  "\"status\":\"stored\",\"seq\":3,\"woken\":7}]");
    close(broker);
}
END_TEST

/* The next transaction doesn't wait for the last one's NOTED. */
START_TEST(test_notes_overtake)
{
    char packet[BH_MSG_MAX];
    struct bh_reader r;
    struct bh_note first, second;
    struct bh_buf b = BH_BUF_INIT;
    uint32_t woken = 5;
    int passed;
    int a = publish("a");
    int broker = wk_broker_accept(&k, BH_OP_NOTE);

    wk_broker_expect(broker, BH_OP_NOTE, packet, &r, &passed);
    ck_assert(bh_note_decode(&r, &first));
    int c = publish("c");
    wk_broker_expect(broker, BH_OP_NOTE, packet, &r, &passed);
    ck_assert(bh_note_decode(&r, &second));
    ck_assert_uint_ne(first.tag, second.tag);
    struct bh_noted m = {second.tag, 1};
    bh_noted_encode(&b, &m, &woken);
    ck_assert_int_eq(bh_sock_send(broker, b.p, b.len, -1, 0), 0);
    expect_answer(c, 200, "\"woken\":5}");
    ck_assert(wk_quiet(a, 0));
    bh_buf_fini(&b);
    close(broker);
    expect_answer(a, 200, "\"woken\":null}");
}
END_TEST

/* Nobody waits for an answer that can't come any more, however patient. */
START_TEST(test_broker_dies_before_noted)
{
    char packet[BH_MSG_MAX];
    struct bh_reader r;
    int passed;
    int fd = publish("a");
    int broker = wk_broker_accept(&k, BH_OP_NOTE);

    wk_broker_expect(broker, BH_OP_NOTE, packet, &r, &passed);
    close(broker);
    expect_answer(fd, 200, "\"woken\":null}");
    fd = publish("b");
    broker = wk_broker_accept(&k, BH_OP_NOTE);
    ck_assert_int_eq(wk_broker_note(broker, 1, 0), 2);
    expect_answer(fd, 200, "\"woken\":0}");
    close(broker);
}
END_TEST

Suite *
check_handover(void)
{
    Suite *s = suite_create("handover");
    TCase *c = tcase_create("broker");

    tcase_add_checked_fixture(c, start, finish);
    tcase_add_test(c, test_park_least);
    tcase_add_test(c, test_park_all);
    tcase_add_test(c, test_many_parked);
    tcase_add_test(c, test_body_is_drained);
    tcase_add_test(c, test_broker_comes_back);
    tcase_add_test(c, test_broker_goes_for_good);
    tcase_add_test(c, test_noted);
    tcase_add_test(c, test_notes_overtake);
    tcase_add_test(c, test_broker_dies_before_noted);
    suite_add_tcase(s, c);
    c = tcase_create("patience");
    tcase_add_checked_fixture(c, start_impatient, finish);
    tcase_add_test(c, test_silent_broker);
    suite_add_tcase(s, c);
    return s;
}
