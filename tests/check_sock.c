#include "sock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suites.h"

static char dir[64], path[100];
static int pair[2];

static void
setup(void)
{
    snprintf(dir, sizeof dir, "/tmp/check_sock.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/socket", dir);
    ck_assert_int_eq(
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
}

static void
teardown(void)
{
    close(pair[0]);
    close(pair[1]);
    unlink(path);
    rmdir(dir);
}

static bool
is_cloexec(int fd)
{
    return fcntl(fd, F_GETFD) & FD_CLOEXEC;
}

/* ---- listen and dial ---- */

START_TEST(listens_with_its_mode)
{
    mode_t before = umask(022);
    int fd = bh_sock_listen(path, SOCK_SEQPACKET, 0660, 16);
    mode_t after = umask(before);
    struct stat st;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(after, 022);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0660);
    ck_assert(bh_sock_is_listener(fd));
    ck_assert(is_cloexec(fd));
    close(fd);
}
END_TEST

START_TEST(dials_and_knows_its_peer)
{
    int ls = bh_sock_listen(path, SOCK_SEQPACKET, 0600, 16);
    int client = bh_sock_dial(path, SOCK_SEQPACKET);
    int server = accept4(ls, NULL, NULL, SOCK_CLOEXEC);
    struct bh_peer peer;
    int passed;
    char got[8];

    ck_assert_int_ge(client, 0);
    ck_assert(is_cloexec(client));
    ck_assert(!bh_sock_is_listener(client));
    struct timeval limit = {9, 9};
    socklen_t size = sizeof limit;
    getsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &limit, &size);
    ck_assert_int_eq(limit.tv_sec + limit.tv_usec, 0);
    ck_assert_int_eq(bh_sock_peer(server, &peer), 0);
    ck_assert_int_eq(peer.pid, getpid());
    ck_assert_int_eq(peer.uid, getuid());
    ck_assert_int_eq(peer.gid, getgid());
    ck_assert_int_eq(bh_sock_send(client, "hi", 2, -1, 0), 0);
    ck_assert_int_eq(bh_sock_recv(server, got, sizeof got, &passed, 0), 2);
    close(client);
    close(server);
    close(ls);
}
END_TEST

START_TEST(nobody_there)
{
    ck_assert_int_eq(bh_sock_dial(path, SOCK_SEQPACKET), -ENOENT);
    close(bh_sock_listen(path, SOCK_SEQPACKET, 0600, 1));
    ck_assert_int_eq(bh_sock_dial(path, SOCK_SEQPACKET), -ECONNREFUSED);
    ck_assert_int_eq(bh_sock_dial("", SOCK_SEQPACKET), -EINVAL);
}
END_TEST

/* A listener that doesn't accept holds nobody for long. */
START_TEST(a_full_backlog)
{
    int ls = bh_sock_listen(path, SOCK_SEQPACKET, 0600, 0), fds[8], n = 0;

    do fds[n] = bh_sock_dial(path, SOCK_SEQPACKET);
    while (fds[n] >= 0 && ++n < 8);
    ck_assert_int_lt(n, 8);
    ck_assert_int_eq(fds[n], -EAGAIN);
    ck_assert_int_eq(bh_sock_listen(path, SOCK_SEQPACKET, 0600, 0),
                     -EADDRINUSE);
    while (n > 0) close(fds[--n]);
    close(ls);
}
END_TEST

START_TEST(a_stale_socket_is_replaced)
{
    close(bh_sock_listen(path, SOCK_STREAM, 0600, 16));
    int fd = bh_sock_listen(path, SOCK_STREAM, 0600, 16);

    ck_assert_int_ge(fd, 0);
    int client = bh_sock_dial(path, SOCK_STREAM);
    ck_assert_int_ge(client, 0);
    close(client);
    close(fd);
}
END_TEST

START_TEST(a_live_socket_is_left)
{
    int fd = bh_sock_listen(path, SOCK_SEQPACKET, 0600, 16);

    ck_assert_int_eq(bh_sock_listen(path, SOCK_SEQPACKET, 0600, 16),
                     -EADDRINUSE);
    ck_assert_int_eq(bh_sock_listen(path, SOCK_STREAM, 0600, 16), -EADDRINUSE);
    int client = bh_sock_dial(path, SOCK_SEQPACKET);
    ck_assert_int_ge(client, 0);
    close(client);
    close(fd);
}
END_TEST

START_TEST(another_file_is_left)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    ck_assert_int_eq(write(fd, "mine", 4), 4);
    close(fd);
    ck_assert_int_eq(bh_sock_listen(path, SOCK_STREAM, 0600, 16), -EEXIST);
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_size, 4);
}
END_TEST

START_TEST(paths_have_a_limit)
{
    char longest[sizeof((struct sockaddr_un *)0)->sun_path + 1];

    memset(longest, 'x', sizeof longest);
    memcpy(longest, dir, strlen(dir));
    longest[strlen(dir)] = '/';
    longest[sizeof longest - 1] = '\0';
    ck_assert_int_eq(bh_sock_listen(longest, SOCK_STREAM, 0600, 1),
                     -ENAMETOOLONG);
    ck_assert_int_eq(bh_sock_dial(longest, SOCK_STREAM), -ENAMETOOLONG);
    longest[sizeof longest - 2] = '\0';
    int fd = bh_sock_listen(longest, SOCK_STREAM, 0600, 1);
    ck_assert_int_ge(fd, 0);
    close(fd);
    unlink(longest);
    ck_assert_int_eq(bh_sock_listen("/nowhere/at/all", SOCK_STREAM, 0600, 1),
                     -ENOENT);
}
END_TEST

/* ---- messages ---- */

START_TEST(messages_keep_their_boundaries)
{
    char got[16];
    int passed = 77;

    ck_assert_int_eq(bh_sock_send(pair[0], "one", 3, -1, 0), 0);
    ck_assert_int_eq(bh_sock_send(pair[0], "second", 6, -1, 0), 0);
    ck_assert_int_eq(bh_sock_recv(pair[1], got, sizeof got, &passed, 0), 3);
    ck_assert_mem_eq(got, "one", 3);
    ck_assert_int_eq(passed, -1);
    ck_assert_int_eq(bh_sock_recv(pair[1], got, sizeof got, &passed, 0), 6);
    ck_assert_int_eq(
        bh_sock_recv(pair[1], got, sizeof got, &passed, MSG_DONTWAIT), -EAGAIN);
    ck_assert_int_eq(bh_sock_send(pair[0], "", 0, -1, 0), -EINVAL);
    shutdown(pair[0], SHUT_WR);
    ck_assert_int_eq(bh_sock_recv(pair[1], got, sizeof got, &passed, 0), 0);
    ck_assert_int_eq(passed, -1);
}
END_TEST

START_TEST(a_closed_peer_is_no_signal)
{
    close(pair[1]);
    ck_assert_int_eq(bh_sock_send(pair[0], "x", 1, -1, 0), -EPIPE);
    pair[1] = -1;
}
END_TEST

START_TEST(a_full_queue_and_a_large_message)
{
    static char large[1 << 20];
    int rc, n = 0;

    ck_assert_int_eq(bh_sock_send(pair[0], large, sizeof large, -1, 0),
                     -EMSGSIZE);
    ck_assert_int_eq(bh_sock_nonblock(pair[0]), 0);
    do rc = bh_sock_send(pair[0], "x", 1, -1, 0);
    while (rc == 0 && ++n < 100000);
    ck_assert_int_eq(rc, -EAGAIN);
    ck_assert_int_gt(n, 10);
}
END_TEST

START_TEST(timeouts_end_a_wait)
{
    char got[4];
    int passed;

    ck_assert_int_eq(bh_sock_timeouts(pair[1], 20), 0);
    ck_assert_int_eq(bh_sock_recv(pair[1], got, sizeof got, &passed, 0),
                     -EAGAIN);
}
END_TEST

/* Whether the read end of a pipe has seen its last write end close. */
static bool
at_end(int fd)
{
    struct pollfd p = {fd, POLLIN, 0};

    return poll(&p, 1, 0) == 1 && (p.revents & POLLHUP) != 0;
}

START_TEST(passes_a_descriptor)
{
    int ends[2], passed;
    char got[8];

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    ck_assert_int_eq(bh_sock_send(pair[0], "take", 4, ends[1], 0), 0);
    close(ends[1]);
    ck_assert_int_eq(bh_sock_recv(pair[1], got, sizeof got, &passed, 0), 4);
    ck_assert_int_ge(passed, 0);
    ck_assert(is_cloexec(passed));
    ck_assert_int_eq(write(passed, "x", 1), 1);
    ck_assert_int_eq(read(ends[0], got, 1), 1);
    ck_assert(!at_end(ends[0]));
    close(passed);
    ck_assert(at_end(ends[0]));
    close(ends[0]);
}
END_TEST

/* Send one byte with N descriptors, which bh_sock_send can't. */
static void
send_many(int fd, const int *fds, size_t n)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(16 * sizeof(int))];
    } control = {0};
    struct iovec iov = {(char[]){'x'}, 1};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = CMSG_SPACE(n * sizeof(int))};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(n * sizeof(int));
    memcpy(CMSG_DATA(c), fds, n * sizeof(int));
    ck_assert_int_eq(sendmsg(fd, &m, 0), 1);
}

START_TEST(further_descriptors_are_closed)
{
    int a[2], b[2], c[2], passed;
    char got[8];

    ck_assert_int_eq(
        pipe2(a, O_CLOEXEC) | pipe2(b, O_CLOEXEC) | pipe2(c, O_CLOEXEC), 0);
    send_many(pair[0], (int[]){a[1], b[1], c[1]}, 3);
    close(a[1]);
    close(b[1]);
    close(c[1]);
    ck_assert(!at_end(b[0]));
    ck_assert_int_eq(bh_sock_recv(pair[1], got, sizeof got, &passed, 0), 1);
    ck_assert_int_ge(passed, 0);
    ck_assert(!at_end(a[0]));
    ck_assert(at_end(b[0]));
    ck_assert(at_end(c[0]));
    close(passed);
    ck_assert(at_end(a[0]));
    close(a[0]);
    close(b[0]);
    close(c[0]);
}
END_TEST

START_TEST(a_message_that_is_too_long)
{
    int ends[2], passed;
    char got[4];

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    ck_assert_int_eq(bh_sock_send(pair[0], "12345", 5, ends[1], 0), 0);
    ck_assert_int_eq(bh_sock_send(pair[0], "next", 4, -1, 0), 0);
    close(ends[1]);
    ck_assert_int_eq(bh_sock_recv(pair[1], got, sizeof got, &passed, 0),
                     -EMSGSIZE);
    ck_assert_int_ge(passed, 0);
    close(passed);
    ck_assert(at_end(ends[0]));
    ck_assert_int_eq(bh_sock_recv(pair[1], got, sizeof got, &passed, 0), 4);
    ck_assert_mem_eq(got, "next", 4);
    close(ends[0]);
}
END_TEST

START_TEST(no_room_for_the_descriptor)
{
    struct rlimit old, none;
    int ends[2], passed;
    char got[4];

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    ck_assert_int_eq(bh_sock_send(pair[0], "x", 1, ends[1], 0), 0);
    getrlimit(RLIMIT_NOFILE, &old);
    none = old;
    none.rlim_cur = 0;
    setrlimit(RLIMIT_NOFILE, &none);
    ssize_t n = bh_sock_recv(pair[1], got, sizeof got, &passed, 0);
    setrlimit(RLIMIT_NOFILE, &old);
    ck_assert_int_eq(n, -EMFILE);
    ck_assert_int_eq(passed, -1);
    close(ends[1]);
    ck_assert(at_end(ends[0]));
    close(ends[0]);
}
END_TEST

/* ---- systemd ---- */

/* In a process of its own, whose descriptors 3 and 4 it may choose: the number
 * of sockets found, or 100 more if something is not as it should be. */
static int
inherited_by_child(const char *fds, bool mine)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        char me[32];
        snprintf(me, sizeof me, "%ld", (long)getpid() + (mine ? 0 : 1));
        setenv("LISTEN_PID", me, 1);
        setenv("LISTEN_FDS", fds, 1);
        setenv("LISTEN_FDNAMES", "a:b", 1);
        if (dup2(pair[0], 3) < 0 || dup2(pair[1], 4) < 0) _exit(99);
        fcntl(5, F_GETFD) < 0 ? 0 : close(5);
        int n = bh_sock_inherited();
        if (n > 0 && (!is_cloexec(3) || !is_cloexec(4))) _exit(98);
        if (getenv("LISTEN_PID") != NULL || getenv("LISTEN_FDS") != NULL ||
            getenv("LISTEN_FDNAMES") != NULL)
            _exit(97);
        _exit(n >= 0 ? n : 90);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

START_TEST(inherited_sockets)
{
    ck_assert_int_eq(inherited_by_child("2", true), 2);
    ck_assert_int_eq(inherited_by_child("2", false), 0);
    ck_assert_int_eq(inherited_by_child("0", true), 0);
    ck_assert_int_eq(inherited_by_child("-1", true), 0);
    ck_assert_int_eq(inherited_by_child("2x", true), 0);
    ck_assert_int_eq(inherited_by_child("", true), 0);
    ck_assert_int_eq(inherited_by_child("3", true), 90);
    ck_assert_int_eq(inherited_by_child("99999999999999999999", true), 0);
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    ck_assert_int_eq(bh_sock_inherited(), 0);
}
END_TEST

/* What bh_sock_activated(TYPE) says, negated, in a process that was passed FD
 * as the first of FDS. */
static int
activated_by_child(int fd, const char *fds, int type)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        char me[32];
        snprintf(me, sizeof me, "%ld", (long)getpid());
        setenv("LISTEN_PID", me, 1);
        setenv("LISTEN_FDS", fds, 1);
        if (dup2(fd, 3) < 0 || dup2(fd, 4) < 0) _exit(99);
        int n = bh_sock_activated(type);
        _exit(n < 0 ? -n : 100 + n);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

START_TEST(activated_by_the_right_socket)
{
    int packets = bh_sock_listen(path, SOCK_SEQPACKET, 0600, 16);
    int inet = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in local = {.sin_family = AF_INET,
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    ck_assert_int_ge(packets, 0);
    ck_assert_int_eq(bind(inet, (struct sockaddr *)&local, sizeof local), 0);
    ck_assert_int_eq(listen(inet, 1), 0);
    ck_assert_int_eq(activated_by_child(packets, "1", SOCK_SEQPACKET), 103);
    ck_assert_int_eq(activated_by_child(packets, "0", SOCK_SEQPACKET), 100);
    ck_assert_int_eq(activated_by_child(packets, "1", SOCK_STREAM), EPROTOTYPE);
    ck_assert_int_eq(activated_by_child(packets, "2", SOCK_SEQPACKET), E2BIG);
    ck_assert_int_eq(activated_by_child(pair[0], "1", SOCK_SEQPACKET),
                     EPROTOTYPE); /* doesn't listen */
    ck_assert_int_eq(activated_by_child(inet, "1", SOCK_STREAM), EPROTOTYPE);
    close(inet);
    close(packets);
}
END_TEST

/* What arrives at a datagram socket under NAME; "@…" is an abstract one. */
static const char *
notified(const char *name, const char *state)
{
    static char got[64];
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    size_t len = strlen(name);

    memcpy(a.sun_path, name, len);
    if (name[0] == '@') a.sun_path[0] = '\0';
    len += offsetof(struct sockaddr_un, sun_path);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, (socklen_t)len), 0);
    setenv("NOTIFY_SOCKET", name, 1);
    bh_notify(state);
    unsetenv("NOTIFY_SOCKET");
    ssize_t n = recv(fd, got, sizeof got - 1, MSG_DONTWAIT);
    got[n > 0 ? n : 0] = '\0';
    close(fd);
    return got;
}

START_TEST(tells_systemd)
{
    char abstract[64];

    ck_assert_str_eq(notified(path, "READY=1"), "READY=1");
    snprintf(abstract, sizeof abstract, "@check_sock-%ld", (long)getpid());
    ck_assert_str_eq(notified(abstract, "STOPPING=1"), "STOPPING=1");
    /* Nobody asked, nobody there, nonsense: nothing happens. */
    bh_notify("READY=1");
    setenv("NOTIFY_SOCKET", "/nowhere/at/all", 1);
    bh_notify("READY=1");
    setenv("NOTIFY_SOCKET", "relative", 1);
    bh_notify("READY=1");
    unsetenv("NOTIFY_SOCKET");
}
END_TEST

START_TEST(watchdog_is_told_twice_as_often)
{
    char pid[32];

    unsetenv("WATCHDOG_PID");
    unsetenv("WATCHDOG_USEC");
    ck_assert_int_eq(bh_watchdog_ms(), 0);
    setenv("WATCHDOG_USEC", "30000000", 1);
    ck_assert_int_eq(bh_watchdog_ms(), 15000);
    setenv("WATCHDOG_PID", "1", 1); /* it is another's */
    ck_assert_int_eq(bh_watchdog_ms(), 0);
    snprintf(pid, sizeof pid, "%ld", (long)getpid());
    setenv("WATCHDOG_PID", pid, 1);
    ck_assert_int_eq(bh_watchdog_ms(), 15000);
    setenv("WATCHDOG_USEC", "1", 1);
    ck_assert_int_eq(bh_watchdog_ms(), 1);
    setenv("WATCHDOG_USEC", "9223372036854775807", 1);
    ck_assert_int_eq(bh_watchdog_ms(), INT_MAX);
    setenv("WATCHDOG_USEC", "soon", 1);
    ck_assert_int_eq(bh_watchdog_ms(), 0);
}
END_TEST

START_TEST(no_socket_at_all)
{
    struct bh_peer peer;

    ck_assert(!bh_sock_is_listener(-1));
    ck_assert_int_eq(bh_sock_peer(-1, &peer), -EBADF);
    ck_assert_int_eq(bh_sock_nonblock(-1), -EBADF);
    ck_assert_int_eq(bh_sock_timeouts(-1, 5), -EBADF);
    ck_assert_int_eq(bh_sock_send(-1, "x", 1, -1, 0), -EBADF);
}
END_TEST

Suite *
check_sock(void)
{
    Suite *s = suite_create("sock");
    TCase *tc = tcase_create("listen and dial");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, listens_with_its_mode);
    tcase_add_test(tc, dials_and_knows_its_peer);
    tcase_add_test(tc, nobody_there);
    tcase_add_test(tc, a_full_backlog);
    tcase_add_test(tc, a_stale_socket_is_replaced);
    tcase_add_test(tc, a_live_socket_is_left);
    tcase_add_test(tc, another_file_is_left);
    tcase_add_test(tc, paths_have_a_limit);
    suite_add_tcase(s, tc);
    tc = tcase_create("messages");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, messages_keep_their_boundaries);
    tcase_add_test(tc, a_closed_peer_is_no_signal);
    tcase_add_test(tc, a_full_queue_and_a_large_message);
    tcase_add_test(tc, timeouts_end_a_wait);
    tcase_add_test(tc, passes_a_descriptor);
    tcase_add_test(tc, further_descriptors_are_closed);
    tcase_add_test(tc, a_message_that_is_too_long);
    tcase_add_test(tc, no_room_for_the_descriptor);
    suite_add_tcase(s, tc);
    tc = tcase_create("systemd");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, inherited_sockets);
    tcase_add_test(tc, activated_by_the_right_socket);
    tcase_add_test(tc, tells_systemd);
    tcase_add_test(tc, watchdog_is_told_twice_as_often);
    tcase_add_test(tc, no_socket_at_all);
    suite_add_tcase(s, tc);
    return s;
}
