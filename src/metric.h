/*
 * metric.h: every figure that Bellhop tells of itself, declared once: the JSON,
 * the Prometheus text, `bellhopctl stats` and docs/metrics.md follow this
 * table. No figure names an org or a user.
 *
 *  X(symbol, kind, path in the JSON, Prometheus name, label, meaning)
 *
 * Counters rise until the process that counts starts anew, gauges go up and
 * down. Rows that share the beginning of their path or their name stand
 * together.
 */
#ifndef BH_METRIC_H
#define BH_METRIC_H

#include "buf.h"
#include "err.h"

/* Of one domain, counted by the broker. */
#define BH_DOMAIN_METRICS(X)                                                   \
    X(ORGS, GAUGE, "orgs.total", "bellhop_orgs", "",                           \
      "Orgs that the broker has in memory")                                    \
    X(ACTIVE, GAUGE, "orgs.active_last_5m", "bellhop_orgs_active", "",         \
      "Orgs with a publish or subscribe in the last five to six minutes, "     \
      "estimated within about 3 percent")                                      \
    X(PUBLISHED, COUNTER, "events.published_total",                            \
      "bellhop_events_published_total", "",                                    \
      "Events that the broker read from the log as they came")                 \
    X(DELIVERED, COUNTER, "events.delivered_total",                            \
      "bellhop_events_delivered_total", "",                                    \
      "Events sent, once for each receiver")                                   \
    X(DROPPED, COUNTER, "events.dropped_total",                                \
      "bellhop_events_dropped_total", "",                                      \
      "Events that left memory before their time, for want of room")           \
    X(EXPIRED, COUNTER, "events.expired_total",                                \
      "bellhop_events_expired_total", "", "Events that left memory by age")    \
    X(GAPS, COUNTER, "events.gaps_total", "bellhop_gaps_total", "",            \
      "Times that a client was told of a gap")                                 \
    X(BUFFERED, GAUGE, "buffers.total_size", "bellhop_buffered_events", "",    \
      "Events in memory")                                                      \
    X(BUFFERED_MAX, GAUGE, "buffers.max_per_org",                              \
      "bellhop_buffered_events_max", "",                                       \
      "Events in memory of the org that has most")                             \
    X(BUFFERED_BYTES, GAUGE, "buffers.bytes", "bellhop_buffered_bytes", "",    \
      "Bytes of the events in memory")                                         \
    X(POLLS, GAUGE, "subscribers.by_transport.poll", "bellhop_subscribers",    \
      "transport=\"poll\"", "Requests that wait for events")                   \
    X(STREAMS, GAUGE, "subscribers.by_transport.stream",                       \
      "bellhop_subscribers", "transport=\"stream\"", "")                       \
    X(LINES, GAUGE, "subscribers.by_transport.ndjson", "bellhop_subscribers",  \
      "transport=\"ndjson\"", "")                                              \
    X(POLLED, COUNTER, "subscribers.polls_total", "bellhop_subscribes_total",  \
      "transport=\"poll\"", "Subscribes and streams taken over")               \
    X(STREAMED, COUNTER, "subscribers.streams_total",                          \
      "bellhop_subscribes_total", "transport=\"stream\"", "")                  \
    X(ANSWERS, COUNTER, "subscribers.answers_total", "bellhop_answers_total",  \
      "", "Polls answered")                                                    \
    X(EMPTY, COUNTER, "subscribers.empty_total",                               \
      "bellhop_answers_empty_total", "", "Polls answered without an event")    \
    X(SUPERSEDED, COUNTER, "subscribers.superseded_total",                     \
      "bellhop_superseded_total", "",                                          \
      "Requests ended by a newer one of the same client")                      \
    X(OVERLOADED, COUNTER, "subscribers.overloaded_total",                     \
      "bellhop_overloaded_total", "", "Requests turned away at a limit")       \
    X(TOKEN_EXPIRED, COUNTER, "subscribers.token_expired_total",               \
      "bellhop_token_expired_total", "",                                       \
      "Requests that waited until their token expired")                        \
    X(GONE, COUNTER, "subscribers.gone_total", "bellhop_gone_total", "",       \
      "Requests whose client left while they waited")                          \
    X(LOST, COUNTER, "subscribers.lost_total", "bellhop_lost_total", "",       \
      "Requests whose connection failed while being answered")

/* Of the broker. */
#define BH_BROKER_METRICS(X)                                                   \
    X(WAITERS_LIMIT, GAUGE, "limits.waiters", "bellhop_waiters_limit", "",     \
      "Requests that the broker holds at most, from its descriptors")          \
    X(CHANNEL_LIMIT, GAUGE, "limits.waiters_per_channel",                      \
      "bellhop_channel_waiters_limit", "", "The same for one org")             \
    X(USER_LIMIT, GAUGE, "limits.waiters_per_user",                            \
      "bellhop_user_waiters_limit", "", "The same for one user")               \
    X(PUBLISHER_LIMIT, GAUGE, "limits.publisher_events_per_second",            \
      "bellhop_publisher_events_limit", "",                                    \
      "Events a second that one publisher may send; 0 is no limit")            \
    X(ORG_LIMIT, GAUGE, "limits.org_events_per_second",                        \
      "bellhop_org_events_limit", "", "The same for one org, by whoever")      \
    X(BODY_LIMIT, GAUGE, "limits.body_bytes", "bellhop_body_bytes_limit", "",  \
      "Bytes of a publish at most")                                            \
    X(BAD_MESSAGES, COUNTER, "broker.bad_messages_total",                      \
      "bellhop_bad_messages_total", "",                                        \
      "Messages that the broker refused: worker and broker of two builds")     \
    X(WORKERS, GAUGE, "broker.connections", "bellhop_broker_connections", "",  \
      "Connections of workers")                                                \
    X(BROKER_HEAD, GAUGE, "broker.last_seq", "bellhop_broker_last_seq", "",    \
      "The last event that the broker has read")                               \
    X(BROKER_UPTIME, GAUGE, "process.uptime_seconds",                          \
      "bellhop_uptime_seconds", "process=\"broker\"",                          \
      "Seconds since the process started")                                     \
    X(BROKER_MEMORY, GAUGE, "process.memory_bytes", "bellhop_memory_bytes",    \
      "process=\"broker\"", "Resident memory")                                 \
    X(BROKER_FDS, GAUGE, "process.open_fds", "bellhop_open_fds",               \
      "process=\"broker\"", "Open file descriptors")

/* Of all workers together, summed up by the broker. */
#define BH_WORKER_METRICS(X)                                                   \
    X(PUBLISHES, COUNTER, "publish.requests_total",                            \
      "bellhop_publish_requests_total", "", "Publishes answered with 200")     \
    X(STORED, COUNTER, "publish.stored_total", "bellhop_publish_stored_total", \
      "", "Events stored")                                                     \
    X(DUPLICATES, COUNTER, "publish.duplicates_total",                         \
      "bellhop_publish_duplicates_total", "",                                  \
      "Events that were in the log already")                                   \
    X(FROM_LOG, COUNTER, "subscribers.from_log_total",                         \
      "bellhop_subscribes_from_log_total", "",                                 \
      "Subscribes answered from the log for want of a broker")                 \
    X(LIMITED_PUBLISHER, COUNTER, "limited.publisher_total",                   \
      "bellhop_limited_total", "limit=\"publisher\"",                          \
      "Requests refused by a rate limit")                                      \
    X(LIMITED_ORG, COUNTER, "limited.org_total", "bellhop_limited_total",      \
      "limit=\"org\"", "")                                                     \
    X(LIMITED_ADDRESS, COUNTER, "limited.telemetry_address_total",             \
      "bellhop_limited_total", "limit=\"telemetry_address\"", "")              \
    X(LIMITED_TELEMETRY, COUNTER, "limited.telemetry_total",                   \
      "bellhop_limited_total", "limit=\"telemetry\"", "")                      \
    X(TELEMETRY_TAKEN, COUNTER, "telemetry.taken_total",                       \
      "bellhop_telemetry_entries_total", "", "Telemetry entries accepted")     \
    X(TELEMETRY_OTHER, COUNTER, "telemetry.other_total",                       \
      "bellhop_telemetry_other_total", "",                                     \
      "Accepted entries of an unknown eventType")                              \
    X(TELEMETRY_DROPPED, COUNTER, "telemetry.dropped_total",                   \
      "bellhop_telemetry_dropped_total", "",                                   \
      "Accepted entries that could not be stored")

/* Of the log and the answering worker, looked up for the answer. */
#define BH_LOCAL_METRICS(X)                                                    \
    X(LOG_ROWS, GAUGE, "log.rows", "bellhop_log_rows", "",                     \
      "Numbers from the log's first event to its last; fewer rows where "      \
      "events between them were pruned")                                       \
    X(LOG_BYTES, GAUGE, "log.bytes", "bellhop_log_bytes", "",                  \
      "Size of the log's file and its WAL")                                    \
    X(LOG_SEQ, GAUGE, "log.last_seq", "bellhop_log_last_seq", "",              \
      "The last event in the log")                                             \
    X(LOG_LAG, GAUGE, "log.lag", "bellhop_log_lag", "",                        \
      "Events in the log that the broker has not read yet")                    \
    X(WORKER_UPTIME, GAUGE, "process.worker.uptime_seconds",                   \
      "bellhop_uptime_seconds", "process=\"worker\"",                          \
      "Seconds since the process started")                                     \
    X(WORKER_MEMORY, GAUGE, "process.worker.memory_bytes",                     \
      "bellhop_memory_bytes", "process=\"worker\"", "Resident memory")         \
    X(WORKER_FDS, GAUGE, "process.worker.open_fds", "bellhop_open_fds",        \
      "process=\"worker\"", "Open file descriptors")

enum bh_metric_kind { BH_METRIC_COUNTER, BH_METRIC_GAUGE };

#define BH_METRIC_ENUM(sym, kind, path, name, label, what) BH_M_##sym,
enum bh_domain_metric { BH_DOMAIN_METRICS(BH_METRIC_ENUM) BH_DOMAIN_METRIC_N };
enum bh_broker_metric { BH_BROKER_METRICS(BH_METRIC_ENUM) BH_BROKER_METRIC_N };
enum bh_worker_metric { BH_WORKER_METRICS(BH_METRIC_ENUM) BH_WORKER_METRIC_N };
enum bh_local_metric { BH_LOCAL_METRICS(BH_METRIC_ENUM) BH_LOCAL_METRIC_N };
#undef BH_METRIC_ENUM

struct bh_metric {
    enum bh_metric_kind kind;
    const char *path, *name, *label, *what; /* what "": as the row before */
};
extern const struct bh_metric bh_domain_metrics[], bh_broker_metrics[],
    bh_worker_metrics[], bh_local_metrics[];

/* From the commit of an event to its delivery to those who waited for it, in
 * milliseconds; percentiles at most 3 % too high. */
#define BH_LATENCY_BOUNDS 12
extern const uint32_t bh_latency_bounds[BH_LATENCY_BOUNDS];
struct bh_latency {
    uint64_t count, sum, p50, p90, p99, max;
    uint64_t within[BH_LATENCY_BOUNDS]; /* at most so many ms */
};

struct bh_domain_report {
    char name[BH_DOMAIN_MAX + 1];
    uint64_t v[BH_DOMAIN_METRIC_N];
    struct bh_latency latency;
};

/* All figures at one moment: some 30 KB. */
struct bh_report {
    bool broker_up; /* else only LOCAL has anything, without the lag */
    uint64_t broker[BH_BROKER_METRIC_N];
    uint64_t worker[BH_WORKER_METRIC_N];
    uint64_t refused[BH_REFUSAL_COUNT]; /* by code */
    uint64_t local[BH_LOCAL_METRIC_N];
    uint16_t n_domains;
    struct bh_domain_report domains[BH_DOMAINS_MAX + 1];
};

/* NULL where there is none of that name. */
const struct bh_domain_report *bh_report_domain(const struct bh_report *r,
                                                struct bh_str name);
/* One domain, NAME, as a JSON object: the contract of /realtime/metrics. What
 * nobody knows while the broker is away is null. */
void bh_report_json(struct bh_buf *out, const struct bh_report *r,
                    struct bh_str name);
/* Everything, in Prometheus' text format 0.0.4. */
void bh_report_prometheus(struct bh_buf *out, const struct bh_report *r);

#endif
