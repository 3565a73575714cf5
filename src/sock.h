/*
 * sock.h: Unix sockets as Bellhop uses them: close-on-exec everywhere, no
 * SIGPIPE, one descriptor at most beside a message. Functions return a
 * descriptor or 0, or a negative errno.
 */
#ifndef BH_SOCK_H
#define BH_SOCK_H

#include "base.h"

/*
 * Bind and listen at PATH with MODE. A socket file that nobody serves is
 * replaced; one that answers gives -EADDRINUSE. TYPE: SOCK_SEQPACKET (the
 * broker) or SOCK_STREAM (FastCGI). Sets the process's umask for an instant, so
 * call it before there are threads.
 */
int bh_sock_listen(const char *path, int type, mode_t mode, int backlog);
/* Blocking; waits for a second at most where the backlog is full (-EAGAIN). */
int bh_sock_dial(const char *path, int type);
/* The same under a name of its own, an abstract one that the kernel makes up:
 * whoever accepts it sees that it has one. */
int bh_sock_dial_named(const char *path, int type);
/* The number of sockets systemd passed, from descriptor 3 on; unsets the
 * environment. 0 where there are none. */
int bh_sock_inherited(void);
/*
 * The one listening Unix socket of TYPE that systemd passed (socket
 * activation). 0 where it passed nothing; -E2BIG for more than one socket,
 * -EPROTOTYPE for one of another kind.
 */
int bh_sock_activated(int type);
/* Whether FD is a listening socket. */
bool bh_sock_is_listener(int fd);

struct bh_peer {
    pid_t pid;
    uid_t uid;
    gid_t gid;
};
int bh_sock_peer(int fd, struct bh_peer *out);

int bh_sock_nonblock(int fd);
/* Milliseconds for reads (accept(2) is one) and for writes on a blocking
 * socket. */
int bh_sock_read_timeout(int fd, int ms);
int bh_sock_write_timeout(int fd, int ms);
int bh_sock_timeouts(int fd, int ms); /* both */

/*
 * One message; PASS is a descriptor to go with it, or -1. FLAGS as for
 * sendmsg(2), MSG_NOSIGNAL is added. 0, or -EAGAIN, -EPIPE, …: then nothing was
 * sent and PASS is still the caller's alone.
 */
int bh_sock_send(int fd, const void *p, size_t len, int pass, int flags);
/*
 * One message of at most SIZE bytes. Its length; 0 at the end; -EAGAIN;
 * -EMSGSIZE for one that was longer (it is gone); -EMFILE where a descriptor
 * came but there was no room for it. *PASSED is -1 or a descriptor that is now
 * the caller's, on failure too; any further one is closed.
 */
ssize_t bh_sock_recv(int fd, void *p, size_t size, int *passed, int flags);

/* What the other side hasn't read yet, as the kernel counts it: more than the
 * bytes sent, and less only when it has read a whole piece. */
int bh_sock_unread(int fd);

/* Tell systemd, where it asked to be told (sd_notify(3)'s protocol). */
void bh_notify(const char *state);
/* How often it is to be told "WATCHDOG=1", in ms: half of the time after which
 * it ends the program. 0: not at all. */
int bh_watchdog_ms(void);

#endif
