/*
 * doctor.h: the parts of bellhopctl doctor, which looks at a running
 * installation. Each check tells what it has found, in one line or several, and
 * changes nothing. Nothing that it tells holds a token, a key or a payload.
 */
#ifndef BH_CTL_DOCTOR_H
#define BH_CTL_DOCTOR_H

#include "control.h"
#include "credentials.h"

enum bh_verdict { BH_FINE, BH_DOUBTFUL, BH_WRONG, BH_SKIPPED };
#define BH_VERDICTS 4

/* A process of this installation. */
struct bh_member {
    pid_t pid;
    struct bh_credentials who;
};
#define BH_MEMBERS_MAX 64

#define BH_SOCKET_PATH_MAX 108 /* sun_path */

struct bh_doctor {
    /* What was asked for. */
    const char *conf_path;
    const char *url;      /* without a slash at its end; NULL: none */
    const char *domain;   /* whose paths are asked; never NULL with a URL */
    const char *kid;      /* NULL: any key that can sign */
    const char *web_user; /* NULL: of the web servers that run */
    bool json, quick, insecure;

    /* What is known by now. */
    struct bh_conf *conf; /* NULL: it can't be used */
    struct bh_store *log; /* NULL: it can't be read */
    bool broker_up;
    struct bh_report *report; /* what it counts; without it all zeros */
    struct bh_member workers[BH_MEMBERS_MAX], brokers[BH_MEMBERS_MAX];
    size_t n_workers, n_brokers;
    char worker_socket[BH_SOCKET_PATH_MAX]; /* bh_worker_socket() has found */

    /* What was told. */
    const char *check; /* the name of the one at work */
    int n[BH_VERDICTS];
    struct bh_buf out; /* the lines of the JSON */
};

/* One finding of the check at work. REMEDY says what to do, NULL: nothing. */
void bh_tell(struct bh_doctor *d, enum bh_verdict v, const char *remedy,
             const char *fmt, ...) BH_PRINTF(4, 5);
/* After the last: the JSON, or a line that sums up. */
void bh_tell_end(struct bh_doctor *d);

/*  X(name, function, what it looks at) */
#define BH_CHECKS(X)                                                           \
    X("configuration", bh_check_conf, "read, sound, no one else's to write")   \
    X("keys", bh_check_keys, "readable, strong, private, each of its own")     \
    X("clock", bh_check_clock, "synchronised, and not behind the log")         \
    X("log", bh_check_log, "there, ours, on a local disk, private")            \
    X("disk", bh_check_disk, "room for the log, and its WAL not too long")     \
    X("integrity", bh_check_integrity, "verify --quick, where that is quick")  \
    X("lock", bh_check_lock, "nobody holds the writers' lock for long")        \
    X("summary", bh_check_summary, "summarize or prune runs from a timer")     \
    X("programs", bh_check_programs, "which run, as whom, of which build")     \
    X("descriptors", bh_check_descriptors, "limits against what is in use")    \
    X("broker socket", bh_check_broker_socket, "workers can reach it")         \
    X("broker", bh_check_broker, "answers, speaks our protocol, keeps up")     \
    X("worker socket", bh_check_worker_socket, "the web server can reach it")  \
    X("worker", bh_check_worker, "answers, and sees broker and log")           \
    X("load", bh_check_load, "limits met, events dropped, waiters lost")       \
    X("refusals", bh_check_refusals, "how much is refused, and why")           \
    X("telemetry", bh_check_telemetry, "what browsers have reported lately")   \
    X("url", bh_check_url, "the URL leads to a worker, over good TLS")         \
    X("authorization", bh_check_authorization, "the header gets through")      \
    X("request id", bh_check_request_id, "X-Request-ID comes back")            \
    X("cors", bh_check_cors, "preflights are answered once, by the worker")    \
    X("headers", bh_check_headers, "a long token gets through")                \
    X("bodies", bh_check_bodies, "a full publish gets through")                \
    X("waiting", bh_check_waiting, "a poll lasts; a stream flows")

#define BH_CHECK_DECLARE(name, fn, what) void fn(struct bh_doctor *d);
BH_CHECKS(BH_CHECK_DECLARE)
#undef BH_CHECK_DECLARE

/* Those processes that use the log, brokers and workers, into D. False:
 * some may be hidden from us. */
bool bh_members_find(struct bh_doctor *d);

/* "Max open files"; -1: unknown or without limit. */
int64_t bh_descriptor_limit(pid_t pid, bool hard);

/* Where the workers listen: as configured, or as their processes show where it
 * was somebody else who gave them the socket. NULL: nobody knows. */
const char *bh_worker_socket(struct bh_doctor *d);

/* A head and a body: what was answered by FastCGI, or by HTTP. */
struct bh_answer {
    int status; /* 0: there was none */
    struct bh_buf head, body;
};
void bh_answer_fini(struct bh_answer *a);
/* The code of a refusal (problem+json), "" where the body is none. */
const char *bh_answer_code(const struct bh_answer *a, char out[32]);

/* GET PATH of the worker at SOCKET. 0, or a negative errno. */
int bh_fcgi_get(const char *socket, const char *path, int ms,
                struct bh_answer *out);

/* A token for ORG (NULL: none), good for so long; bh_free() it. NULL: no key
 * can sign here, and WHY has a sentence. */
char *bh_doctor_token(const struct bh_doctor *d, const char *org, int64_t ttl_s,
                      char *why, size_t size);

#endif
