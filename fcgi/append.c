#include "append.h"

#include <errno.h>
#include <string.h>

#include "clock.h"
#include "count.h"
#include "log.h"

#define DAY_MS (24 * 3600 * (int64_t)1000)

static struct bh_str
str(const char *s)
{
    return (struct bh_str){s, strlen(s)};
}

/* ---- the handle ---- */

static void
close_log(struct bh_append *a)
{
    bh_store_close(a->store);
    a->store = NULL;
}

/* Say once that it fails, and once that it works again. */
static void
tell(struct bh_append *a, int rc)
{
    if (rc < 0 && !a->failing)
        bh_log(BH_ERROR, "log: can't store events: %s: %s",
               bh_store_error(a->store), strerror(-rc));
    if (rc == 0 && a->failing) bh_log(BH_NOTICE, "log: storing again");
    a->failing = rc < 0;
}

static int
begin(struct bh_append *a)
{
    int rc = 0;

    if (a->store != NULL) {
        rc = bh_store_begin(a->store);
        if (rc != -ESTALE) return rc;
        close_log(a);
        bh_log(BH_NOTICE, "log: another file at %s: opening it", a->path);
    }
    rc = bh_store_open_writer(&a->store, a->path, a->sync);
    return rc < 0 ? rc : bh_store_begin(a->store);
}

/* ---- one request ---- */

static int
append_event(struct bh_append *a, struct bh_job *job, size_t i)
{
    const struct bh_event *e = &job->batch.v[i];
    struct bh_result *result = &job->results[i];
    struct bh_row row = {.domain = job->domain,
                         .org = e->org,
                         .property = e->property,
                         .event_id = e->event_id,
                         .event_type = e->event_type,
                         .publisher = job->publisher,
                         .timestamp = e->timestamp,
                         .body = e->body};

    result->woken = 0;
    return bh_store_append(a->store, &row, bh_event_same, &result->seq,
                           &result->what);
}

static int
append_events(struct bh_append *a, struct bh_job *job)
{
    int rc = 0;

    job->outcome = BH_GRANTED;
    for (size_t i = 0; rc == 0 && i < job->batch.n; i++) {
        rc = append_event(a, job, i);
        if (rc < 0 || job->results[i].what != BH_CONFLICT) continue;
        job->outcome = BH_EVENT_CONFLICT;
        job->conflict = i;
        break;
    }
    return rc;
}

/* A conflict takes back this request and no other. */
static int
append_marked(struct bh_append *a, struct bh_job *job)
{
    int rc = bh_store_mark(a->store);

    if (rc == 0) rc = append_events(a, job);
    return rc < 0 ? rc : bh_store_unmark(a->store, job->outcome == BH_GRANTED);
}

/* -EAGAIN: one is in conflict, and without marks it can't be taken back. */
static int
append_jobs(struct bh_append *a, struct bh_link *jobs, bool marks)
{
    bh_list_each (l, jobs) {
        struct bh_job *job = bh_job_of(l);
        int rc = marks ? append_marked(a, job) : append_events(a, job);
        if (rc < 0) return rc;
        if (!marks && job->outcome != BH_GRANTED) return -EAGAIN;
    }
    return 0;
}

static int
append_note(struct bh_append *a, const struct bh_refusal_note *n)
{
    struct bh_refused r = {.domain = str(n->domain),
                           .org = str(n->org),
                           .subject = str(n->subject),
                           .code = str(n->code),
                           .pointer = str(n->pointer),
                           .detail = str(n->detail),
                           .request_id = str(n->request_id),
                           .bytes = n->bytes};

    return bh_store_refusal(a->store, &r, n->keep);
}

static int
append_beacon(struct bh_append *a, const struct bh_beacon *b)
{
    struct bh_telemetry t = {.type = str(b->type),
                             .domain = str(b->domain),
                             .session = str(b->session),
                             .tab = str(b->tab),
                             .timestamp = b->timestamp,
                             .data = {b->data, b->data_len}};

    return bh_store_telemetry(a->store, &t);
}

static int
append_telemetry(struct bh_append *a, struct bh_group *group)
{
    int rc = 0;

    if (bh_list_empty(&group->beacons)) return 0;
    bh_list_each (l, &group->beacons) {
        if (rc == 0) rc = append_beacon(a, bh_beacon_of(l));
    }
    if (rc < 0) return rc;
    return bh_store_telemetry_keep(a->store, group->rows,
                                   bh_wall_ms() - group->days * DAY_MS);
}

static int
append_deliveries(struct bh_append *a, struct bh_group *group)
{
    const struct bh_buf *b = &group->deliveries;

    if (b->len == 0) return 0;
    const void *v = b->p; /* as aligned as all that malloc(3) gives */
    return bh_store_deliveries(a->store, v, b->len / sizeof(struct bh_delivery),
                               group->deliveries_kept);
}

/* ---- the group ---- */

static int
append_all(struct bh_append *a, struct bh_group *group, bool marks)
{
    int rc = append_jobs(a, &group->jobs, marks);

    bh_list_each (l, &group->notes) {
        if (rc == 0) rc = append_note(a, bh_note_of(l));
    }
    if (rc == 0) rc = append_deliveries(a, group);
    return rc < 0 ? rc : append_telemetry(a, group);
}

static int
transact(struct bh_append *a, struct bh_group *group, bool marks)
{
    int rc = begin(a);

    if (rc < 0) return rc;
    rc = append_all(a, group, marks);
    if (rc == 0) return bh_store_commit_held(a->store);
    bh_store_rollback(a->store);
    return rc;
}

/* A mark makes SQLite keep the old state of every page that is written after
 * it. So the first attempt goes without; conflicts are rare. */
static int
attempt(struct bh_append *a, struct bh_group *group)
{
    int rc = transact(a, group, false);

    return rc == -EAGAIN ? transact(a, group, true) : rc;
}

static void
count_lost(struct bh_group *group)
{
    bh_list_each (l, &group->beacons) bh_count(BH_M_TELEMETRY_DROPPED, 1);
}

/* Rows of one transaction have consecutive numbers. */
static void
widen(struct bh_span_stored *span, const struct bh_job *job)
{
    if (job->outcome != BH_GRANTED) return;
    for (size_t i = 0; i < job->batch.n; i++) {
        if (job->results[i].what != BH_STORED) continue;
        if (span->first == 0) span->first = job->results[i].seq;
        span->last = job->results[i].seq;
    }
}

struct bh_span_stored
bh_append_group(struct bh_append *a, struct bh_group *group)
{
    struct bh_span_stored span = {0, 0};
    int rc = attempt(a, group);

    tell(a, rc);
    if (rc < 0) count_lost(group);
    bh_list_each (l, &group->jobs) {
        struct bh_job *job = bh_job_of(l);
        if (rc < 0)
            job->outcome = BH_LOG_UNAVAILABLE;
        else
            memcpy(job->log_id, bh_store_log_id(a->store), sizeof job->log_id);
        widen(&span, job);
    }
    if (rc < 0) close_log(a);
    return span;
}

void
bh_append_release(struct bh_append *a)
{
    if (a->store != NULL) bh_store_release(a->store);
}

void
bh_append_fini(struct bh_append *a)
{
    close_log(a);
}
