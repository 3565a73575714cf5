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

/* Whoever has just found nobody there finds the one that comes after. */
START_TEST(one_that_has_started_is_found_at_once)
{
    struct bh_wire *w = bh_wire_new(path);

    close(listener);
    ck_assert_int_eq(bh_wire_send(w, &ping, -1), -ENOTCONN);
    unlink(path);
    ck_assert_int_eq(bh_wire_send(w, &ping, -1), -ENOTCONN);
    listener = bh_sock_listen(path, SOCK_SEQPACKET, 0600, 4);
    pthread_t thread = welcomer();
    ck_assert_int_eq(bh_wire_send(w, &ping, -1), 0);
    pthread_join(thread, NULL);
    bh_wire_free(w);
}
END_TEST

START_TEST(only_a_failure_that_costs_is_paused_after)
{
    ck_assert_int_eq(bh_wire_retry(3), 0);
    ck_assert_int_eq(bh_wire_retry(-ECONNREFUSED), 0);
    ck_assert_int_eq(bh_wire_retry(-ENOENT), 0);
    ck_assert_int_gt(bh_wire_retry(-EAGAIN), 0);
    ck_assert_int_gt(bh_wire_retry(-EPROTO), 0);
}
END_TEST

/* The first that finds it so waits for a quarter of a second; forty that did
 * would take ten. */
START_TEST(few_wait_for_one_that_does_not_read)
{
    struct bh_wire *w = bh_wire_new(path);
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
    tcase_add_test(t, only_a_failure_that_costs_is_paused_after);
    tcase_add_test(t, few_wait_for_one_that_does_not_read);
    suite_add_tcase(s, t);
    return s;
}
