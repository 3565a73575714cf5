/*
 * http.h: the client's end of one HTTP/1.1 connection, kept alive, one request
 * at a time, and the loop that serves many of them. As little per request as
 * can be, since the generator shares its cores with what it measures.
 */
#ifndef BH_HTTP_H
#define BH_HTTP_H

#include <netinet/in.h>

#include "buf.h"

struct bh_http;

struct bh_http_answer {
    int status;
    struct bh_str body; /* until the callback returns */
};
/* One call per request sent; A is NULL where the connection broke before the
 * whole answer was there. May send the next request. */
typedef void bh_http_fn(struct bh_http *c, const struct bh_http_answer *a);

struct bh_http {
    int fd; /* -1: none; the next request connects */
    int epoll;
    const struct sockaddr_in *to;
    bh_http_fn *fn;
    struct bh_buf out; /* the request: the caller fills it */
    size_t sent;
    struct bh_buf in; /* an answer that came in pieces */
    bool busy;        /* a request is under way */
    bool waits_out;   /* EPOLLOUT is asked for */
};

/* Nothing is connected yet. FN is called for each request. */
void bh_http_init(struct bh_http *c, int epoll, const struct sockaddr_in *to,
                  bh_http_fn *fn);
void bh_http_fini(struct bh_http *c);
/*
 * Send c->out, which must not change until the answer is there. A kept-alive
 * connection that the server has closed meanwhile is made anew. 0, or a
 * negative errno: then FN is not called.
 */
int bh_http_send(struct bh_http *c);

/*
 * Serve until bh_now_us() passes UNTIL_US, TICK returns a negative value, or
 * SIGINT or SIGTERM came. TICK (may be NULL) is called after each batch of
 * events; it returns for how many milliseconds at most to wait for the next.
 */
typedef int bh_http_tick(void *arg);
void bh_http_run(int epoll, int64_t until_us, bh_http_tick *tick, void *arg);
/* Whether SIGINT or SIGTERM came; they are caught from the first call on. */
bool bh_http_interrupted(void);

#endif
