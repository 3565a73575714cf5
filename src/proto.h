/*
 * proto.h: the messages between worker and broker. One message is one packet
 * of a SOCK_SEQPACKET socket: u8 version, u8 op, then the op's fields as
 * PROTOCOL.md, part 2, lists them. Bytes to struct and back; no I/O here.
 *
 * An encoder writes a whole message, and sets `failed` for values that the
 * decoder would refuse. A decoder returns false for anything that is not
 * exactly such a message; the strings it yields point into the packet.
 */
#ifndef BH_PROTO_H
#define BH_PROTO_H

#include "buf.h"
#include "cursor.h"
#include "metric.h"

/* Raise it with every change of a message: both sides refuse another version,
 * so that a worker and a broker of different builds part loudly. */
#define BH_PROTO_VERSION 1

/*  X(symbol, number, sent by, meaning) */
#define BH_OPS(X)                                                              \
    X(HELLO, 1, "worker, bellhopctl", "who connects")                          \
    X(WELCOME, 2, "broker", "what log it follows, and how far it has read")    \
    X(NOTE, 3, "worker, bellhopctl", "rows of the log are committed")          \
    X(NOTED, 4, "broker", "how many waiters each of these rows answered")      \
    X(PARK, 5, "worker", "a subscribe, with its FastCGI connection")           \
    X(PING, 6, "worker", "are you there")                                      \
    X(PONG, 7, "broker", "yes")                                                \
    X(ERROR, 8, "broker", "why the connection ends")                           \
    X(STATS, 9, "worker, bellhopctl", "what do you count")                     \
    X(STATED, 10, "broker", "all figures")                                     \
    X(COUNT, 11, "worker", "what it has counted since the last COUNT")         \
    X(END, 12, "bellhopctl", "end the requests of an org or a user")           \
    X(ENDED, 13, "broker", "how many were ended")                              \
    X(RELOAD, 14, "bellhopctl", "read again what has changed")                 \
    X(RELOADED, 15, "broker", "done, or what is wrong")

enum bh_op {
#define BH_OP_ENUM(sym, num, from, what) BH_OP_##sym = num,
    BH_OPS(BH_OP_ENUM)
#undef BH_OP_ENUM
};

/* "HELLO" …, or NULL where OP is none of them. */
const char *bh_op_name(int op);

/* Start a message: version and op. */
void bh_msg_begin(struct bh_buf *b, enum bh_op op);
/* Its op, the reader then at the fields; 0 for another version or no op. */
int bh_msg_open(struct bh_reader *r, const void *p, size_t len);

struct bh_hello {
    uint32_t pid;
    struct bh_str program; /* "bellhop-worker", "bellhopctl": for the log */
};
void bh_hello_encode(struct bh_buf *b, const struct bh_hello *m);
bool bh_hello_decode(struct bh_reader *r, struct bh_hello *m);

struct bh_welcome {
    char log_id[BH_LOG_ID_LEN + 1]; /* "" while the broker has no log */
    int64_t head;                   /* the last seq it has read */
};
void bh_welcome_encode(struct bh_buf *b, const struct bh_welcome *m);
bool bh_welcome_decode(struct bh_reader *r, struct bh_welcome *m);

/* Rows first…last are committed (all of them the sender's). */
struct bh_note {
    uint32_t tag; /* comes back in NOTED */
    int64_t first, last;
};
void bh_note_encode(struct bh_buf *b, const struct bh_note *m);
/* False also where first < 1, last < first or more than BH_GROUP_MAX rows. */
bool bh_note_decode(struct bh_reader *r, struct bh_note *m);

/* woken: for each of N rows a u32; read them one by one after the decode. */
struct bh_noted {
    uint32_t tag;
    uint32_t n;
};
void bh_noted_encode(struct bh_buf *b, const struct bh_noted *m,
                     const uint32_t *woken);
bool bh_noted_decode(struct bh_reader *r, struct bh_noted *m);

enum bh_park_kind {
    BH_PARK_POLL = 1,   /* one answer */
    BH_PARK_STREAM = 2, /* Server-Sent Events */
    BH_PARK_NDJSON = 3  /* one JSON object a line */
};

#define BH_WAIT_DEFAULT UINT32_MAX /* the broker's own poll time */

/* A parked request: all that the broker needs to answer and to log it. The
 * FastCGI connection travels beside the message. */
struct bh_park {
    uint16_t request_id; /* FastCGI's */
    uint8_t kind;        /* enum bh_park_kind */
    bool has_cursor;
    bool all_properties; /* no filter; then n_properties is 0 */
    int64_t cursor_seq;
    int64_t expires_ms;       /* the token's exp, wall clock */
    uint32_t wait_ms;         /* or BH_WAIT_DEFAULT */
    uint8_t token_digest[16]; /* of the token: whose position to remember */
    struct bh_str cursor_log; /* log id, "" without a cursor */
    struct bh_str domain, org, user, client_id; /* client_id may be empty */
    struct bh_str property;   /* the filter as asked for, "" if none: to log */
    struct bh_str origin, ua; /* to log, escaped and cut by the worker */
    struct bh_str request_id_text; /* X-Request-ID */
    struct bh_str head; /* further response header lines, each ended by CRLF:
                           the same for many requests, so the broker keeps one
                           copy */
    uint16_t n_properties;
    struct bh_str properties; /* n_properties × lstr, sorted, as encoded */
};
void bh_park_encode(struct bh_buf *b, const struct bh_park *m);
/* Checks every bound: lengths (domain, org and request_id_text may not be
 * empty), kind, a request id other than 0, the wait, the number of properties,
 * that they fill their bytes and rise, printable head lines ending in CRLF. */
bool bh_park_decode(struct bh_reader *r, struct bh_park *m);

struct bh_ping {
    uint32_t tag;
};
void bh_ping_encode(struct bh_buf *b, enum bh_op op, const struct bh_ping *m);
bool bh_ping_decode(struct bh_reader *r, struct bh_ping *m);

void bh_stats_encode(struct bh_buf *b);
bool bh_stats_decode(struct bh_reader *r);

/* What a worker has counted since the last time. No answer. */
struct bh_counts {
    uint64_t worker[BH_WORKER_METRIC_N];
    uint64_t refused[BH_REFUSAL_COUNT];
};
void bh_counts_encode(struct bh_buf *b, const struct bh_counts *m);
bool bh_counts_decode(struct bh_reader *r, struct bh_counts *m);

/* All of a report but its local figures. */
void bh_stated_encode(struct bh_buf *b, const struct bh_report *m);
bool bh_stated_decode(struct bh_reader *r, struct bh_report *m);

/* ---- proto_control.c: what an operator says ---- */

/* End who waits in ORG: all, or USER alone; in all domains, or in DOMAIN. */
struct bh_end {
    uint32_t tag;              /* comes back in ENDED */
    struct bh_str domain, org; /* domain may be empty */
    struct bh_str user;        /* may be empty */
};
void bh_end_encode(struct bh_buf *b, const struct bh_end *m);
bool bh_end_decode(struct bh_reader *r, struct bh_end *m);

struct bh_ended {
    uint32_t tag;
    uint32_t n;
};
void bh_ended_encode(struct bh_buf *b, const struct bh_ended *m);
bool bh_ended_decode(struct bh_reader *r, struct bh_ended *m);

enum bh_reload_what {
    BH_RELOAD_CONF = 1, /* the configuration, and the rules */
    BH_RELOAD_RULES = 2 /* the log's tables and the control page alone */
};
struct bh_reload {
    uint32_t tag;
    uint8_t what; /* enum bh_reload_what */
};
void bh_reload_encode(struct bh_buf *b, const struct bh_reload *m);
bool bh_reload_decode(struct bh_reader *r, struct bh_reload *m);

/* TEXT has lines: what is wrong where it isn't OK (all is as it was then),
 * else what takes effect at a restart only. What is too long is cut. */
struct bh_reloaded {
    uint32_t tag;
    bool ok;
    uint32_t ended; /* requests that were ended by it */
    struct bh_str text;
    struct bh_str log; /* the file that is followed, from the root; or "" */
};
void bh_reloaded_encode(struct bh_buf *b, const struct bh_reloaded *m);
bool bh_reloaded_decode(struct bh_reader *r, struct bh_reloaded *m);

void bh_error_encode(struct bh_buf *b, const char *text);
bool bh_error_decode(struct bh_reader *r, struct bh_str *text);

#endif
