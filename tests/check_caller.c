/* check_caller.c: what is said to the broker, and what is heard from it. */
#include "caller.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sock.h"
#include "suites.h"

static int here, there;
static char packet[BH_MSG_MAX];
static struct bh_reader r;

static void
setup(void)
{
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    here = pair[0];
    there = pair[1];
}

static void
teardown(void)
{
    close(here);
    close(there);
}

static int
hear(void)
{
    return bh_hear(here, packet, sizeof packet, &r, MSG_DONTWAIT);
}

START_TEST(hello_says_who_calls)
{
    struct bh_hello hello;

    ck_assert_int_eq(bh_say_hello(there, "tester"), 0);
    ck_assert_int_eq(hear(), BH_OP_HELLO);
    ck_assert(bh_hello_decode(&r, &hello));
    ck_assert_int_eq((int)hello.pid, getpid());
    ck_assert_uint_eq(hello.program.len, 6);
}
END_TEST

START_TEST(nothing_is_heard)
{
    ck_assert_int_eq(hear(), -EAGAIN);
    ck_assert_int_eq(bh_sock_send(there, "GET /", 5, -1, 0), 0);
    ck_assert_int_eq(hear(), 0);
    close(there);
    there = -1;
    ck_assert_int_eq(hear(), -ECONNRESET);
    ck_assert_int_eq(bh_say_hello(here, "tester"), -EPIPE);
}
END_TEST

/* Nobody hands a caller a descriptor; one that comes is not kept. */
START_TEST(a_descriptor_is_closed)
{
    struct bh_buf m = BH_BUF_INIT;
    int ends[2];
    char byte;

    ck_assert_int_eq(pipe(ends), 0);
    bh_error_encode(&m, "take this");
    ck_assert_int_eq(bh_sock_send(there, m.p, m.len, ends[1], 0), 0);
    bh_buf_fini(&m);
    close(ends[1]);
    ck_assert_int_eq(hear(), BH_OP_ERROR);
    ck_assert_int_eq(read(ends[0], &byte, 1), 0);
    close(ends[0]);
}
END_TEST

START_TEST(what_has_no_memory_is_not_said)
{
    struct bh_buf m = BH_BUF_INIT;

    bh_error_encode(&m, "half of it");
    m.failed = true;
    ck_assert_int_eq(bh_say(there, &m), -ENOMEM);
    ck_assert_ptr_null(m.p);
    ck_assert_int_eq(hear(), -EAGAIN);
}
END_TEST

Suite *
check_caller(void)
{
    Suite *s = suite_create("caller");
    TCase *c = tcase_create("caller");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, hello_says_who_calls);
    tcase_add_test(c, nothing_is_heard);
    tcase_add_test(c, a_descriptor_is_closed);
    tcase_add_test(c, what_has_no_memory_is_not_said);
    suite_add_tcase(s, c);
    return s;
}
