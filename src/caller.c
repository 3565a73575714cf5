#include "caller.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "sock.h"

int
bh_say(int fd, struct bh_buf *m)
{
    int rc = m->failed ? -ENOMEM : bh_sock_send(fd, m->p, m->len, -1, 0);

    bh_buf_fini(m);
    return rc;
}

int
bh_hear(int fd, void *packet, size_t size, struct bh_reader *r, int flags)
{
    int passed;
    ssize_t n = bh_sock_recv(fd, packet, size, &passed, flags);

    if (passed >= 0) close(passed);
    if (n <= 0) return n == 0 ? -ECONNRESET : (int)n;
    return bh_msg_open(r, packet, (size_t)n);
}

int
bh_say_hello(int fd, const char *program)
{
    struct bh_hello hello = {(uint32_t)getpid(), {program, strlen(program)}};
    struct bh_buf m = BH_BUF_INIT;

    bh_hello_encode(&m, &hello);
    return bh_say(fd, &m);
}
