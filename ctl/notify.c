#include "notify.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "caller.h"
#include "sock.h"

static int
greet(int fd)
{
    struct bh_welcome welcome;
    struct bh_reader r;
    char packet[1024];
    int rc = bh_say_hello(fd, "bellhopctl");

    if (rc < 0) return rc;
    rc = bh_hear(fd, packet, sizeof packet, &r, 0);
    if (rc == BH_OP_WELCOME && bh_welcome_decode(&r, &welcome)) return 0;
    return rc < 0 ? rc : -EPROTO;
}

int
bh_notify_open(const char *path, int timeout_ms)
{
    int fd = bh_sock_dial(path, SOCK_SEQPACKET);

    if (fd < 0) return fd;
    int rc = bh_sock_timeouts(fd, timeout_ms);
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
    if (bh_say(fd, &msg) < 0) return false;
    if (bh_hear(fd, packet, sizeof packet, &r, 0) != BH_OP_NOTED ||
        !bh_noted_decode(&r, &noted) || noted.n != last - first + 1)
        return false;
    for (uint32_t i = 0; i < noted.n; i++) woken[i] = bh_read_u32(&r);
    return !r.failed;
}
