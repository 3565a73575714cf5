/* check_slow.c: an answer that isn't taken at once: all of it arrives, nobody
 * waits for it, and no thread is left. */
#include "fcgi/slow.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "fcgi/worker.h"
#include "suites.h"

#define SIZE   (4 * 1024 * 1024)
#define WITHIN 60000 /* ms, far more than it takes */

static struct bh_worker worker;
static int pair[2];

static void
start(void)
{
    memset(&worker, 0, sizeof worker);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
}

static void
finish(void)
{
    int64_t deadline = bh_now_ms() + WITHIN;

    close(pair[0]);
    while (bh_slow_threads(&worker) > 0) {
        ck_assert_int_lt(bh_now_ms(), deadline);
        poll(NULL, 0, 1);
    }
}

/* SIZE bytes, as the caller's own descriptor that is closed at once. */
static void
send_all(size_t size, int timeout_ms)
{
    struct bh_buf bytes = BH_BUF_INIT;
    char *p = bh_buf_reserve(&bytes, size);

    ck_assert_ptr_nonnull(p);
    for (size_t i = 0; i < size; i++) p[i] = (char)(i % 251);
    bytes.len = size;
    bh_slow_send(&worker, pair[1], &bytes, timeout_ms);
    bh_buf_fini(&bytes);
    close(pair[1]);
}

/* Until the end; all must be as it was sent. */
static size_t
receive(void)
{
    unsigned char part[65536];
    size_t n = 0;
    ssize_t got;

    while ((got = recv(pair[0], part, sizeof part, 0)) > 0)
        for (ssize_t i = 0; i < got; i++, n++)
            ck_assert_uint_eq(part[i], n % 251);
    ck_assert_int_eq(got, 0);
    return n;
}

START_TEST(test_small)
{
    send_all(1000, WITHIN);
    ck_assert_int_eq(bh_slow_threads(&worker), 0);
    ck_assert_uint_eq(receive(), 1000);
}
END_TEST

START_TEST(test_large)
{
    send_all(SIZE, WITHIN);
    ck_assert_int_eq(bh_slow_threads(&worker), 1);
    ck_assert_uint_eq(receive(), SIZE);
}
END_TEST

/* Nobody reads: it is given up, and the connection ends. */
START_TEST(test_given_up)
{
    int64_t deadline = bh_now_ms() + WITHIN;

    send_all(SIZE, 20);
    while (bh_slow_threads(&worker) > 0) {
        ck_assert_int_lt(bh_now_ms(), deadline);
        poll(NULL, 0, 1);
    }
    ck_assert_uint_lt(receive(), SIZE);
}
END_TEST

START_TEST(test_gone)
{
    close(pair[0]);
    send_all(SIZE, WITHIN);
    ck_assert_int_eq(bh_slow_threads(&worker), 0);
    pair[0] = -1;
}
END_TEST

Suite *
check_slow(void)
{
    Suite *s = suite_create("slow");
    TCase *c = tcase_create("slow");

    tcase_add_checked_fixture(c, start, finish);
    tcase_add_test(c, test_small);
    tcase_add_test(c, test_large);
    tcase_add_test(c, test_given_up);
    tcase_add_test(c, test_gone);
    suite_add_tcase(s, c);
    return s;
}
