#include "pass.h"

#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "sock.h"

int
bh_pass_on(int connection, const char *path)
{
    static const unsigned char first = BH_PASS_BYTE;
    int fd = bh_sock_dial_named(path, SOCK_STREAM);

    if (fd < 0) return fd;
    int rc = bh_sock_send(fd, &first, 1, connection, 0);
    close(fd);
    return rc;
}

static int
sock_option(int fd, int option)
{
    int value = -1;
    socklen_t len = sizeof value;

    return getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0 ? value : -1;
}

/* Nothing else has timeouts, so anything else could hold a thread for ever. */
static bool
is_connection(int fd)
{
    return sock_option(fd, SO_DOMAIN) == AF_UNIX &&
           sock_option(fd, SO_TYPE) == SOCK_STREAM && !bh_sock_is_listener(fd);
}

int
bh_pass_take(int fd)
{
    unsigned char first;
    int passed;

    if (recv(fd, &first, 1, MSG_PEEK) != 1) { /* silent, or gone again */
        close(fd);
        return -1;
    }
    if (first != BH_PASS_BYTE) return fd;
    ssize_t n = bh_sock_recv(fd, &first, 1, &passed, 0);
    close(fd);
    if (n == 1 && passed >= 0 && is_connection(passed)) return passed;
    bh_log(BH_WARN, "what a relay passed on is no connection, or there is no "
                    "descriptor left for it");
    if (passed >= 0) close(passed);
    return -1;
}
