/* check_queue.c: what a transaction takes: by counting, without a clock. */
#include "fcgi/queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suites.h"

static struct bh_queue queue;
static struct bh_link group;
static int next_id;

static void
start(void)
{
    bh_queue_init(&queue);
    bh_list_init(&group);
    next_id = 0;
}

static void
free_all(struct bh_link *list)
{
    bh_list_each_safe (l, next, list) {
        struct bh_job *job = bh_job_of(l);
        bh_list_del(l);
        free(job->batch.v);
        free(job);
    }
}

static void
finish(void)
{
    free_all(&queue.jobs);
    free_all(&group);
}

/* Queue a request of N events of ORG, which stays the caller's. Its
 * `queued_us` is its number. */
static void
put(const char *org, size_t n)
{
    struct bh_job *job = calloc(1, sizeof *job);

    ck_assert_ptr_nonnull(job);
    job->domain = (struct bh_str){"tasks", 5};
    job->batch.v = calloc(n, sizeof(struct bh_event));
    job->batch.n = n;
    for (size_t i = 0; i < n; i++)
        job->batch.v[i].org = (struct bh_str){org, strlen(org)};
    job->queued_us = next_id++;
    job->publisher = (struct bh_str){"p", 1};
    job->bytes = n;
    bh_queue_add(&queue, job);
}

/* Take, and say what: "org:number " of each. */
static const char *
take(bool left)
{
    static char out[16384];
    size_t len = 0;

    free_all(&group);
    bh_queue_take(&queue, &group, 0);
    ck_assert_int_eq(!bh_list_empty(&queue.jobs), left);
    out[0] = '\0';
    bh_list_each (l, &group) {
        struct bh_job *job = bh_job_of(l);
        ck_assert(job->taken);
        len += (size_t)snprintf(out + len, sizeof out - len, "%s:%d ",
                                job->batch.v[0].org.p, (int)job->queued_us);
    }
    return out;
}

START_TEST(test_empty)
{
    ck_assert_str_eq(take(false), "");
}
END_TEST

/* Eight full batches are in front of two singles: the singles go with the first
 * transaction, the batches one by one. */
START_TEST(test_flood)
{
    for (int i = 0; i < 4; i++) put("flood", 500);
    put("a", 1);
    for (int i = 0; i < 4; i++) put("flood", 500);
    put("b", 1);
    ck_assert_str_eq(take(true), "flood:0 a:4 b:9 ");
    for (int i = 1; i < 4; i++) {
        take(true);
        ck_assert_int_eq(bh_job_of(group.next)->queued_us, i);
        ck_assert(group.next == group.prev);
    }
    for (int i = 5; i < 8; i++) take(true);
    ck_assert_str_eq(take(false), "flood:8 ");
}
END_TEST

/* What has come during a long transaction doesn't wait for a second one; and
 * small ones, however many come, don't hold the large back. */
START_TEST(test_by_turns)
{
    for (int i = 0; i < 4; i++) put("flood", 500);
    ck_assert_str_eq(take(true), "flood:0 ");
    put("a", 1);
    put("b", 3);
    ck_assert_str_eq(take(true), "a:4 b:5 ");
    put("a", 1);
    ck_assert_str_eq(take(true), "flood:1 a:6 ");
    put("a", 5);
    put("a", 1);
    put("b", 1);
    ck_assert_str_eq(take(true), "a:7 b:9 ");
    put("flood", 1); /* doesn't pass what is before it */
    ck_assert_str_eq(take(true), "flood:2 a:8 ");
    ck_assert_str_eq(take(true), "flood:3 ");
    ck_assert_str_eq(take(false), "flood:10 ");
}
END_TEST

/* However fast it floods: the other's share of each transaction is there. */
START_TEST(test_flood_of_singles)
{
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 600; i++) put("flood", 1);
        put("a", 1);
        const char *taken = take(true);
        ck_assert_ptr_nonnull(strstr(taken, "a:"));
        free_all(&group);
    }
}
END_TEST

/* Within an org the order stays: nothing passes a request that was left. */
START_TEST(test_order)
{
    put("x", 300);
    put("x", 300);
    put("x", 1);
    put("x", 200);
    ck_assert_str_eq(take(true), "x:0 ");
    ck_assert_str_eq(take(true), "x:1 x:2 ");
    ck_assert_str_eq(take(false), "x:3 ");
}
END_TEST

/* Many that flood: two at a time, each in its turn. */
START_TEST(test_all_together)
{
    static char names[6][8];

    for (int i = 0; i < 12; i++) {
        snprintf(names[i % 6], sizeof names[0], "o%d", i % 6);
        put(names[i % 6], 500);
    }
    ck_assert_str_eq(take(true), "o0:0 o1:1 ");
    ck_assert_str_eq(take(true), "o2:2 o3:3 ");
    ck_assert_str_eq(take(true), "o4:4 o5:5 ");
    ck_assert_str_eq(take(true), "o0:6 o1:7 ");
}
END_TEST

/* More orgs than are told apart: the oldest go, the others next time. */
START_TEST(test_many_orgs)
{
    static char names[100][8];

    for (int i = 0; i < 100; i++) {
        snprintf(names[i], sizeof names[i], "o%d", i);
        put(names[i], 1);
        put(names[i], 1);
    }
    take(true);
    ck_assert_int_eq(bh_job_of(group.prev)->queued_us, 2 * BH_QUEUE_ORGS - 1);
    take(true); /* a short one */
    ck_assert_int_eq(bh_job_of(group.next)->queued_us, 2 * BH_QUEUE_ORGS);
    take(false);
    ck_assert_int_eq(bh_job_of(group.prev)->queued_us, 199);
}
END_TEST

START_TEST(test_domains_apart)
{
    put("x", 500);
    put("x", 500);
    bh_job_of(queue.jobs.prev)->domain = (struct bh_str){"rooms", 5};
    ck_assert_str_eq(take(false), "x:0 x:1 ");
}
END_TEST

static bool
has_room(const char *publisher, const char *org, size_t bytes)
{
    return bh_queue_has_room(&queue,
                             (struct bh_str){publisher, strlen(publisher)},
                             (struct bh_str){org, strlen(org)}, bytes);
}

/* The next transaction is taken at TAKEN and stored at DONE, microseconds. */
static void
run(int64_t taken, int64_t done)
{
    free_all(&group);
    bh_queue_take(&queue, &group, taken);
    bh_queue_done(&queue, done);
}

static size_t
events_taken(void)
{
    size_t n = 0;

    bh_list_each (l, &group) n += bh_job_of(l)->batch.n;
    return n;
}

static void
put_of(const char *publisher, const char *org, size_t n)
{
    put(org, n);
    bh_job_of(queue.jobs.prev)->publisher =
        (struct bh_str){publisher, strlen(publisher)};
}

/* Somebody else publishes singles: after a long transaction comes a time as
 * long in which only such are taken, at once, and then the next long one. */
START_TEST(test_rest)
{
    put_of("other", "calm", 1);
    run(100, 200);
    for (int i = 0; i < 3; i++) put("flood", 500);
    run(1000, 6000);
    ck_assert_uint_eq(events_taken(), 500);
    run(6000, 6000);
    ck_assert_uint_eq(events_taken(), 0);
    ck_assert_int_eq(bh_queue_timeout(&queue, 6000), 5);
    put_of("other", "calm", 1);
    ck_assert_int_eq(bh_queue_timeout(&queue, 7000), 0);
    run(7000, 8000);
    ck_assert_uint_eq(events_taken(), 1);
    run(8000, 8000);
    ck_assert_int_eq(bh_queue_timeout(&queue, 8000), 3);
    ck_assert_int_eq(bh_queue_timeout(&queue, 11000), 0);
    run(11000, 91000);
    ck_assert_uint_eq(events_taken(), 500);
    run(91000, 91000);
    ck_assert_int_eq(bh_queue_timeout(&queue, 91000), BH_QUEUE_REST_US / 1000);
}
END_TEST

/* A batch of many orgs is its publisher's, whose singles are no company. */
START_TEST(test_many)
{
    put("calm", 1);
    run(100, 200);
    for (int i = 0; i < 3; i++) {
        put("flood", 500);
        bh_job_of(queue.jobs.prev)->batch.v[499].org = (struct bh_str){"b", 1};
    }
    run(1000, 6000);
    run(6000, 11000);
    ck_assert_uint_eq(events_taken(), 500);
    put_of("other", "calm", 1);
    run(11000, 12000);
    run(12000, 17000);
    ck_assert_uint_eq(events_taken(), 500);
    ck_assert_int_eq(queue.rest_till, 22000);
}
END_TEST

/* When the credit is used up, long transactions of 5 ms come every half second,
 * and their publisher may have a few in the queue; others have room, and so has
 * it again when nobody else is there. */
START_TEST(test_credit)
{
    int64_t now = 1000;
    int n = 0;

    put_of("other", "calm", 1);
    run(100, 200);
    for (int i = 0; i < 60; i++) put("flood", 500);
    for (; !queue.throttled; n++) {
        ck_assert(has_room("p", "flood", 1));
        run(now, now + 5000);
        ck_assert_uint_eq(events_taken(), 500);
        now = queue.rest_till;
    }
    ck_assert_int_eq(n, BH_QUEUE_CREDIT_US / 5000 + 1);
    for (int i = 0; i < 3; i++) {
        int64_t before = now;
        queue.company_us = now;
        run(now, now + 5000);
        now = queue.rest_till;
        ck_assert_int_le(now - before, 505000);
        ck_assert_int_ge(now - before, 450000);
    }
    ck_assert(!has_room("p", "flood", 1));
    ck_assert(has_room("other", "calm", 1));
    now += BH_QUEUE_COMPANY_US;
    run(now, now + 5000);
    ck_assert(has_room("p", "flood", 1));
    ck_assert_int_eq(bh_queue_timeout(&queue, now + 5000), 0);
}
END_TEST

/* Nobody rests for the sake of one's own singles, nor for those of long ago. */
START_TEST(test_no_rest)
{
    put("flood", 1);
    run(100, 200);
    for (int i = 0; i < 4; i++) put("flood", 500);
    run(1000, 6000);
    run(6000, 11000);
    ck_assert_uint_eq(events_taken(), 500);
    put_of("other", "calm", 1);
    run(11000, 12000);
    ck_assert_uint_eq(events_taken(), 1);
    run(BH_QUEUE_COMPANY_US + 11000, BH_QUEUE_COMPANY_US + 16000);
    ck_assert_uint_eq(events_taken(), 500);
    ck_assert_int_eq(bh_queue_timeout(&queue, BH_QUEUE_COMPANY_US + 16000), 0);
}
END_TEST

/* Requests of ORG by PUBLISHER until there is no room; how many. */
static size_t
fill(const char *publisher, const char *org)
{
    size_t n = 0;

    for (; has_room(publisher, org, 1); n++) {
        put(org, 1);
        bh_job_of(queue.jobs.prev)->publisher =
            (struct bh_str){publisher, strlen(publisher)};
    }
    return n;
}

/* One takes half of the queue, the next half of the rest, and so on; the org
 * counts by whomever it is published, and so does the publisher. */
START_TEST(test_room)
{
    ck_assert_uint_eq(fill("p", "flood"), BH_QUEUE_JOBS / 2);
    ck_assert(!has_room("q", "flood", 1));
    ck_assert(!has_room("p", "other", 1));
    ck_assert_uint_eq(fill("q", "other"), BH_QUEUE_JOBS / 4);
    ck_assert_uint_eq(fill("r", "third"), BH_QUEUE_JOBS / 8);
    ck_assert(has_room("s", "fourth", 1));
    ck_assert_uint_eq(queue.n, BH_QUEUE_JOBS / 8 * 7);
    take(true);
    ck_assert_uint_eq(queue.n, queue.bytes);
    while (queue.n > 0) bh_queue_take(&queue, &group, 0);
    ck_assert_uint_eq(queue.bytes, 0);
}
END_TEST

/* So it is with bytes; but an empty queue takes whatever one request can have.
 */
START_TEST(test_room_bytes)
{
    ck_assert(has_room("p", "o", 2 * BH_QUEUE_BYTES));
    put("o", 1);
    queue.bytes = bh_job_of(queue.jobs.next)->bytes = BH_QUEUE_BYTES / 2;
    ck_assert(!has_room("p", "o", 1));
    ck_assert(has_room("q", "other", BH_QUEUE_BYTES / 2));
    ck_assert(!has_room("q", "other", BH_QUEUE_BYTES / 2 + 1));
    queue.bytes = bh_job_of(queue.jobs.next)->bytes = 2 * BH_QUEUE_BYTES;
    ck_assert(!has_room("q", "other", 0));
}
END_TEST

Suite *
check_queue(void)
{
    Suite *s = suite_create("queue");
    TCase *c = tcase_create("queue");

    tcase_add_checked_fixture(c, start, finish);
    tcase_add_test(c, test_empty);
    tcase_add_test(c, test_flood);
    tcase_add_test(c, test_by_turns);
    tcase_add_test(c, test_flood_of_singles);
    tcase_add_test(c, test_order);
    tcase_add_test(c, test_all_together);
    tcase_add_test(c, test_many_orgs);
    tcase_add_test(c, test_domains_apart);
    tcase_add_test(c, test_rest);
    tcase_add_test(c, test_no_rest);
    tcase_add_test(c, test_many);
    tcase_add_test(c, test_credit);
    tcase_add_test(c, test_room);
    tcase_add_test(c, test_room_bytes);
    suite_add_tcase(s, c);
    return s;
}
