#include "sock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define LISTEN_FD_FIRST 3    /* sd_listen_fds(3) */
#define DIAL_MS         1000 /* how long a full backlog may hold a caller */
#define FDS_MAX         253  /* the kernel's SCM_MAX_FD */

static int
address(struct sockaddr_un *a, const char *path)
{
    size_t len = strlen(path);

    if (len == 0) return -EINVAL;
    if (len >= sizeof a->sun_path) return -ENAMETOOLONG;
    memset(a, 0, sizeof *a);
    a->sun_family = AF_UNIX;
    memcpy(a->sun_path, path, len);
    return 0;
}

static int
connect_to(int fd, const struct sockaddr_un *a)
{
    int rc;

    do rc = connect(fd, (const struct sockaddr *)a, sizeof *a);
    while (rc != 0 && errno == EINTR);
    return rc == 0 ? 0 : -errno;
}

/* Remove the socket file of a process that has gone; leave everything else. */
static int
clear_stale(const struct sockaddr_un *a, int type)
{
    struct stat st;

    if (lstat(a->sun_path, &st) != 0) return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(st.st_mode)) return -EEXIST;
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -errno;
    int rc = connect_to(fd, a);
    close(fd);
    /* EAGAIN: its backlog is full; EPROTOTYPE: it is of another type. */
    if (rc == 0 || rc == -EAGAIN || rc == -EPROTOTYPE) return -EADDRINUSE;
    if (rc != -ECONNREFUSED) return rc;
    return unlink(a->sun_path) == 0 || errno == ENOENT ? 0 : -errno;
}

/* The umask belongs to the whole process, so this is for the start, before
 * there are threads; a chmod() afterwards would leave the socket open to
 * everybody for an instant. */
static int
bind_with_mode(int fd, const struct sockaddr_un *a, mode_t mode)
{
    mode_t old = umask(~mode & 0777);
    int rc = bind(fd, (const struct sockaddr *)a, sizeof *a);
    int error = errno;

    umask(old);
    return rc == 0 ? 0 : -error;
}

int
bh_sock_listen(const char *path, int type, mode_t mode, int backlog)
{
    struct sockaddr_un a;
    int rc = address(&a, path);

    if (rc == 0) rc = clear_stale(&a, type);
    if (rc != 0) return rc;
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    rc = bind_with_mode(fd, &a, mode);
    if (rc == 0 && listen(fd, backlog) != 0) {
        rc = -errno;
        unlink(path);
    }
    if (rc == 0) return fd;
    close(fd);
    return rc;
}

/* connect(2) on a Unix socket waits for room in the backlog, as long as a send
 * may take. */
static int
dial(const char *path, int type, bool named)
{
    static const struct sockaddr_un any = {.sun_family = AF_UNIX};
    struct sockaddr_un a;
    int rc = address(&a, path);

    if (rc != 0) return rc;
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    if (named &&
        bind(fd, (const struct sockaddr *)&any, sizeof any.sun_family) != 0)
        rc = -errno;
    if (rc == 0) rc = bh_sock_timeouts(fd, DIAL_MS);
    if (rc == 0) rc = connect_to(fd, &a);
    if (rc == 0) rc = bh_sock_timeouts(fd, 0);
    if (rc == 0) return fd;
    close(fd);
    return rc;
}

int
bh_sock_dial(const char *path, int type)
{
    return dial(path, type, false);
}

int
bh_sock_dial_named(const char *path, int type)
{
    return dial(path, type, true);
}

/* A decimal number from the environment, or -1. */
static long
env_number(const char *name)
{
    const char *s = getenv(name);
    char *end;

    if (s == NULL || *s < '0' || *s > '9') return -1;
    errno = 0;
    long v = strtol(s, &end, 10);
    return errno == 0 && *end == '\0' ? v : -1;
}

int
bh_sock_inherited(void)
{
    long pid = env_number("LISTEN_PID");
    long n = env_number("LISTEN_FDS");

    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    if (pid != (long)getpid() || n <= 0) return 0;
    for (int i = 0; i < n; i++)
        if (fcntl(LISTEN_FD_FIRST + i, F_SETFD, FD_CLOEXEC) != 0) return -errno;
    return (int)n;
}

/* A socket option that is a number, or -1. */
static int
socket_option(int fd, int option)
{
    int v = 0;
    socklen_t len = sizeof v;

    return getsockopt(fd, SOL_SOCKET, option, &v, &len) == 0 ? v : -1;
}

bool
bh_sock_is_listener(int fd)
{
    return socket_option(fd, SO_ACCEPTCONN) > 0;
}

int
bh_sock_activated(int type)
{
    int n = bh_sock_inherited();

    if (n <= 0) return n;
    if (n > 1) return -E2BIG;
    return bh_sock_is_listener(LISTEN_FD_FIRST) &&
                   socket_option(LISTEN_FD_FIRST, SO_DOMAIN) == AF_UNIX &&
                   socket_option(LISTEN_FD_FIRST, SO_TYPE) == type
               ? LISTEN_FD_FIRST
               : -EPROTOTYPE;
}

int
bh_sock_peer(int fd, struct bh_peer *out)
{
    struct ucred cred;
    socklen_t len = sizeof cred;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0)
        return -errno;
    *out = (struct bh_peer){cred.pid, cred.uid, cred.gid};
    return 0;
}

int
bh_sock_nonblock(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) return -errno;
    return 0;
}

static int
set_timeout(int fd, int option, int ms)
{
    struct timeval tv = {ms / 1000, ms % 1000 * 1000};

    return setsockopt(fd, SOL_SOCKET, option, &tv, sizeof tv) == 0 ? 0 : -errno;
}

int
bh_sock_read_timeout(int fd, int ms)
{
    return set_timeout(fd, SO_RCVTIMEO, ms);
}

int
bh_sock_write_timeout(int fd, int ms)
{
    return set_timeout(fd, SO_SNDTIMEO, ms);
}

int
bh_sock_timeouts(int fd, int ms)
{
    int rc = bh_sock_read_timeout(fd, ms);

    return rc == 0 ? bh_sock_write_timeout(fd, ms) : rc;
}

int
bh_sock_send(int fd, const void *p, size_t len, int pass, int flags)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec iov = {(void *)(uintptr_t)p, len};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

    if (len == 0) return -EINVAL; /* would look like the end */
    if (pass >= 0) {
        m.msg_control = &control;
        m.msg_controllen = sizeof control.space;
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof pass);
        memcpy(CMSG_DATA(c), &pass, sizeof pass);
    }
    ssize_t n;
    do n = sendmsg(fd, &m, flags | MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}

/* The first descriptor of the message to *PASSED; the others are closed. */
static void
take_passed(struct msghdr *m, int *passed)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL;
         c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (*passed < 0)
                *passed = fd;
            else
                close(fd);
        }
    }
}

ssize_t
bh_sock_recv(int fd, void *p, size_t size, int *passed, int flags)
{
    /* Room for as many as the kernel lets through: MSG_CTRUNC then has one
     * meaning left, that this process can have no more descriptors. */
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(FDS_MAX * sizeof(int))];
    } control;
    struct iovec iov = {p, size};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof control.space};
    ssize_t n;

    *passed = -1;
    do n = recvmsg(fd, &m, flags | MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0) return -errno;
    take_passed(&m, passed);
    if (m.msg_flags & MSG_CTRUNC) return -EMFILE;
    if (m.msg_flags & MSG_TRUNC) return -EMSGSIZE;
    return n;
}

int
bh_sock_unread(int fd)
{
    int n = 0;

    return ioctl(fd, SIOCOUTQ, &n) < 0 ? -errno : n;
}

int
bh_watchdog_ms(void)
{
    long us = env_number("WATCHDOG_USEC");
    long pid = env_number("WATCHDOG_PID");

    if (us <= 0 || (pid >= 0 && pid != (long)getpid())) return 0;
    us /= 2000;
    return us < 1 ? 1 : us > INT_MAX ? INT_MAX : (int)us;
}

void
bh_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un a;

    if (path == NULL || (*path != '/' && *path != '@')) return;
    if (address(&a, path) != 0) return;
    if (*path == '@') a.sun_path[0] = '\0'; /* an abstract name */
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return;
    socklen_t len =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&a, len);
    close(fd);
}
