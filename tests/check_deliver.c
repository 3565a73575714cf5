/* From events to answers: filters, bursts, sharing, limits, slow readers. */
#include "base.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/deliver.h"
#include "broker/follow.h"
#include "brokerkit.h"
#include "mem.h"
#include "suites.h"

static struct kit k;

static int
count_events(int fd)
{
    struct kit_answer a = kit_read(fd);
    int n = a.status == 200 ? a.events : -1;

    free(a.body);
    return n;
}

static int
park_user(const char *user, const char *property)
{
    struct bh_park p = kit_park(&k);

    kit_cursor(&k, &p, k.b.head);
    p.user = (struct bh_str){user, strlen(user)};
    if (property) kit_filter(&p, property);
    return kit_send(&k, &p);
}

START_TEST(property_wakes_whom_it_concerns)
{
    int all, one, two;

    kit_open(&k, "coalesce_ms = 0");
    all = park_user("u1", NULL);
    one = park_user("u2", "p1");
    two = park_user("u3", "p2");
    kit_publish(&k, 1, "p1");
    kit_turn(&k);
    ck_assert_uint_eq(bh_follow_woken(&k.b, 1), 2);
    ck_assert_int_eq(count_events(all), 1);
    ck_assert_int_eq(count_events(one), 1);
    ck_assert_int_eq(count_events(two), -1); /* it waits on */
    /* Org-wide events concern everybody. */
    kit_publish(&k, 1, NULL);
    kit_turn(&k);
    ck_assert_uint_eq(bh_follow_woken(&k.b, 2), 1);
    ck_assert_int_eq(count_events(two), 1);
    kit_close(&k);
}
END_TEST

START_TEST(another_org_hears_nothing)
{
    int fd;

    kit_open(&k, "");
    fd = park_user("u1", NULL);
    k.org = "o2";
    kit_publish(&k, 5, NULL);
    kit_turn(&k);
    ck_assert_int_eq(count_events(fd), -1);
    ck_assert_uint_eq(bh_follow_woken(&k.b, 5), 0);
    close(fd);
    kit_turn(&k);
    kit_close(&k);
}
END_TEST

START_TEST(burst_costs_few_polls)
{
    int polls = 0, events = 0, fd;

    kit_open(&k, "");
    fd = park_user("u1", NULL);
    for (int ms = 0; ms < 120; ms++) {
        if (ms < 100 && ms % 2 == 0) kit_publish(&k, 1, NULL);
        kit_turn(&k);
        int n = count_events(fd);
        if (n > 0) {
            /* The first event is never held. */
            if (polls == 0) ck_assert_int_eq(ms, 0);
            polls++;
            events += n;
            fd = park_user("u1", NULL);
        }
        kit_sleep(&k, 1);
    }
    ck_assert_int_eq(events, 50);
    ck_assert_int_le(polls, 12);
    close(fd);
    kit_turn(&k);
    kit_close(&k);
}
END_TEST

/* So it is for a client that is away while some of them come. */
START_TEST(burst_costs_few_polls_from_afar)
{
    struct bh_park p;
    int polls = 0, events = 0, back = 0, fd;

    kit_open(&k, "");
    p = kit_park(&k);
    kit_cursor(&k, &p, k.b.head);
    fd = kit_send(&k, &p);
    for (int ms = 0; ms < 130; ms++) {
        if (ms < 100 && ms % 2 == 0) kit_publish(&k, 1, NULL);
        if (fd < 0 && ms == back) fd = kit_send(&k, &p);
        kit_turn(&k);
        if (fd >= 0) {
            struct kit_answer a = kit_read(fd);
            if (a.status == 200) {
                if (polls++ == 0) ck_assert_int_eq(ms, 0);
                events += a.events;
                kit_cursor(&k, &p, kit_answer_cursor(&a));
                fd = -1;
                back = ms + 3;
            }
            free(a.body);
        }
        kit_sleep(&k, 1);
    }
    ck_assert_int_eq(events, 50);
    ck_assert_int_le(polls, 11);
    kit_close(&k);
}
END_TEST

/* Who comes with an older cursor isn't kept: a delivery wouldn't find it. */
START_TEST(the_hold_is_not_for_who_is_behind)
{
    struct bh_park p;
    int64_t before;
    int fd;

    kit_open(&k, "");
    before = k.b.head;
    fd = park_user("u1", NULL);
    kit_publish(&k, 1, NULL);
    kit_turn(&k);
    ck_assert_int_eq(count_events(fd), 1);
    p = kit_park(&k);
    kit_cursor(&k, &p, before);
    ck_assert_int_eq(count_events(kit_send(&k, &p)), 1);
    kit_close(&k);
}
END_TEST

START_TEST(lone_events_are_never_held)
{
    kit_open(&k, "");
    for (int i = 0; i < 5; i++) {
        int fd = park_user("u1", NULL);

        kit_publish(&k, 1, NULL);
        kit_turn(&k);
        ck_assert_int_eq(count_events(fd), 1);
        kit_sleep(&k, 10);
    }
    kit_close(&k);
}
END_TEST

START_TEST(one_body_for_many)
{
    int fd[100];
    size_t before;

    kit_open(&k, "waiters_per_user = 1000");
    for (int i = 0; i < 100; i++) fd[i] = park_user("u1", NULL);
    before = bh_mem_used();
    kit_publish(&k, 1, NULL);
    kit_turn(&k);
    /* All waiters are gone, and no answer is left behind. */
    ck_assert_uint_lt(bh_mem_used(), before);
    ck_assert_uint_eq(k.b.stats.delivered, 100);
    for (int i = 0; i < 100; i++) ck_assert_int_eq(count_events(fd[i]), 1);
    kit_close(&k);
}
END_TEST

static void
expect_overloaded(int fd)
{
    struct kit_answer a = kit_read(fd);
    const char *retry = strstr(a.head, "Retry-After: ");

    ck_assert_int_eq(a.status, 200);
    ck_assert_ptr_nonnull(strstr(a.body, "\"overloaded\":true"));
    ck_assert_ptr_nonnull(retry);
    ck_assert_int_ge(atoi(retry + 13), 2);
    ck_assert_int_le(atoi(retry + 13), 10);
    free(a.body);
}

START_TEST(limits_turn_away)
{
    int fd[4];
    struct bh_park p;

    kit_open(&k, "waiters_per_user = 2\nwaiters_per_channel = 3");
    fd[0] = park_user("u1", NULL);
    fd[1] = park_user("u1", NULL);
    expect_overloaded(park_user("u1", NULL));
    fd[2] = park_user("u2", NULL);
    expect_overloaded(park_user("u3", NULL));
    ck_assert_uint_eq(k.b.n_waiters, 3);
    ck_assert_uint_eq(k.b.stats.overloaded, 2);
    /* Another channel has room of its own. */
    p = kit_park(&k);
    p.org = (struct bh_str){"o2", 2};
    fd[3] = kit_send(&k, &p);
    ck_assert_uint_eq(k.b.n_waiters, 4);
    kit_watch(&k);
    for (int i = 0; i < 4; i++) close(fd[i]);
    kit_turn(&k);
    ck_assert_uint_eq(k.b.n_waiters, 0);
    ck_assert_uint_eq(k.b.users.count, 0);
    kit_close(&k);
}
END_TEST

START_TEST(overloaded_keeps_the_position)
{
    struct bh_park p;
    struct kit_answer a;
    int fd;

    kit_open(&k, "waiters_per_channel = 1");
    k.org = "o2";
    kit_publish(&k, 5, NULL);
    kit_turn(&k);
    fd = park_user("u1", NULL);
    p = kit_park(&k);
    kit_cursor(&k, &p, 3); /* behind the head, with nothing of its own since */
    a = kit_read(kit_send(&k, &p));
    ck_assert_ptr_nonnull(strstr(a.body, "\"overloaded\":true"));
    ck_assert_int_eq(kit_answer_cursor(&a), 3);
    free(a.body);
    close(fd);
    kit_turn(&k);
    kit_close(&k);
}
END_TEST

/* Its number means nothing in this log, whose name the answer's cursor bears.
 */
START_TEST(no_room_for_a_cursor_of_another_log)
{
    static const enum bh_park_kind kinds[] = {BH_PARK_POLL, BH_PARK_STREAM};
    struct bh_park p;
    int fd;

    kit_open(&k, "channels = 1");
    kit_publish(&k, 5, NULL);
    kit_turn(&k);
    p = kit_park(&k);
    kit_cursor(&k, &p, 5);
    fd = kit_send(&k, &p);
    p.org = (struct bh_str){"o2", 2};
    for (size_t i = 0; i < bh_countof(kinds); i++) {
        p.kind = (uint8_t)kinds[i];
        kit_cursor(&k, &p, 99); /* of a future that a restore took back */
        struct kit_answer a = kit_read(kit_send(&k, &p));
        ck_assert_ptr_nonnull(strstr(a.body, "{\"reason\":\"log\"}"));
        free(a.body);
        kit_cursor(&k, &p, 2);
        p.cursor_log = (struct bh_str){"0123456789abcdef", 16};
        a = kit_read(kit_send(&k, &p));
        ck_assert_ptr_nonnull(strstr(a.body, "{\"reason\":\"log\"}"));
        ck_assert_ptr_null(strstr(a.body, "-2"));
        free(a.body);
    }
    kit_watch(&k);
    close(fd);
    kit_turn(&k);
    kit_close(&k);
}
END_TEST

START_TEST(no_room_for_another_channel)
{
    struct bh_park p;
    int fd;

    kit_open(&k, "channels = 1");
    fd = park_user("u1", NULL);
    p = kit_park(&k);
    p.org = (struct bh_str){"o2", 2};
    kit_cursor(&k, &p, 0);
    expect_overloaded(kit_send(&k, &p));
    /* Its events are not in memory, and a cursor before them is told. */
    k.org = "o2";
    kit_publish(&k, 1, NULL);
    kit_watch(&k);
    close(fd);
    kit_turn(&k);
    struct kit_answer a = kit_read(kit_send(&k, &p));
    ck_assert_ptr_nonnull(strstr(a.body, "\"evicted\""));
    free(a.body);
    kit_close(&k);
}
END_TEST

START_TEST(buffer_bytes_are_bounded)
{
    struct bh_park p;

    kit_open(&k, "buffer_megabytes = 1\nbuffer_events = 100000");
    for (int i = 0; i < 30; i++) {
        kit_publish(&k, 1000, NULL);
        kit_turn(&k);
        ck_assert_uint_le(k.b.item_bytes, 1024 * 1024);
    }
    ck_assert_uint_gt(k.b.stats.dropped, 0);
    p = kit_park(&k);
    kit_cursor(&k, &p, 0);
    struct kit_answer a = kit_read(kit_send(&k, &p));
    ck_assert_ptr_nonnull(strstr(a.body, "\"evicted\""));
    free(a.body);
    kit_close(&k);
}
END_TEST

START_TEST(slow_reader_gets_it_all)
{
    struct bh_park p;
    int fd, got;
    char body[60000];
    struct bh_row r;
    int64_t seq;
    enum bh_stored what;

    kit_open(&k, "");
    memset(body, 'x', sizeof body);
    memcpy(body, "{\"eventId\":\"", 12);
    memcpy(body + sizeof body - 2, "\"}", 2);
    ck_assert_int_eq(bh_store_begin(k.log), 0);
    for (int i = 0; i < 20; i++) {
        char id[16];

        snprintf(id, sizeof id, "%d", i);
        r = (struct bh_row){.domain = {"tasks", 5},
                            .org = {"o1", 2},
                            .event_id = {id, strlen(id)},
                            .event_type = {"T", 1},
                            .publisher = {"t", 1},
                            .body = {body, sizeof body}};
        ck_assert_int_eq(bh_store_append(k.log, &r, NULL, &seq, &what), 0);
    }
    ck_assert_int_eq(bh_store_commit(k.log), 0);
    kit_turn(&k);
    p = kit_park(&k);
    fd = kit_send(&k, &p);
    ck_assert_uint_eq(k.b.timers.len, 1); /* being written */
    ck_assert_uint_eq(k.b.n_waiters, 0);
    struct bh_buf all = BH_BUF_INIT;
    for (int i = 0; i < 1000 && k.b.timers.len > 0; i++) {
        char part[30000];
        ssize_t n = recv(fd, part, sizeof part, MSG_DONTWAIT);

        if (n > 0) bh_buf_add(&all, part, (size_t)n);
        kit_turn(&k);
    }
    ck_assert_uint_eq(k.b.timers.len, 0);
    for (;;) {
        char part[65536];
        ssize_t n = recv(fd, part, sizeof part, 0);

        if (n <= 0) break;
        bh_buf_add(&all, part, (size_t)n);
    }
    /* Twenty events, whole, and the end of the request as the last record. */
    got = 0;
    for (size_t i = 0; i + 9 < all.len; i++)
        if (memcmp(all.p + i, "\"eventId\"", 9) == 0) got++;
    ck_assert_int_ge(got, 19); /* a record header may fall into the name */
    ck_assert_uint_gt(all.len, 20 * sizeof body);
    ck_assert_int_eq(all.p[all.len - 15], 3 /* END_REQUEST */);
    bh_buf_fini(&all);
    close(fd);
    kit_close(&k);
}
END_TEST

START_TEST(reader_that_never_reads_is_dropped)
{
    int fd;
    struct bh_park p;
    char filler[4096] = {0};

    kit_open(&k, "");
    p = kit_park(&k);
    kit_cursor(&k, &p, 0);
    fd = kit_send(&k, &p);
    /* Fill the socket from our own end of it. */
    struct bh_waiter *w =
        bh_container_of(bh_heap_first(&k.b.timers), struct bh_waiter, timer);
    while (send(w->source.fd, filler, sizeof filler, MSG_DONTWAIT) > 0) {
    }
    kit_publish(&k, 1, NULL);
    kit_turn(&k);
    ck_assert_uint_eq(k.b.timers.len, 1);
    kit_sleep(&k, 30001);
    kit_turn(&k);
    ck_assert_uint_eq(k.b.timers.len, 0);
    ck_assert_uint_eq(k.b.stats.lost, 1);
    close(fd);
    kit_close(&k);
}
END_TEST

START_TEST(freed_inside_its_own_batch)
{
    int fd[2];

    kit_open(&k, "");
    fd[0] = park_user("u1", NULL);
    fd[1] = park_user("u1", NULL);
    kit_watch(&k);
    kit_publish(&k, 1, NULL);
    k.b.unread = true;
    /* Both hang up, and both are answered, before either event is served. */
    close(fd[0]);
    close(fd[1]);
    bh_follow_tick(&k.b);
    bh_deliver_due(&k.b);
    ck_assert_int_eq(bh_loop_turn(&k.b.loop, 0), 0);
    kit_turn(&k);
    ck_assert_uint_eq(k.b.n_waiters, 0);
    kit_close(&k);
}
END_TEST

START_TEST(supersede_by_the_same_batch)
{
    struct bh_park p;
    int first, second;

    kit_open(&k, "");
    p = kit_park(&k);
    p.client_id = (struct bh_str){"tab", 3};
    first = kit_send(&k, &p);
    kit_watch(&k);
    close(first); /* its hang-up is pending while the new one arrives */
    second = kit_send(&k, &p);
    kit_turn(&k);
    ck_assert_uint_eq(k.b.n_waiters, 1);
    kit_watch(&k);
    close(second);
    kit_turn(&k);
    ck_assert_uint_eq(k.b.n_waiters, 0);
    kit_close(&k);
}
END_TEST

START_TEST(drain_answers_everybody)
{
    int fd[50];

    kit_open(&k, "waiters_per_user = 100");
    for (int i = 0; i < 50; i++) fd[i] = park_user("u1", NULL);
    bh_broker_drain(&k.b);
    for (int i = 0; i < 50; i++) {
        struct kit_answer a = kit_read(fd[i]);
        const char *retry = strstr(a.head, "Retry-After: ");

        ck_assert_int_eq(a.status, 200);
        ck_assert_int_eq(a.events, 0);
        ck_assert_ptr_nonnull(retry);
        ck_assert_int_le(atoi(retry + 13), 5);
        free(a.body);
    }
    ck_assert_uint_eq(k.b.n_waiters, 0);
    kit_close(&k);
}
END_TEST

/* Whichever allocation fails: the broker goes on, and nobody is stuck. */
START_TEST(out_of_memory)
{
    kit_open(&k, "coalesce_ms = 0");
    for (unsigned long n = 1; n < 60; n++) {
        struct bh_park p = kit_park(&k);
        int fd;

        kit_cursor(&k, &p, k.b.head);
        kit_filter(&p, "p1");
        bh_mem_fail_at(n);
        fd = kit_send(&k, &p);
        kit_publish(&k, 1, "p1");
        kit_turn(&k);
        kit_sleep(&k, BH_FOLLOW_STAT_MS); /* a log given up is opened again */
        kit_turn(&k);
        bool pending = bh_mem_fail_at(0);
        struct kit_answer a = kit_read(fd);
        /* Answered, turned away or hung up on; never left waiting. */
        ck_assert_int_ne(a.status, 0);
        free(a.body);
        ck_assert_uint_eq(k.b.n_waiters, 0);
        if (pending) break; /* it got by with fewer */
        ck_assert_uint_lt(n, 59);
    }
    kit_close(&k);
}
END_TEST

Suite *
check_deliver(void)
{
    Suite *s = suite_create("deliver");
    TCase *t = tcase_create("deliver");

    tcase_add_test(t, property_wakes_whom_it_concerns);
    tcase_add_test(t, another_org_hears_nothing);
    tcase_add_test(t, burst_costs_few_polls);
    tcase_add_test(t, burst_costs_few_polls_from_afar);
    tcase_add_test(t, the_hold_is_not_for_who_is_behind);
    tcase_add_test(t, lone_events_are_never_held);
    tcase_add_test(t, one_body_for_many);
    tcase_add_test(t, limits_turn_away);
    tcase_add_test(t, overloaded_keeps_the_position);
    tcase_add_test(t, no_room_for_a_cursor_of_another_log);
    tcase_add_test(t, no_room_for_another_channel);
    tcase_add_test(t, buffer_bytes_are_bounded);
    tcase_add_test(t, slow_reader_gets_it_all);
    tcase_add_test(t, reader_that_never_reads_is_dropped);
    tcase_add_test(t, freed_inside_its_own_batch);
    tcase_add_test(t, supersede_by_the_same_batch);
    tcase_add_test(t, drain_answers_everybody);
    tcase_add_test(t, out_of_memory);
    suite_add_tcase(s, t);
    return s;
}
