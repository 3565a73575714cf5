/* A subscribe arrives: what it is answered with at once, and when it waits. */
#include "base.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "brokerkit.h"
#include "logbox.h"
#include "suites.h"

static struct kit k;

static void
setup(void)
{
    kit_open(&k, "");
}

static void
teardown(void)
{
    kit_close(&k);
}

/* What FD has been answered with must be this many events and no gap. */
static int64_t
expect_events(int fd, int events)
{
    struct kit_answer a = kit_read(fd);
    int64_t cursor = kit_answer_cursor(&a);

    ck_assert_int_eq(a.status, 200);
    ck_assert_int_eq(a.events, events);
    ck_assert_ptr_nonnull(strstr(a.body, "\"gap\":null"));
    free(a.body);
    return cursor;
}

static void
expect_gap(int fd, const char *reason, int64_t cursor)
{
    struct kit_answer a = kit_read(fd);
    char want[64];

    snprintf(want, sizeof want, "\"gap\":{\"reason\":\"%s\"}", reason);
    ck_assert_int_eq(a.status, 200);
    ck_assert_int_eq(a.events, 0);
    ck_assert_ptr_nonnull(strstr(a.body, want));
    ck_assert_int_eq(kit_answer_cursor(&a), cursor);
    free(a.body);
}

static void
expect_nothing_yet(int fd)
{
    struct kit_answer a = kit_read(fd);

    ck_assert_int_eq(a.status, 0);
    free(a.body);
}

START_TEST(waits_for_the_next_event)
{
    struct bh_park p = kit_park(&k);
    int fd;

    kit_cursor(&k, &p, 0);
    fd = kit_send(&k, &p);
    kit_turn(&k);
    expect_nothing_yet(fd);
    kit_publish(&k, 1, NULL);
    kit_turn(&k);
    ck_assert_int_eq(expect_events(fd, 1), 1);
    ck_assert_uint_eq(k.b.n_waiters, 0);
}
END_TEST

START_TEST(answers_what_is_there_at_once)
{
    struct bh_park p = kit_park(&k);

    kit_publish(&k, 200, NULL);
    kit_turn(&k);
    kit_cursor(&k, &p, 0);
    ck_assert_int_eq(expect_events(kit_send(&k, &p), 200), 200);
    kit_cursor(&k, &p, 150);
    ck_assert_int_eq(expect_events(kit_send(&k, &p), 50), 200);
}
END_TEST

START_TEST(answers_whole_batch_to_one_who_waits)
{
    struct bh_park p = kit_park(&k);
    int fd;

    kit_cursor(&k, &p, 0);
    fd = kit_send(&k, &p);
    kit_publish(&k, 500, NULL);
    kit_turn(&k);
    ck_assert_int_eq(expect_events(fd, 500), 500);
    /* Afterwards the buffer is back at its bound. */
    ck_assert_uint_eq(k.b.n_items, 200);
    ck_assert_uint_eq(k.b.stats.dropped, 300);
}
END_TEST

START_TEST(tells_of_evicted_events)
{
    struct bh_park p = kit_park(&k);

    kit_publish(&k, 250, NULL);
    kit_turn(&k);
    kit_cursor(&k, &p, 49);
    expect_gap(kit_send(&k, &p), "evicted", 250);
    kit_cursor(&k, &p, 50);
    ck_assert_int_eq(expect_events(kit_send(&k, &p), 200), 250);
}
END_TEST

START_TEST(no_gap_where_nothing_was_missed)
{
    struct bh_park p = kit_park(&k);
    int fd;

    /* Events of another org leave memory; this org had none in between. */
    k.org = "o2";
    kit_publish(&k, 300, NULL);
    kit_turn(&k);
    kit_sleep(&k, 30000);
    kit_turn(&k);
    ck_assert_uint_eq(k.b.n_items, 0);
    kit_cursor(&k, &p, 0);
    fd = kit_send(&k, &p);
    expect_nothing_yet(fd);
    k.org = "o1";
    kit_publish(&k, 1, NULL);
    kit_turn(&k);
    ck_assert_int_eq(expect_events(fd, 1), 301);
}
END_TEST

START_TEST(tells_of_events_too_old_for_memory)
{
    struct bh_park p = kit_park(&k);

    kit_publish(&k, 1, NULL);
    kit_turn(&k);
    kit_sleep(&k, 25001);
    kit_turn(&k);
    ck_assert_uint_eq(k.b.stats.expired, 1);
    kit_cursor(&k, &p, 0);
    expect_gap(kit_send(&k, &p), "evicted", 1);
    /* Also when the channel itself has been forgotten. */
    kit_sleep(&k, 120001);
    kit_turn(&k);
    ck_assert_uint_eq(k.b.channels.count, 0);
    expect_gap(kit_send(&k, &p), "evicted", 1);
}
END_TEST

START_TEST(tells_of_pruned_events)
{
    struct bh_park p = kit_park(&k);
    int n = 0;

    kit_publish(&k, 3, NULL);
    kit_turn(&k);
    kit_sleep(&k, 60000);
    ck_assert_int_eq(bh_store_begin(k.log), 0);
    ck_assert_int_eq(bh_logbox_prune(k.log, k.wall, 2, &n), 0);
    ck_assert_int_eq(bh_store_commit(k.log), 0);
    ck_assert_int_eq(n, 2);
    kit_turn(&k);
    kit_cursor(&k, &p, 1);
    expect_gap(kit_send(&k, &p), "expired", 3);
    kit_cursor(&k, &p, 2);
    expect_gap(kit_send(&k, &p), "evicted", 3);
}
END_TEST

START_TEST(tells_of_another_log)
{
    struct bh_park p = kit_park(&k);

    kit_publish(&k, 1, NULL);
    kit_turn(&k);
    kit_cursor(&k, &p, 0);
    p.cursor_log = (struct bh_str){"ffffffffffffffff", 16};
    expect_gap(kit_send(&k, &p), "log", 1);
    kit_cursor(&k, &p, 2); /* the future: lost by a restore */
    expect_gap(kit_send(&k, &p), "log", 1);
}
END_TEST

START_TEST(cursor_ahead_of_the_broker_waits)
{
    struct bh_park p = kit_park(&k);
    int fd;

    /* Committed, but not read yet: the client asked the log itself. */
    kit_publish(&k, 5, NULL);
    kit_cursor(&k, &p, 5);
    fd = kit_send(&k, &p);
    kit_turn(&k);
    expect_nothing_yet(fd);
    kit_publish(&k, 1, NULL);
    kit_turn(&k);
    ck_assert_int_eq(expect_events(fd, 1), 6);
}
END_TEST

START_TEST(without_cursor_each_event_once)
{
    struct bh_park p = kit_park(&k);
    int fd;

    kit_publish(&k, 3, NULL);
    kit_turn(&k);
    expect_events(kit_send(&k, &p), 3);
    fd = kit_send(&k, &p);
    expect_nothing_yet(fd);
    kit_publish(&k, 1, NULL);
    kit_turn(&k);
    expect_events(fd, 1);
    /* Between two polls. */
    kit_sleep(&k, 1000);
    kit_publish(&k, 2, NULL);
    kit_turn(&k);
    expect_events(kit_send(&k, &p), 2);
}
END_TEST

START_TEST(without_cursor_takes_from_nobody)
{
    struct bh_park p = kit_park(&k), q = kit_park(&k);

    memcpy(q.token_digest, "another tokens..", 16);
    kit_publish(&k, 2, NULL);
    kit_turn(&k);
    expect_events(kit_send(&k, &p), 2);
    expect_events(kit_send(&k, &q), 2);
    /* Another filter of the same token is another subscriber. */
    kit_filter(&p, "p1");
    expect_events(kit_send(&k, &p), 2);
}
END_TEST

START_TEST(without_cursor_and_gone_is_not_served)
{
    struct bh_park p = kit_park(&k);
    int fd = kit_send(&k, &p);

    kit_watch(&k);
    close(fd); /* the client left before the event */
    kit_turn(&k);
    ck_assert_uint_eq(k.b.n_waiters, 0);
    ck_assert_uint_eq(k.b.stats.gone, 1);
    kit_publish(&k, 1, NULL);
    kit_turn(&k);
    expect_events(kit_send(&k, &p), 1);
}
END_TEST

START_TEST(without_cursor_and_gone_unseen_is_not_served)
{
    struct bh_park p = kit_park(&k);

    close(kit_send(&k, &p)); /* so soon that nobody looks for it yet */
    kit_turn(&k);
    ck_assert_uint_eq(k.b.n_waiters, 1);
    kit_publish(&k, 1, NULL);
    kit_turn(&k);
    ck_assert_uint_eq(k.b.n_waiters, 0);
    expect_events(kit_send(&k, &p), 1);
}
END_TEST

START_TEST(gone_is_seen_by_and_by)
{
    struct bh_park p = kit_park(&k);

    close(kit_send(&k, &p));
    kit_turn(&k);
    ck_assert_uint_eq(k.b.n_waiters, 1);
    kit_watch(&k);
    kit_turn(&k);
    ck_assert_uint_eq(k.b.n_waiters, 0);
    ck_assert_uint_eq(k.b.stats.gone, 1);
}
END_TEST

START_TEST(position_is_forgotten_after_two_polls)
{
    struct bh_park p = kit_park(&k);
    int fd;

    kit_publish(&k, 1, NULL);
    kit_turn(&k);
    expect_events(kit_send(&k, &p), 1);
    kit_sleep(&k, 50001);
    kit_turn(&k);
    ck_assert_uint_eq(k.b.n_memos, 0);
    fd = kit_send(&k, &p); /* nothing in memory: it waits */
    expect_nothing_yet(fd);
    close(fd);
    kit_turn(&k);
}
END_TEST

START_TEST(who_does_not_wait_gets_what_nobody_told_of)
{
    struct bh_park p = kit_park(&k);

    kit_publish(&k, 2, NULL);
    kit_cursor(&k, &p, 0);
    p.wait_ms = 0;
    ck_assert_int_eq(expect_events(kit_send(&k, &p), 2), 2);
}
END_TEST

START_TEST(wait_of_zero_answers_at_once)
{
    struct bh_park p = kit_park(&k);

    kit_publish(&k, 2, NULL);
    kit_turn(&k);
    kit_cursor(&k, &p, 2);
    p.wait_ms = 0;
    ck_assert_int_eq(expect_events(kit_send(&k, &p), 0), 2);
}
END_TEST

START_TEST(deadline_answers_with_nothing)
{
    struct bh_park p = kit_park(&k);
    int fd, shorter;

    kit_cursor(&k, &p, 0);
    fd = kit_send(&k, &p);
    p.wait_ms = 3000;
    p.user = (struct bh_str){"u2", 2};
    shorter = kit_send(&k, &p);
    kit_sleep(&k, 2999);
    kit_turn(&k);
    expect_nothing_yet(shorter);
    kit_sleep(&k, 1);
    kit_turn(&k);
    expect_events(shorter, 0);
    kit_sleep(&k, 24998 - 3000);
    kit_turn(&k);
    expect_nothing_yet(fd);
    kit_sleep(&k, 1003); /* 25 s and the longest jitter */
    kit_turn(&k);
    expect_events(fd, 0);
}
END_TEST

START_TEST(token_expiry_ends_a_poll)
{
    struct bh_park p = kit_park(&k);
    struct kit_answer a;
    int fd;

    kit_cursor(&k, &p, 0);
    p.expires_ms = k.wall + 5000;
    fd = kit_send(&k, &p);
    kit_sleep(&k, 4999);
    kit_turn(&k);
    expect_nothing_yet(fd);
    kit_sleep(&k, 1);
    kit_publish(&k, 1, NULL); /* must not be seen */
    kit_turn(&k);
    a = kit_read(fd);
    ck_assert_int_eq(a.status, 401);
    ck_assert_ptr_nonnull(strstr(a.body, "\"token_expired\""));
    ck_assert_ptr_nonnull(strstr(a.head, "WWW-Authenticate: Bearer"));
    free(a.body);
}
END_TEST

START_TEST(newer_poll_supersedes_older)
{
    struct bh_park p = kit_park(&k);
    struct kit_answer a;
    int first, other, second;

    kit_cursor(&k, &p, 0);
    p.client_id = (struct bh_str){"tab-1", 5};
    first = kit_send(&k, &p);
    p.client_id = (struct bh_str){"tab-2", 5};
    other = kit_send(&k, &p);
    p.client_id = (struct bh_str){"tab-1", 5};
    second = kit_send(&k, &p);
    kit_turn(&k);
    a = kit_read(first);
    ck_assert_int_eq(a.status, 409);
    ck_assert_ptr_nonnull(strstr(a.body, "\"superseded\""));
    ck_assert_ptr_nonnull(strstr(a.head, "Vary: Origin"));
    free(a.body);
    expect_nothing_yet(other);
    ck_assert_uint_eq(k.b.n_waiters, 2);
    kit_publish(&k, 1, NULL);
    kit_turn(&k);
    expect_events(other, 1);
    expect_events(second, 1);
}
END_TEST

START_TEST(client_id_of_another_user_is_another)
{
    struct bh_park p = kit_park(&k);
    int first, second;

    p.client_id = (struct bh_str){"tab", 3};
    first = kit_send(&k, &p);
    p.user = (struct bh_str){"u2", 2};
    second = kit_send(&k, &p);
    expect_nothing_yet(first);
    expect_nothing_yet(second);
    close(first);
    close(second);
    kit_turn(&k);
}
END_TEST

START_TEST(head_names_request_and_lines)
{
    struct bh_park p = kit_park(&k);
    struct kit_answer a;
    int fd;

    p.wait_ms = 0;
    p.request_id = 7; /* no web server does, but one might */
    fd = kit_send(&k, &p);
    a = kit_read(fd);
    ck_assert_int_eq(a.status, 200);
    ck_assert_ptr_nonnull(strstr(a.head, "X-Request-ID: req-1\r\n"));
    ck_assert_ptr_nonnull(strstr(a.head, "Vary: Origin"));
    ck_assert_ptr_nonnull(strstr(a.head, "Cache-Control: no-store\r\n"));
    ck_assert_ptr_nonnull(strstr(a.head, "Content-Type: application/json\r\n"));
    free(a.body);
}
END_TEST

Suite *
check_park(void)
{
    Suite *s = suite_create("park");
    TCase *t = tcase_create("park");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, waits_for_the_next_event);
    tcase_add_test(t, answers_what_is_there_at_once);
    tcase_add_test(t, who_does_not_wait_gets_what_nobody_told_of);
    tcase_add_test(t, answers_whole_batch_to_one_who_waits);
    tcase_add_test(t, tells_of_evicted_events);
    tcase_add_test(t, no_gap_where_nothing_was_missed);
    tcase_add_test(t, tells_of_events_too_old_for_memory);
    tcase_add_test(t, tells_of_pruned_events);
    tcase_add_test(t, tells_of_another_log);
    tcase_add_test(t, cursor_ahead_of_the_broker_waits);
    tcase_add_test(t, without_cursor_each_event_once);
    tcase_add_test(t, without_cursor_takes_from_nobody);
    tcase_add_test(t, without_cursor_and_gone_is_not_served);
    tcase_add_test(t, without_cursor_and_gone_unseen_is_not_served);
    tcase_add_test(t, gone_is_seen_by_and_by);
    tcase_add_test(t, position_is_forgotten_after_two_polls);
    tcase_add_test(t, wait_of_zero_answers_at_once);
    tcase_add_test(t, deadline_answers_with_nothing);
    tcase_add_test(t, token_expiry_ends_a_poll);
    tcase_add_test(t, newer_poll_supersedes_older);
    tcase_add_test(t, client_id_of_another_user_is_another);
    tcase_add_test(t, head_names_request_and_lines);
    suite_add_tcase(s, t);
    return s;
}
