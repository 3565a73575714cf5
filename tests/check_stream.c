/* check_stream.c: event streams: what is written when, to whom, and how they
 * end. */
#include "broker/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "brokerkit.h"
#include "fcgirec.h"
#include "mem.h"
#include "suites.h"

static struct kit k;

/* The web server's end of a stream, and what has come so far. */
struct view {
    int fd;
    struct bh_buf raw, text;
    size_t at;  /* of `raw`: records read */
    bool ended; /* END_REQUEST has come */
};

static void
start(void)
{
    kit_open(&k, "");
}

static void
finish(void)
{
    kit_close(&k);
}

static struct bh_park
stream(enum bh_park_kind kind)
{
    struct bh_park p = kit_park(&k);

    p.kind = (uint8_t)kind;
    return p;
}

static struct view
watch(const struct bh_park *p)
{
    return (struct view){kit_send(&k, p), BH_BUF_INIT, BH_BUF_INIT, 0, false};
}

static void
leave(struct view *v)
{
    close(v->fd);
    bh_buf_fini(&v->raw);
    bh_buf_fini(&v->text);
}

/* Take in MOST bytes of what has come; whether there were any. */
static bool
take(struct view *v, size_t most)
{
    static char part[65536];
    ssize_t n = recv(v->fd, part, most < sizeof part ? most : sizeof part,
                     MSG_DONTWAIT);

    if (n > 0) bh_buf_add(&v->raw, part, (size_t)n);
    while (v->at + BH_FCGI_HEADER <= v->raw.len) {
        const unsigned char *h = (const unsigned char *)v->raw.p + v->at;
        size_t len = (size_t)h[4] << 8 | h[5];

        if (v->at + BH_FCGI_HEADER + len > v->raw.len) break;
        ck_assert_int_eq(h[2] << 8 | h[3], 1);
        if (h[1] == BH_FCGI_END_REQUEST) v->ended = true;
        if (h[1] == BH_FCGI_STDOUT)
            bh_buf_add(&v->text, h + BH_FCGI_HEADER, len);
        v->at += BH_FCGI_HEADER + len + h[6];
    }
    return n > 0;
}

/* What has come since the last time. It lives until the next call. */
static const char *
news(struct view *v)
{
    static char *last;
    const char *text;

    bh_buf_reset(&v->text);
    while (take(v, SIZE_MAX)) continue;
    free(last);
    text = bh_buf_cstr(&v->text);
    last = strdup(text);
    return last;
}

static int
count(const char *text, const char *word)
{
    int n = 0;

    for (; (text = strstr(text, word)); text++) n++;
    return n;
}

static void
expect(const char *text, const char *word)
{
    if (!strstr(text, word)) ck_abort_msg("no \"%s\" in \"%s\"", word, text);
}

/* "id: <log>-SEQ" stands at P. */
static void
expect_id(const char *p, int64_t seq)
{
    char want[64];

    snprintf(want, sizeof want, "id: %s-%lld\n", k.b.log_id, (long long)seq);
    expect(p, want);
}

START_TEST(begins_with_head_and_retry)
{
    struct bh_park p = stream(BH_PARK_STREAM);
    struct view v = watch(&p);
    const char *text = news(&v);

    expect(text, "Status: 200 OK\r\n");
    expect(text, "Content-Type: text/event-stream\r\n");
    expect(text, "Cache-Control: no-store\r\n");
    expect(text, "X-Accel-Buffering: no\r\n");
    expect(text, "X-Request-ID: req-1\r\n");
    expect(text, "Vary: Origin\r\n\r\n");
    ck_assert_ptr_null(strstr(text, "Content-Length"));
    expect(text, "\r\n\r\nretry: 2000\n");
    expect_id(text, 0); /* so that one who is cut off now can come back */
    ck_assert(!v.ended);
    ck_assert_uint_eq(k.b.n_by_kind[BH_PARK_STREAM], 1);
    leave(&v);
}
END_TEST

START_TEST(events_as_they_come)
{
    struct bh_park p = stream(BH_PARK_STREAM);
    struct view v = watch(&p);
    const char *text;

    news(&v);
    for (int i = 1; i <= 3; i++) {
        kit_publish(&k, 1, NULL);
        kit_sleep(&k, 20);
        kit_turn(&k);
        text = news(&v);
        ck_assert_int_eq(count(text, "data: {\"eventId\""), 1);
        expect_id(text, i);
        ck_assert_ptr_nonnull(strstr(text, "}\n\n"));
    }
    ck_assert_uint_eq(k.b.stats.delivered, 3);
    leave(&v);
}
END_TEST

START_TEST(lines_of_json)
{
    struct bh_park p = stream(BH_PARK_NDJSON);
    struct view v;
    const char *text;

    kit_publish(&k, 2, NULL);
    kit_turn(&k);
    kit_cursor(&k, &p, 0);
    v = watch(&p);
    text = news(&v);
    expect(text, "Content-Type: application/x-ndjson\r\n");
    ck_assert_int_eq(count(text, "{\"event\":{\"eventId\""), 2);
    ck_assert_int_eq(count(text, "\"}\n"), 3); /* and the first line */
    ck_assert_int_eq(count(text, "retry"), 0);
    leave(&v);
}
END_TEST

START_TEST(resumes_after_its_cursor)
{
    struct bh_park p = stream(BH_PARK_STREAM);
    struct view v;
    const char *text;

    kit_publish(&k, 5, NULL);
    kit_turn(&k);
    kit_cursor(&k, &p, 3);
    v = watch(&p);
    text = news(&v);
    ck_assert_int_eq(count(text, "data: "), 2);
    expect_id(text, 4);
    expect_id(text, 5);
    leave(&v);
}
END_TEST

START_TEST(only_what_the_filter_lets_through)
{
    struct bh_park p = stream(BH_PARK_STREAM);
    struct view v;
    const char *text;

    kit_filter(&p, "p1");
    v = watch(&p);
    news(&v);
    kit_publish(&k, 1, "p2");
    kit_publish(&k, 1, "p1");
    kit_publish(&k, 1, NULL);
    kit_publish(&k, 1, "p2");
    kit_turn(&k);
    text = news(&v);
    ck_assert_int_eq(count(text, "data: "), 2);
    expect_id(text, 2);
    expect_id(text, 3);
    /* The heartbeat tells the place past what it wasn't to see. */
    kit_sleep(&k, 15000);
    kit_turn(&k);
    text = news(&v);
    expect_id(text, 4);
    ck_assert_int_eq(count(text, "data: "), 0);
    leave(&v);
}
END_TEST

START_TEST(heartbeats)
{
    struct bh_park p = stream(BH_PARK_STREAM);
    struct bh_park q = stream(BH_PARK_NDJSON);
    struct view v = watch(&p), lines = watch(&q);

    news(&v);
    news(&lines);
    for (int i = 0; i < 3; i++) {
        kit_sleep(&k, 14900);
        kit_turn(&k);
        ck_assert_str_eq(news(&v), "");
        kit_sleep(&k, 100);
        kit_turn(&k);
        ck_assert_str_eq(news(&v), ":\n\n");
        ck_assert_int_eq(strncmp(news(&lines), "{\"cursor\":\"", 11), 0);
    }
    leave(&v);
    leave(&lines);
}
END_TEST

START_TEST(ends_when_its_token_does)
{
    struct bh_park p = stream(BH_PARK_STREAM);
    struct view v;
    const char *text;

    p.expires_ms = k.wall + 20000;
    v = watch(&p);
    kit_sleep(&k, 19999);
    kit_turn(&k);
    news(&v);
    ck_assert(!v.ended);
    kit_publish(&k, 1, NULL); /* comes too late by a millisecond */
    kit_sleep(&k, 1);
    kit_turn(&k);
    text = news(&v);
    ck_assert(v.ended);
    ck_assert_int_eq(count(text, "eventId"), 0);
    expect(text, "event: token_expired\n");
    ck_assert_uint_eq(k.b.n_waiters, 0);
    ck_assert_uint_eq(k.b.n_by_kind[BH_PARK_STREAM], 0);
    leave(&v);
}
END_TEST

START_TEST(too_late_for_its_token_from_the_first)
{
    struct bh_park p = stream(BH_PARK_STREAM);
    struct view v;

    p.expires_ms = k.wall;
    v = watch(&p);
    expect(news(&v), "Status: 401 ");
    ck_assert(v.ended);
    leave(&v);
}
END_TEST

START_TEST(ends_after_its_time)
{
    struct bh_park p = stream(BH_PARK_STREAM);
    struct view v[20];
    int ended = 0;

    for (int i = 0; i < 20; i++) {
        p.user = (struct bh_str){&"abcdefghijklmnopqrst"[i], 1};
        v[i] = watch(&p);
    }
    for (int t = 0; t < 719; t++) {
        kit_sleep(&k, 1000);
        kit_turn(&k);
        for (int i = 0; i < 20; i++) news(&v[i]);
        if (t == 478)
            for (int i = 0; i < 20; i++) ck_assert(!v[i].ended);
        if (t == 600)
            for (int i = 0; i < 20; i++) ended += v[i].ended;
    }
    kit_sleep(&k, 2000);
    kit_turn(&k);
    ck_assert_int_gt(ended, 0); /* one in a million times all on one side */
    ck_assert_int_lt(ended, 20);
    for (int i = 0; i < 20; i++) {
        news(&v[i]);
        ck_assert(v[i].ended);
        leave(&v[i]);
    }
}
END_TEST

START_TEST(superseded_by_the_same_client)
{
    struct bh_park p = stream(BH_PARK_STREAM);
    struct bh_park q = kit_park(&k);
    struct view first, second;
    struct kit_answer a;
    int poll;

    p.client_id = q.client_id = (struct bh_str){"tab", 3};
    first = watch(&p);
    news(&first);
    second = watch(&p);
    expect(news(&first), "event: superseded\n");
    ck_assert(first.ended);
    poll = kit_send(&k, &q); /* a poll takes over from a stream too */
    news(&second);
    ck_assert(second.ended);
    ck_assert_uint_eq(k.b.n_waiters, 1);
    ck_assert_uint_eq(k.b.stats.superseded, 2);
    leave(&first);
    first = watch(&p); /* and the other way round */
    a = kit_read(poll);
    ck_assert_int_eq(a.status, 409);
    free(a.body);
    leave(&first);
    leave(&second);
}
END_TEST

START_TEST(a_gap_at_the_beginning)
{
    struct bh_park p = stream(BH_PARK_STREAM);
    struct view v;
    const char *text;

    kit_publish(&k, 250, NULL);
    kit_turn(&k);
    kit_cursor(&k, &p, 10);
    v = watch(&p);
    text = news(&v);
    expect(text, "event: gap\nid: ");
    expect(text, "data: {\"reason\":\"evicted\"}\n\n");
    expect_id(text, 50); /* 200 are kept: so much for (10, 50] */
    ck_assert_int_eq(count(text, "eventId"), 200);
    expect_id(text, 51);
    expect_id(text, 250);
    leave(&v);
}
END_TEST

START_TEST(another_log)
{
    struct bh_park p = stream(BH_PARK_NDJSON);
    struct view v;
    const char *text;

    kit_publish(&k, 3, NULL);
    kit_turn(&k);
    kit_cursor(&k, &p, 1);
    p.cursor_log = (struct bh_str){"0123456789abcdef", 16};
    v = watch(&p);
    text = news(&v);
    expect(text, "{\"gap\":{\"reason\":\"log\"},\"cursor\":\"");
    ck_assert_int_eq(count(text, "eventId"), 0);
    kit_publish(&k, 1, NULL);
    kit_sleep(&k, 20);
    kit_turn(&k);
    ck_assert_int_eq(count(news(&v), "eventId"), 1);
    leave(&v);
}
END_TEST

/* A socket that is read a little at a time, while a fast one beside it isn't
 * held up, and memory stays where it is. */
START_TEST(a_slow_reader_goes_on_from_the_buffer)
{
    struct bh_park p = stream(BH_PARK_STREAM);
    struct view slow, fast;
    int small = 4096, got = 0;

    p.user = (struct bh_str){"slow", 4};
    slow = watch(&p);
    p.user = (struct bh_str){"fast", 4};
    fast = watch(&p);
    ck_assert_int_eq(
        setsockopt(slow.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    news(&fast);
    for (int i = 0; i < 100; i++) {
        kit_publish(&k, 1, NULL);
        kit_sleep(&k, 20);
        kit_turn(&k);
        ck_assert_int_eq(count(news(&fast), "data: "), 1);
    }
    do {
        got += count(news(&slow), "data: ");
        kit_turn(&k);
    } while (got < 100);
    ck_assert_int_eq(got, 100);
    ck_assert_uint_eq(k.b.stats.gaps, 0);
    leave(&slow);
    leave(&fast);
}
END_TEST

/* Publish until the broker can't write to it any more. */
static void
fill(struct view *v)
{
    for (int i = 0; i < 200; i++) {
        kit_publish(&k, 100, NULL);
        kit_sleep(&k, 20);
        kit_turn(&k);
    }
    (void)v;
}

START_TEST(one_that_falls_behind_is_told)
{
    struct bh_park p = stream(BH_PARK_STREAM);
    struct view v = watch(&p);
    size_t used;
    const char *text;
    int events = 0, gaps = 0;

    news(&v);
    fill(&v);
    used = bh_mem_used();
    fill(&v); /* twice as far behind costs no more */
    ck_assert_uint_lt(bh_mem_used(), used + 100000);
    for (int i = 0; i < 2000; i++) {
        text = news(&v);
        events += count(text, "data: {\"eventId\"");
        gaps += count(text, "event: gap\n");
        kit_turn(&k);
    }
    ck_assert_int_eq(gaps, 1);
    ck_assert_int_lt(events, 40000);
    ck_assert_int_gt(events, 200);
    ck_assert_uint_eq(k.b.stats.gaps, 1);
    kit_publish(&k, 1, NULL);
    kit_turn(&k);
    expect_id(news(&v), 40001);
    leave(&v);
}
END_TEST

START_TEST(one_that_reads_nothing_is_given_up)
{
    struct bh_park p = stream(BH_PARK_STREAM);
    struct view v = watch(&p);

    fill(&v);
    ck_assert_uint_eq(k.b.n_waiters, 1);
    for (int i = 0; i < 9; i++) {
        ck_assert_uint_eq(k.b.n_waiters, 1);
        kit_sleep(&k, 15000);
        kit_turn(&k);
    }
    ck_assert_uint_eq(k.b.n_waiters, 0);
    ck_assert_uint_eq(k.b.stats.lost, 1);
    leave(&v);
}
END_TEST

/* Its socket is full at every heartbeat, and for longer than it takes to give
 * one up. */
START_TEST(one_that_reads_little_is_kept)
{
    struct bh_park p = stream(BH_PARK_STREAM);
    struct view v = watch(&p);

    fill(&v);
    for (int i = 0; i < 24; i++) {
        take(&v, 8000);
        kit_sleep(&k, 15000);
        kit_turn(&k);
        ck_assert_uint_eq(k.b.n_waiters, 1);
    }
    ck_assert_uint_eq(k.b.stats.lost, 0);
    leave(&v);
}
END_TEST

START_TEST(ended_while_its_socket_is_full)
{
    struct bh_park p = stream(BH_PARK_STREAM);
    struct view v;
    bool expired = false;

    p.expires_ms = k.wall + 30000;
    v = watch(&p);
    fill(&v);
    kit_sleep(&k, 30000);
    kit_turn(&k);
    ck_assert_uint_eq(k.b.n_waiters, 0);
    for (int i = 0; i < 200 && !v.ended; i++) {
        if (strstr(news(&v), "event: token_expired\n")) expired = true;
        kit_turn(&k);
    }
    ck_assert(v.ended);
    ck_assert(expired);
    leave(&v);
}
END_TEST

/* Room in its socket and the end of its token are seen in the same turn. */
START_TEST(no_event_after_the_end_of_a_token)
{
    struct bh_park p = stream(BH_PARK_STREAM);
    struct view v;
    const char *text;

    p.expires_ms = k.wall + 30000;
    v = watch(&p);
    fill(&v);
    while (take(&v, SIZE_MAX)) continue;
    bh_buf_reset(&v.text);
    kit_sleep(&k, 30000);
    kit_turn(&k);
    ck_assert_uint_eq(k.b.n_waiters, 0);
    text = news(&v);
    expect(text, "event: token_expired\n");
    ck_assert_ptr_null(strstr(text, "event: gap\n"));
    ck_assert(v.ended);
    leave(&v);
}
END_TEST

START_TEST(gone_and_forgotten)
{
    struct bh_park p = stream(BH_PARK_STREAM);
    struct view v = watch(&p);

    kit_watch(&k);
    leave(&v);
    kit_turn(&k);
    ck_assert_uint_eq(k.b.n_waiters, 0);
    ck_assert_uint_eq(k.b.stats.gone, 1);
}
END_TEST

START_TEST(overloaded)
{
    struct bh_park p;
    struct view v[3];
    const char *text;

    kit_close(&k);
    kit_open(&k, "waiters_per_user = 2");
    p = stream(BH_PARK_STREAM);
    for (int i = 0; i < 3; i++) v[i] = watch(&p);
    text = news(&v[2]);
    ck_assert(v[2].ended);
    expect(text, "Status: 200 ");
    expect(text, "\r\nRetry-After: ");
    expect(text, "\nevent: overloaded\n");
    expect(text, "\r\n\r\nretry: ");
    ck_assert_uint_eq(k.b.stats.overloaded, 1);
    for (int i = 0; i < 3; i++) leave(&v[i]);
}
END_TEST

/* The cursor that it is sent away with mustn't hide that its own is another
 * log's. */
START_TEST(overloaded_with_a_gap)
{
    struct bh_park p;
    struct view v[3];
    const char *text;

    kit_close(&k);
    kit_open(&k, "waiters_per_user = 1");
    kit_publish(&k, 300, NULL);
    kit_turn(&k);
    p = stream(BH_PARK_STREAM);
    v[0] = watch(&p);
    kit_cursor(&k, &p, 1);
    p.cursor_log = (struct bh_str){"0123456789abcdef", 16};
    v[1] = watch(&p);
    text = news(&v[1]);
    expect(text, "event: gap\nid: ");
    expect(text, "data: {\"reason\":\"log\"}\n\nevent: overloaded\n");
    expect_id(strstr(text, "event: overloaded"), 300);
    kit_cursor(&k, &p, 1);
    p.kind = BH_PARK_NDJSON;
    v[2] = watch(&p);
    text = news(&v[2]); /* with its own, it hears of what it missed next time */
    ck_assert_int_eq(count(text, "gap"), 0);
    expect(text, "-1\"}\n");
    ck_assert_uint_eq(k.b.stats.overloaded, 2);
    ck_assert_uint_eq(k.b.stats.gaps, 1);
    for (int i = 0; i < 3; i++) leave(&v[i]);
}
END_TEST

START_TEST(the_broker_leaves)
{
    struct bh_park p = stream(BH_PARK_STREAM);
    struct bh_park q = stream(BH_PARK_NDJSON);
    struct view v = watch(&p), lines = watch(&q);

    news(&v);
    news(&lines);
    bh_broker_drain(&k.b);
    expect(news(&v), "retry: ");
    expect(news(&lines), "{\"end\":{\"retryAfterMs\":");
    ck_assert(v.ended && lines.ended);
    leave(&v);
    leave(&lines);
}
END_TEST

/* Two streams and two polls that are owed the same: what is rendered once is
 * not mixed up. */
START_TEST(kinds_side_by_side)
{
    struct bh_park p[4] = {stream(BH_PARK_STREAM), stream(BH_PARK_NDJSON),
                           kit_park(&k), stream(BH_PARK_STREAM)};
    struct view v[3];
    struct kit_answer a;
    int poll;

    p[3].request_id = 1;
    v[0] = watch(&p[0]);
    v[1] = watch(&p[1]);
    poll = kit_send(&k, &p[2]);
    v[2] = watch(&p[3]);
    for (int i = 0; i < 3; i++) news(&v[i]);
    kit_publish(&k, 3, NULL);
    kit_turn(&k);
    ck_assert_int_eq(count(news(&v[0]), "\ndata: "), 3);
    ck_assert_int_eq(count(news(&v[1]), "{\"event\":"), 3);
    ck_assert_int_eq(count(news(&v[2]), "\ndata: "), 3);
    a = kit_read(poll);
    ck_assert_int_eq(a.events, 3);
    free(a.body);
    ck_assert_uint_eq(k.b.stats.delivered, 12);
    for (int i = 0; i < 3; i++) leave(&v[i]);
}
END_TEST

/* Without a cursor, cut off before its first event: none is lost or doubled. */
START_TEST(without_a_cursor_it_is_remembered)
{
    struct bh_park p = stream(BH_PARK_STREAM);
    struct view v;
    const char *text;

    kit_publish(&k, 1, NULL);
    kit_turn(&k);
    v = watch(&p);
    ck_assert_int_eq(count(news(&v), "eventId"), 1);
    leave(&v);
    kit_watch(&k);
    kit_turn(&k);
    kit_publish(&k, 1, NULL);
    kit_turn(&k);
    v = watch(&p);
    text = news(&v);
    ck_assert_int_eq(count(text, "eventId"), 1);
    expect_id(text, 2);
    leave(&v);
}
END_TEST

Suite *
check_stream(void)
{
    Suite *s = suite_create("stream");
    TCase *t = tcase_create("stream");

    tcase_add_checked_fixture(t, start, finish);
    tcase_add_test(t, begins_with_head_and_retry);
    tcase_add_test(t, events_as_they_come);
    tcase_add_test(t, lines_of_json);
    tcase_add_test(t, resumes_after_its_cursor);
    tcase_add_test(t, only_what_the_filter_lets_through);
    tcase_add_test(t, heartbeats);
    tcase_add_test(t, ends_when_its_token_does);
    tcase_add_test(t, too_late_for_its_token_from_the_first);
    tcase_add_test(t, ends_after_its_time);
    tcase_add_test(t, superseded_by_the_same_client);
    tcase_add_test(t, a_gap_at_the_beginning);
    tcase_add_test(t, another_log);
    tcase_add_test(t, a_slow_reader_goes_on_from_the_buffer);
    tcase_add_test(t, one_that_falls_behind_is_told);
    tcase_add_test(t, one_that_reads_nothing_is_given_up);
    tcase_add_test(t, one_that_reads_little_is_kept);
    tcase_add_test(t, ended_while_its_socket_is_full);
    tcase_add_test(t, no_event_after_the_end_of_a_token);
    tcase_add_test(t, gone_and_forgotten);
    tcase_add_test(t, overloaded);
    tcase_add_test(t, overloaded_with_a_gap);
    tcase_add_test(t, the_broker_leaves);
    tcase_add_test(t, kinds_side_by_side);
    tcase_add_test(t, without_a_cursor_it_is_remembered);
    suite_add_tcase(s, t);
    return s;
}
