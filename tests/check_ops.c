/* The broker's socket: who may speak, what is said, and what is nonsense. */
#include "base.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "brokerkit.h"
#include "proto.h"
#include "sock.h"
#include "suites.h"

static struct kit k;
static char path[96];

static void
setup(void)
{
    int fd;

    kit_open(&k, "");
    snprintf(path, sizeof path, "%s/b.sock", k.dir);
    fd = bh_sock_listen(path, SOCK_SEQPACKET, 0660, 16);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bh_conn_listen(&k.b, fd), 0);
}

static void
teardown(void)
{
    kit_close(&k);
}

static void
turn(void)
{
    kit_turn(&k);
    kit_turn(&k); /* accept in one, serve in the next */
}

static void
say(int fd, struct bh_buf *b)
{
    ck_assert(!b->failed);
    ck_assert_int_eq(bh_sock_send(fd, b->p, b->len, -1, MSG_DONTWAIT), 0);
    bh_buf_fini(b);
    turn();
}

/* The op of the next message, its fields in *R; 0 at the end, -1 if none. */
static int
hear(int fd, struct bh_reader *r)
{
    static unsigned char m[BH_MSG_MAX];
    int passed;
    ssize_t n = bh_sock_recv(fd, m, sizeof m, &passed, MSG_DONTWAIT);

    if (n == -EAGAIN) return -1;
    if (n <= 0) return 0;
    return bh_msg_open(r, m, (size_t)n);
}

static int
dial(void)
{
    struct bh_hello hello = {1, {"test", 4}};
    struct bh_buf b = BH_BUF_INIT;
    struct bh_welcome w;
    struct bh_reader r;
    int fd = bh_sock_dial(path, SOCK_SEQPACKET);

    ck_assert_int_ge(fd, 0);
    bh_hello_encode(&b, &hello);
    say(fd, &b);
    ck_assert_int_eq(hear(fd, &r), BH_OP_WELCOME);
    ck_assert(bh_welcome_decode(&r, &w));
    ck_assert_str_eq(w.log_id, bh_store_log_id(k.log));
    ck_assert_int_eq(w.head, k.b.head);
    return fd;
}

/* What is left to hear is an error, then the end. */
static void
expect_error(int fd)
{
    struct bh_reader r;

    turn();
    ck_assert_int_eq(hear(fd, &r), BH_OP_ERROR);
    ck_assert_int_eq(hear(fd, &r), 0);
    ck_assert_uint_eq(k.b.n_conns, 0);
    close(fd);
}

START_TEST(greets)
{
    close(dial());
    turn();
    ck_assert_uint_eq(k.b.n_conns, 0);
}
END_TEST

START_TEST(first_word_must_be_hello)
{
    struct bh_buf b = BH_BUF_INIT;
    struct bh_ping m = {1};
    int fd = bh_sock_dial(path, SOCK_SEQPACKET);

    bh_ping_encode(&b, BH_OP_PING, &m);
    say(fd, &b);
    expect_error(fd);
}
END_TEST

START_TEST(another_version_is_refused)
{
    struct bh_buf b = BH_BUF_INIT;
    struct bh_hello hello = {1, {"test", 4}};
    int fd = bh_sock_dial(path, SOCK_SEQPACKET);

    bh_hello_encode(&b, &hello);
    b.p[0]++;
    say(fd, &b);
    expect_error(fd);
}
END_TEST

START_TEST(nonsense_is_refused)
{
    static const char *const nonsense[] = {
        "\x01",      "\x01\x63", "\x01\x05xyz",
        "\x01\x03z", "\x01\x02", "GET / HTTP/1.1\r\n\r\n"};

    for (size_t i = 0; i < bh_countof(nonsense); i++) {
        struct bh_buf b = BH_BUF_INIT;
        int fd = dial();

        bh_buf_str(&b, nonsense[i]);
        say(fd, &b);
        expect_error(fd);
    }
    ck_assert_uint_eq(k.b.stats.bad_messages, bh_countof(nonsense));
}
END_TEST

START_TEST(message_that_is_too_long)
{
    static char big[BH_MSG_MAX + 1] = {1, BH_OP_PING};
    int fd = dial();

    ck_assert_int_eq(bh_sock_send(fd, big, sizeof big, -1, 0), 0);
    turn();
    ck_assert_uint_eq(k.b.n_conns, 0);
    close(fd);
}
END_TEST

START_TEST(ping_pong)
{
    struct bh_buf b = BH_BUF_INIT;
    struct bh_ping m = {77};
    struct bh_reader r;
    int fd = dial();

    bh_ping_encode(&b, BH_OP_PING, &m);
    say(fd, &b);
    ck_assert_int_eq(hear(fd, &r), BH_OP_PONG);
    ck_assert(bh_ping_decode(&r, &m));
    ck_assert_uint_eq(m.tag, 77);
    close(fd);
}
END_TEST

/* Hand over a request of USER's; returns the web server's end. */
static int
send_park(int fd, const char *user)
{
    struct bh_park p = kit_park(&k);
    struct bh_buf b = BH_BUF_INIT;
    int pair[2];

    p.user = (struct bh_str){user, strlen(user)};
    kit_cursor(&k, &p, k.b.head);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    bh_park_encode(&b, &p);
    ck_assert(!b.failed);
    ck_assert_int_eq(bh_sock_send(fd, b.p, b.len, pair[0], MSG_DONTWAIT), 0);
    bh_buf_fini(&b);
    close(pair[0]);
    return pair[1];
}

static int
park_by(int fd, const char *user)
{
    int poll = send_park(fd, user);

    turn();
    return poll;
}

/* More than are served in one turn: a worker that has handed a request over
 * doesn't know that nobody took it. */
START_TEST(what_was_handed_over_is_answered_at_the_end)
{
    enum { N = 100 };
    int worker = dial(), polls[N];
    char user[16];

    for (int i = 0; i < N; i++) {
        snprintf(user, sizeof user, "u%d", i);
        polls[i] = send_park(worker, user);
    }
    bh_broker_drain(&k.b);
    for (int i = 0; i < N; i++) {
        struct kit_answer a = kit_read(polls[i]);

        ck_assert_int_eq(a.status, 200);
        ck_assert_ptr_nonnull(strstr(a.head, "Retry-After: "));
        free(a.body);
    }
    close(worker);
}
END_TEST

START_TEST(note_tells_how_many_were_woken)
{
    struct bh_buf b = BH_BUF_INIT;
    struct bh_note m = {5, 1, 3};
    struct bh_noted noted;
    struct bh_reader r;
    int fd = dial(), poll1 = park_by(fd, "u1"), poll2 = park_by(fd, "u2");

    ck_assert_uint_eq(k.b.n_waiters, 2);
    kit_publish(&k, 3, NULL);
    bh_note_encode(&b, &m);
    say(fd, &b);
    ck_assert_int_eq(hear(fd, &r), BH_OP_NOTED);
    ck_assert(bh_noted_decode(&r, &noted));
    ck_assert_uint_eq(noted.tag, 5);
    ck_assert_uint_eq(noted.n, 3);
    for (int i = 0; i < 3; i++) ck_assert_uint_eq(bh_read_u32(&r), 2);
    struct kit_answer a = kit_read(poll1);
    ck_assert_int_eq(a.events, 3);
    free(a.body);
    close(poll2);
    close(fd);
    turn();
}
END_TEST

/* A publisher whose note waits when the broker leaves. */
START_TEST(note_is_answered_at_the_end)
{
    struct bh_buf b = BH_BUF_INIT;
    struct bh_note m = {6, 1, 3};
    struct bh_noted noted;
    struct bh_reader r;
    int fd = dial(), poll = park_by(fd, "u1");

    kit_publish(&k, 3, NULL);
    bh_note_encode(&b, &m);
    ck_assert_int_eq(bh_sock_send(fd, b.p, b.len, -1, MSG_DONTWAIT), 0);
    bh_buf_fini(&b);
    bh_broker_drain(&k.b);
    ck_assert_int_eq(hear(fd, &r), BH_OP_NOTED);
    ck_assert(bh_noted_decode(&r, &noted));
    for (int i = 0; i < 3; i++) ck_assert_uint_eq(bh_read_u32(&r), 1);
    ck_assert_int_eq(hear(fd, &r), 0);
    struct kit_answer a = kit_read(poll);
    ck_assert_int_eq(a.events, 3);
    free(a.body);
    close(fd);
}
END_TEST

START_TEST(note_for_rows_that_never_come)
{
    struct bh_buf b = BH_BUF_INIT;
    struct bh_note m = {5, 1000, 1000};
    struct bh_reader r;
    int fd = dial();

    k.b.conf->worker.broker_timeout_ms = 20000;
    bh_note_encode(&b, &m);
    say(fd, &b);
    ck_assert_uint_eq(k.b.n_notes, 1);
    kit_sleep(&k, 20000);
    turn();
    ck_assert_uint_eq(k.b.n_notes, 1);
    kit_sleep(&k, 1001);
    turn();
    ck_assert_uint_eq(k.b.n_notes, 0);
    ck_assert_int_eq(hear(fd, &r), -1);
    close(fd);
    turn();
}
END_TEST

START_TEST(worker_dies_with_a_note_out)
{
    struct bh_buf b = BH_BUF_INIT;
    struct bh_note m = {5, 1000, 1000};
    int fd = dial();

    bh_note_encode(&b, &m);
    say(fd, &b);
    close(fd);
    turn();
    ck_assert_uint_eq(k.b.n_notes, 0);
    ck_assert_uint_eq(k.b.n_conns, 0);
}
END_TEST

START_TEST(waiters_outlive_their_worker)
{
    int fd = dial(), poll = park_by(fd, "u1");

    close(fd);
    turn();
    ck_assert_uint_eq(k.b.n_waiters, 1);
    kit_publish(&k, 1, NULL);
    turn();
    struct kit_answer a = kit_read(poll);
    ck_assert_int_eq(a.events, 1);
    free(a.body);
}
END_TEST

START_TEST(park_without_a_connection)
{
    struct bh_park p = kit_park(&k);
    struct bh_buf b = BH_BUF_INIT;
    int fd = dial();

    bh_park_encode(&b, &p);
    say(fd, &b);
    expect_error(fd);
}
END_TEST

/* What systemd has heard; "" if nothing. */
static const char *
heard(int fd)
{
    static char got[64];
    ssize_t n = recv(fd, got, sizeof got - 1, MSG_DONTWAIT);

    got[n > 0 ? n : 0] = '\0';
    return got;
}

START_TEST(watchdog_hears_of_the_loop)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    kit_close(&k);
    snprintf(a.sun_path, sizeof a.sun_path, "/tmp/bellhop-ops.%ld",
             (long)getpid());
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    setenv("NOTIFY_SOCKET", a.sun_path, 1);
    setenv("WATCHDOG_USEC", "1000000", 1);
    unsetenv("WATCHDOG_PID");
    kit_open(&k, "");
    ck_assert_str_eq(heard(fd), "WATCHDOG=1");
    kit_sleep(&k, 499);
    ck_assert_int_le(bh_broker_before_wait(&k.b), 1);
    ck_assert_str_eq(heard(fd), "");
    kit_sleep(&k, 1);
    bh_broker_before_wait(&k.b);
    ck_assert_str_eq(heard(fd), "WATCHDOG=1");
    ck_assert_str_eq(heard(fd), "");
    unlink(a.sun_path);
    close(fd);
}
END_TEST

/* The limit can't be raised again: in a process of its own. */
START_TEST(has_no_more_room_than_descriptors)
{
    const struct rlimit few = {100, 100};
    int status;
    pid_t child = fork();

    if (child == 0) {
        struct kit small;
        if (setrlimit(RLIMIT_NOFILE, &few) < 0) _exit(1);
        kit_open(&small, "");
        size_t room = small.b.max_waiters;
        kit_close(&small);
        _exit(room == 50 ? 0 : 2);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(pauses_when_descriptors_run_out)
{
    struct rlimit l, low;
    int fd;

    getrlimit(RLIMIT_NOFILE, &l);
    fd = bh_sock_dial(path, SOCK_SEQPACKET);
    low = l;
    int probe = dup(0);
    close(probe);
    low.rlim_cur = (rlim_t)probe; /* not one more */
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
    kit_turn(&k);
    ck_assert(!k.b.listening);
    ck_assert_uint_eq(k.b.n_conns, 0);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &l), 0);
    kit_sleep(&k, 1000);
    kit_turn(&k);
    turn();
    ck_assert(k.b.listening);
    ck_assert_uint_eq(k.b.n_conns, 1);
    close(fd);
    turn();
}
END_TEST

Suite *
check_ops(void)
{
    Suite *s = suite_create("ops");
    TCase *t = tcase_create("ops");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, greets);
    tcase_add_test(t, first_word_must_be_hello);
    tcase_add_test(t, another_version_is_refused);
    tcase_add_test(t, nonsense_is_refused);
    tcase_add_test(t, message_that_is_too_long);
    tcase_add_test(t, ping_pong);
    tcase_add_test(t, what_was_handed_over_is_answered_at_the_end);
    tcase_add_test(t, note_tells_how_many_were_woken);
    tcase_add_test(t, note_is_answered_at_the_end);
    tcase_add_test(t, note_for_rows_that_never_come);
    tcase_add_test(t, worker_dies_with_a_note_out);
    tcase_add_test(t, waiters_outlive_their_worker);
    tcase_add_test(t, park_without_a_connection);
    tcase_add_test(t, watchdog_hears_of_the_loop);
    tcase_add_test(t, has_no_more_room_than_descriptors);
    tcase_add_test(t, pauses_when_descriptors_run_out);
    suite_add_tcase(s, t);
    return s;
}
