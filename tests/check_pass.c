/* check_pass.c: connections that a relay accepted: served like any other, and
 * what is no connection is refused without harm. */
#include "base.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fcgirec.h"
#include "fcgi/pass.h"
#include "sock.h"
#include "suites.h"
#include "workerkit.h"

static struct workerkit k;
static int web, relay; /* the two ends of a web server's connection */

static void
start(void)
{
    int pair[2];

    wk_open(&k);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair),
                     0);
    web = pair[0];
    relay = pair[1];
}

static void
finish(void)
{
    close(web);
    close(relay);
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

static int
live(void)
{
    return status_of(fcgi_ask(k.socket, "GET", "/healthz?live", NULL, NULL));
}

static void
write_request(int fd)
{
    struct bh_buf params = BH_BUF_INIT, all = BH_BUF_INIT;

    bh_fcgi_param(&params, "REQUEST_METHOD", "GET");
    bh_fcgi_param(&params, "SCRIPT_NAME", "/healthz");
    bh_fcgi_param(&params, "QUERY_STRING", "live");
    fcgi_add_begin(&all);
    fcgi_add_params(&all, &params);
    fcgi_add_stdin(&all, "", 0);
    fcgi_write(fd, &all);
    bh_buf_fini(&params);
    bh_buf_fini(&all);
}

/* The relay lets go of it at once; the answer comes from the worker. */
START_TEST(test_served)
{
    write_request(web);
    ck_assert_int_eq(bh_pass_on(relay, k.socket), 0);
    close(relay);
    ck_assert_int_eq(status_of(dup(web)), 200);
    relay = -1;
}
END_TEST

/* The request may come after the connection. */
START_TEST(test_served_later)
{
    ck_assert_int_eq(bh_pass_on(relay, k.socket), 0);
    close(relay); /* or the answer would have no end */
    relay = -1;
    write_request(web);
    ck_assert_int_eq(status_of(dup(web)), 200);
}
END_TEST

START_TEST(test_nobody_there)
{
    ck_assert_int_lt(bh_pass_on(relay, "/nowhere/worker.sock"), 0);
    write_request(web); /* and it is still the relay's */
    char first;
    ck_assert_int_eq(recv(relay, &first, 1, 0), 1);
    ck_assert_int_eq(first, 1);
}
END_TEST

/* Whatever else is passed, more of it than the worker has threads. */
static void
expect_refused(int fd)
{
    int before = wk_descriptors(&k);

    ck_assert_int_ge(fd, 0);
    for (int i = 0; i < 20; i++) ck_assert_int_eq(bh_pass_on(fd, k.socket), 0);
    close(fd);
    ck_assert_int_eq(live(), 200);
    for (int i = 0; wk_descriptors(&k) > before && i < 1000; i++) usleep(5000);
    ck_assert_int_le(wk_descriptors(&k), before);
}

START_TEST(test_no_connection)
{
    int pipes[2];

    ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
    expect_refused(pipes[0]);
    close(pipes[1]);
    expect_refused(open("/dev/zero", O_RDONLY | O_CLOEXEC));
    expect_refused(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    expect_refused(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}
END_TEST

START_TEST(test_a_listener)
{
    char path[128];

    snprintf(path, sizeof path, "%s/other.sock", k.dir);
    expect_refused(bh_sock_listen(path, SOCK_STREAM, 0600, 1));
    unlink(path);
}
END_TEST

/* The byte without a descriptor. */
START_TEST(test_nothing_passed)
{
    for (int i = 0; i < 20; i++) {
        int fd = fcgi_dial(k.socket);
        ck_assert_int_eq(send(fd, "", 1, MSG_NOSIGNAL), 1);
        close(fd);
    }
    ck_assert_int_eq(live(), 200);
}
END_TEST

Suite *
check_pass(void)
{
    Suite *s = suite_create("pass");
    TCase *c = tcase_create("pass");

    tcase_add_checked_fixture(c, start, finish);
    tcase_add_test(c, test_served);
    tcase_add_test(c, test_served_later);
    tcase_add_test(c, test_nobody_there);
    tcase_add_test(c, test_no_connection);
    tcase_add_test(c, test_a_listener);
    tcase_add_test(c, test_nothing_passed);
    suite_add_tcase(s, c);
    return s;
}
