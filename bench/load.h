/*
 * load.h: the load generator: one thread, one epoll loop. What its modes
 * share: the options, the counts, a subscriber that polls in a closed loop, and
 * a publisher that posts batches and looks at what became of them.
 */
#ifndef BH_LOAD_H
#define BH_LOAD_H

#include "hist.h"
#include "http.h"

#define BH_LOAD_CURSOR_MAX 80
#define BH_LOAD_ERRORS_MAX 100 /* then a run gives up */
#define BH_LOAD_DRAIN_US   5000000

struct bh_load {
    /* options */
    const char *path, *domain, *kid, *key_file;
    int port, connections, orgs, batch, publishers, rate, pad;
    double seconds, warm;
    /* the run */
    char run[17]; /* its random name: no two runs share an org */
    struct bh_buf key;
    struct sockaddr_in to;
    int epoll;
    int64_t from_us, until_us; /* what is counted lies between */
    /* counted between from_us and until_us only */
    uint64_t polls, publishes, requests, events, posted, woken;
    struct bh_hist latency;
    /* counted from first to last */
    uint64_t answered, empty, gaps, errors, lost, doubled;
    char why[200]; /* the first error */
};

/* The modes. 0, or -1 where the run could not be made. */
int bh_load_hello(struct bh_load *l);
int bh_load_poll(struct bh_load *l);
int bh_load_park(struct bh_load *l);
int bh_load_fanout(struct bh_load *l);

/* The counted time begins after the warm-up. */
void bh_load_window(struct bh_load *l);
bool bh_load_counts(const struct bh_load *l, int64_t now_us);
/* Note an answer that should not be: A is NULL for a broken connection. */
void bh_load_error(struct bh_load *l, const char *what,
                   const struct bh_http_answer *a);
bool bh_load_gives_up(const struct bh_load *l);

/* Begin a request: its line, Host, and a token for USER of ORG with SCOPE. */
void bh_load_head(struct bh_load *l, struct bh_buf *out, const char *method,
                  const char *what, const char *user, int org,
                  const char *scope);
/* What a browser's poll says besides. */
void bh_load_browser(struct bh_buf *out);
/* The string between `"NAME":"` and the next quote, from FROM on in BODY; p is
 * NULL where there is none. No string looked for holds an escape. */
struct bh_str bh_load_member(struct bh_str body, size_t from, const char *name);

/* ---- a subscriber ---- */

struct bh_load_sub;
/* The K-th event of the subscriber's org came, at NOW_US. */
typedef void bh_load_event_fn(struct bh_load_sub *s, uint64_t k,
                              int64_t now_us);

struct bh_load_sub {
    struct bh_http http;
    struct bh_load *l;
    bh_load_event_fn *fn;
    int org;
    uint64_t got; /* the number of the last event received */
    size_t head_len;
    char cursor[BH_LOAD_CURSOR_MAX];
};

/* USER is the subscriber's number; it polls org ORG from CURSOR on. */
void bh_load_sub_init(struct bh_load_sub *s, struct bh_load *l, int user,
                      int org, const char *cursor, bh_load_event_fn *fn);
void bh_load_sub_fini(struct bh_load_sub *s);
/* Send a poll; after this each answer sends the next. */
void bh_load_sub_poll(struct bh_load_sub *s);

/* ---- a publisher ---- */

struct bh_load_pub;
/* The batch was answered; STORED: all of it is in the log. */
typedef void bh_load_pub_fn(struct bh_load_pub *p, bool stored);

struct bh_load_pub {
    struct bh_http http;
    struct bh_load *l;
    bh_load_pub_fn *fn;
    struct bh_buf head, body;
    int n;                           /* events in the batch */
    bool busy;                       /* a batch is under way */
    void *data;                      /* the mode's */
    char cursor[BH_LOAD_CURSOR_MAX]; /* after the last batch */
};

void bh_load_pub_init(struct bh_load_pub *p, struct bh_load *l,
                      bh_load_pub_fn *fn);
void bh_load_pub_fini(struct bh_load_pub *p);
/* Add the K-th event of ORG to the batch. */
void bh_load_pub_add(struct bh_load_pub *p, int org, uint64_t k);
void bh_load_pub_post(struct bh_load_pub *p);
/* Publish one event to an org of its own and wait: P->cursor is then the
 * log's head, where the subscribers begin. */
int bh_load_pub_first(struct bh_load_pub *p);

#endif
