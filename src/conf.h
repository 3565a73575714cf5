/*
 * conf.h: the configuration file. The only user of libconfuse. Every option
 * stands once in the table in conf_table.c, with its bounds and default; the
 * annotated sample in deploy/bellhop.conf is checked against it by a test.
 */
#ifndef BH_CONF_H
#define BH_CONF_H

#include "base.h"
#include "log.h"
#include "store.h"

struct bh_conf_key {
    char *kid;
    char *algorithm; /* "HS256" … "ES512" */
    char *file;      /* secret, or public key in PEM */
    char *sign_file; /* private key in PEM for bellhopctl, or NULL */
};

struct bh_conf_domain {
    char *name;
    bool enabled; /* false also by ENABLE_<DOMAIN>_REALTIME_V2=false */
    bool off_by_environment; /* then that is why */
    bool legacy; /* the retired poll answers {"events":[]} instead of 410 */
};

struct bh_conf {
    char *path; /* the file it came from */
    enum bh_level log_level;
    bool syslog;
    struct {
        char *path;
        enum bh_sync sync;
        int deliveries_kept; /* rows; 0: none are written */
    } log;
    struct {
        char *socket;
        char *
            *users; /* who may connect besides root and the broker's own user */
        size_t n_users;
        int buffer_events;    /* per channel */
        int buffer_ms;        /* how long an event stays in memory */
        int64_t buffer_bytes; /* all channels together */
        int poll_ms, poll_jitter_ms;
        int coalesce_ms;
        int heartbeat_ms, stream_max_ms;
        int waiters_per_channel, waiters_per_user;
        int waiters;  /* in all; 0: from the descriptor limit */
        int channels; /* in memory */
        int channel_idle_ms;
    } broker;
    struct {
        char *socket; /* NULL: only an inherited one */
        int threads;
        int io_timeout_ms;
        int broker_timeout_ms; /* more than the health check gives it */
        int refusals_kept;     /* rows */
    } worker;
    struct { /* events a second and how many at once; a rate of 0: no limit */
        int publisher_rate, publisher_burst;
        int org_rate, org_burst;
        int body_bytes; /* of a publish */
    } limits;
    struct {
        int rows, days;                  /* kept; no rows: nothing is stored */
        int address_rate, address_burst; /* requests a minute, and at once */
        int rate, burst;                 /* of all: entries a second */
    } telemetry;
    struct {
        char *issuer, *audience; /* NULL: not checked */
        int leeway_s;            /* for nbf only */
        int cache;               /* verified tokens remembered */
        int life_s;              /* the longest that one is good for */
        char *claim_user, *claim_org, *claim_properties, *claim_scope;
    } token;
    struct {
        char **origins_with_credentials, **origins;
        size_t n_origins_with_credentials, n_origins;
        char **headers; /* allowed request headers */
        size_t n_headers;
        int max_age_s;
    } cors;
    struct bh_conf_key *keys;
    size_t n_keys;
    struct bh_conf_domain *domains;
    size_t n_domains;
};

/* A sink for messages: one call per mistake, "file:line: option: what". */
typedef void bh_conf_error_fn(void *arg, const char *message);

/*
 * Read and check PATH. Relative file names in it are taken from its folder.
 * Reports every mistake it can find, not just the first. NULL if there was any
 * (unknown option, wrong type, out of bounds, double section, unreadable file).
 */
struct bh_conf *bh_conf_read(const char *path, bh_conf_error_fn *fn, void *arg);
void bh_conf_free(struct bh_conf *c);

const struct bh_conf_domain *bh_conf_domain(const struct bh_conf *c,
                                            const char *name, size_t len);
/* Whether NAME is [a-z][a-z0-9-]{0,31}. */
bool bh_domain_valid(const char *name, size_t len);

/*
 * IS was read while WAS is in force: give back to it what a running process
 * can't change (sockets, the log, threads) and append the names of the options
 * that differ to NAMES, which are logged. False where there is no memory; use
 * WAS on then.
 */
bool bh_conf_keep_fixed(struct bh_conf *is, const struct bh_conf *was,
                        struct bh_buf *names);

/* Where key "KID" { … } stands in the file at PATH: bytes FROM to TO. False: it
 * isn't there, or the file can't be read. */
bool bh_conf_find_key(const char *path, const char *kid, size_t *from,
                      size_t *to);

/* For the test that compares table and sample: each option as "section.name"
 * (or "name"), in the table's order. */
void bh_conf_options(void (*fn)(void *arg, const char *option), void *arg);

#endif
