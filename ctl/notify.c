#include "notify.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto.h"
#include "sock.h"

#define WAIT_MS 1000

static int
send_msg(int fd, struct bh_buf *msg)
{
    int rc = msg->failed ? -ENOMEM : bh_sock_send(fd, msg->p, msg->len, -1, 0);

    bh_buf_fini(msg);
    return rc;
}

/* The next message into PACKET, R at its fields; its op, or a negative errno.
 */
static int
receive(int fd, struct bh_reader *r, char *packet, size_t size)
{
    int passed;
    ssize_t n = bh_sock_recv(fd, packet, size, &passed, 0);

    if (passed >= 0) close(passed);
    if (n <= 0) return n == 0 ? -ECONNRESET : (int)n;
    return bh_msg_open(r, packet, (size_t)n);
}

static int
greet(int fd)
{
    static const char program[] = "bellhopctl";
    struct bh_hello hello = {(uint32_t)getpid(), {program, sizeof program - 1}};
    struct bh_welcome welcome;
    struct bh_buf msg = BH_BUF_INIT;
    struct bh_reader r;
    char packet[1024];

    bh_hello_encode(&msg, &hello);
    int rc = send_msg(fd, &msg);
    if (rc < 0) return rc;
    rc = receive(fd, &r, packet, sizeof packet);
    if (rc == BH_OP_WELCOME && bh_welcome_decode(&r, &welcome)) return 0;
    return rc < 0 ? rc : -EPROTO;
}

int
bh_notify_open(const char *path)
{
    int fd = bh_sock_dial(path, SOCK_SEQPACKET);

    if (fd < 0) return fd;
    int rc = bh_sock_timeouts(fd, WAIT_MS);
    if (rc == 0) rc = greet(fd);
    if (rc == 0) return fd;
    close(fd);
    return rc;
}

bool
bh_notify_rows(int fd, int64_t first, int64_t last, uint32_t *woken)
{
    struct bh_note note = {1, first, last};
    struct bh_buf msg = BH_BUF_INIT;
    struct bh_reader r;
    struct bh_noted noted;
    char packet[BH_GROUP_MAX * 4 + 64];

    bh_note_encode(&msg, &note);
    if (send_msg(fd, &msg) < 0) return false;
    if (receive(fd, &r, packet, sizeof packet) != BH_OP_NOTED ||
        !bh_noted_decode(&r, &noted) || noted.n != last - first + 1)
        return false;
    for (uint32_t i = 0; i < noted.n; i++) woken[i] = bh_read_u32(&r);
    return !r.failed;
}
