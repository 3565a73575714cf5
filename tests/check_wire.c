/* check_wire.c: the connection to a broker that comes, goes or stops reading.
 */
#include "fcgi/wire.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "sock.h"
#include "suites.h"

#define WAIT_MS 1000

static char dir[64], path[96];
static int listener, broker; /* the broker's end */
static struct bh_buf ping;

/* It says WELCOME, and nothing more. */
static void *
welcome(void *arg)
{
    struct bh_welcome w = {.head = 0};
    struct bh_buf msg = BH_BUF_INIT;

    broker = accept(listener, NULL, NULL);
    bh_welcome_encode(&msg, &w);
    bh_sock_send(broker, msg.p, msg.len, -1, 0);
    bh_buf_fini(&msg);
    return arg;
}

static void
setup(void)
{
    struct bh_ping m = {1};

    strcpy(dir, "/tmp/bellhop-wire.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/b.sock", dir);
    listener = bh_sock_listen(path, SOCK_SEQPACKET, 0600, 4);
    ck_assert_int_ge(listener, 0);
    bh_ping_encode(&ping, BH_OP_PING, &m);
}

static void
teardown(void)
{
    bh_buf_fini(&ping);
    close(broker);
    close(listener);
    unlink(path);
    rmdir(dir);
}

static pthread_t
welcomer(void)
{
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, welcome, NULL), 0);
    return thread;
}

/* Another broker starts, and W reaches it. */
static void
expect_the_next(struct bh_wire *w)
{
    listener = bh_sock_listen(path, SOCK_SEQPACKET, 0600, 4);
    pthread_t thread = welcomer();
    ck_assert_int_eq(bh_wire_send(w, &ping, -1), 0);
    pthread_join(thread, NULL);
}

/* Whoever has just found nobody there finds the one that comes after. */
START_TEST(one_that_has_started_is_found_at_once)
{
    struct bh_wire *w = bh_wire_new(path, WAIT_MS);

    close(listener);
    ck_assert_int_eq(bh_wire_send(w, &ping, -1), -ENOTCONN);
    unlink(path);
    ck_assert_int_eq(bh_wire_send(w, &ping, -1), -ENOTCONN);
    expect_the_next(w);
    bh_wire_free(w);
}
END_TEST

/* One that is there, but answers late, as on a machine with much to do: whom it
 * has kept waiting it welcomes before anybody who comes later. */
START_TEST(one_that_answers_late_is_found_at_once)
{
    struct bh_wire *w = bh_wire_new(path, WAIT_MS);

    ck_assert_int_eq(bh_wire_send(w, &ping, -1), -ENOTCONN);
    ck_assert_int_eq(bh_wire_send(w, &ping, -1), -ENOTCONN);
    pthread_join(welcomer(), NULL);
    ck_assert_int_eq(bh_wire_send(w, &ping, -1), 0);
    bh_wire_free(w);
}
END_TEST

START_TEST(one_that_ends_before_it_answers_makes_way_for_the_next)
{
    struct bh_wire *w = bh_wire_new(path, WAIT_MS);

    ck_assert_int_eq(bh_wire_send(w, &ping, -1), -ENOTCONN);
    close(listener);
    expect_the_next(w);
    bh_wire_free(w);
}
END_TEST

static void *
refuse(void *arg)
{
    struct bh_buf msg = BH_BUF_INIT;

    broker = accept(listener, NULL, NULL);
    bh_error_encode(&msg, "no");
    bh_sock_send(broker, msg.p, msg.len, -1, 0);
    bh_buf_fini(&msg);
    return arg;
}

START_TEST(one_that_refuses_is_left_alone_for_a_while)
{
    struct bh_dial d;
    pthread_t thread;

    bh_dial_init(&d, path, WAIT_MS);
    ck_assert_int_eq(pthread_create(&thread, NULL, refuse, NULL), 0);
    ck_assert_int_eq(bh_dial(&d), -EPROTO);
    pthread_join(thread, NULL);
    ck_assert_int_gt(d.pause_till, 0);
    ck_assert_int_lt(d.fd, 0);
    bh_dial_fini(&d);
}
END_TEST

/* The first that finds it so waits for a quarter of a second; forty that did
 * would take ten. */
START_TEST(few_wait_for_one_that_does_not_read)
{
    struct bh_wire *w = bh_wire_new(path, WAIT_MS);
    pthread_t thread = welcomer();
    char waste[64];
    int rc;

    ck_assert_int_eq(bh_wire_send(w, &ping, -1), 0);
    pthread_join(thread, NULL);
    while ((rc = bh_wire_send(w, &ping, -1)) == 0) continue;
    ck_assert_int_eq(rc, -EAGAIN);
    int64_t began = bh_now_ms();
    for (int i = 0; i < 40; i++)
        ck_assert_int_eq(bh_wire_send(w, &ping, -1), -EAGAIN);
    ck_assert_int_lt(bh_now_ms() - began, 5000);
    /* It reads again: all is as before. */
    while (recv(broker, waste, sizeof waste, MSG_DONTWAIT) > 0) continue;
    ck_assert_int_eq(bh_wire_send(w, &ping, -1), 0);
    bh_wire_free(w);
}
END_TEST

Suite *
check_wire(void)
{
    Suite *s = suite_create("wire");
    TCase *t = tcase_create("wire");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, one_that_has_started_is_found_at_once);
    tcase_add_test(t, one_that_answers_late_is_found_at_once);
    tcase_add_test(t, one_that_ends_before_it_answers_makes_way_for_the_next);
    tcase_add_test(t, one_that_refuses_is_left_alone_for_a_while);
    tcase_add_test(t, few_wait_for_one_that_does_not_read);
    suite_add_tcase(s, t);
    return s;
}
