#include "writer.h"

#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "append.h"
#include "clock.h"
#include "log.h"
#include "mem.h"
#include "notes.h"
#include "queue.h"
#include "record.h"
#include "thread.h"

#define QUEUED_MS 5000 /* a request waits this long for the log */
#define TAKEN_MS  5000 /* and this long for a commit under way */

struct bh_writer {
    pthread_mutex_t lock;
    pthread_t thread;
    bool started, stop;
    int wake; /* an eventfd */
    struct bh_queue queue;
    struct bh_record record;
    unsigned long dropped; /* refusals */

    /* The thread's own. */
    struct bh_append append;
    struct bh_notes broker;
};

/* ---- jobs ---- */

struct bh_job *
bh_job_new(struct bh_batch *batch, struct bh_str domain, const char *publisher)
{
    size_t results = batch->n * sizeof(struct bh_result);
    struct bh_job *job = bh_zalloc(sizeof *job + results);
    size_t publisher_len = strnlen(publisher, BH_NAME_MAX);
    pthread_condattr_t attr;

    if (job == NULL) return NULL;
    bh_list_init(&job->link);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&job->done, &attr);
    pthread_condattr_destroy(&attr);
    job->refs = 1;
    job->queued_us = bh_now_us();
    job->outcome = BH_LOG_UNAVAILABLE;
    job->batch = *batch;
    memset(batch, 0, sizeof *batch);
    memcpy(job->names, domain.p, domain.len);
    memcpy(job->names + domain.len, publisher, publisher_len);
    job->domain = (struct bh_str){job->names, domain.len};
    job->publisher = (struct bh_str){job->names + domain.len, publisher_len};
    return job;
}

static void
job_free(struct bh_job *job)
{
    pthread_cond_destroy(&job->done);
    bh_batch_fini(&job->batch);
    bh_free(job);
}

void
bh_job_put(struct bh_writer *w, struct bh_job *job)
{
    pthread_mutex_lock(&w->lock);
    bool last = --job->refs == 0;
    pthread_mutex_unlock(&w->lock);
    if (last) job_free(job);
}

/* ---- the thread ---- */

/* Move what one transaction is to have out of the queues; whether jobs are
 * left. */
static bool
take(struct bh_writer *w, struct bh_group *group)
{
    pthread_mutex_lock(&w->lock);
    bool left = bh_queue_take(&w->queue, &group->jobs);
    bool now = w->stop || !bh_list_empty(&group->jobs);
    bh_record_take(&w->record, group, now, bh_now_ms());
    pthread_mutex_unlock(&w->lock);
    return left;
}

static bool
has_stored(const struct bh_job *job)
{
    if (job->outcome != BH_GRANTED) return false;
    for (size_t i = 0; i < job->batch.n; i++)
        if (job->results[i].what == BH_STORED) return true;
    return false;
}

static void
settle(struct bh_writer *w, struct bh_link *jobs)
{
    bh_list_each_safe (l, next, jobs) {
        struct bh_job *job = bh_job_of(l);
        bh_list_del(l);
        pthread_mutex_lock(&w->lock);
        if (has_stored(job)) bh_record_deliveries(&w->record, job);
        job->state = BH_JOB_DONE;
        pthread_cond_signal(&job->done);
        bool last = --job->refs == 0;
        pthread_mutex_unlock(&w->lock);
        if (last) job_free(job);
    }
}

/* Store a group; what the broker has nothing to say about is settled. The
 * checkpoint comes after the note, so that it delays nobody's event; where the
 * broker has to be called up first, which may take a while, before it. */
static void
store(struct bh_writer *w, struct bh_group *group)
{
    struct bh_link *jobs = &group->jobs;
    struct bh_link settled;
    struct bh_span_stored span = bh_append_group(&w->append, group);

    if (w->broker.fd < 0) bh_append_release(&w->append);
    bh_record_free(group);
    bh_list_init(&settled);
    bh_list_each_safe (l, next, jobs) {
        if (has_stored(bh_job_of(l))) continue;
        bh_list_del(l);
        bh_list_add(&settled, l);
    }
    if (!bh_list_empty(jobs)) bh_notes_send(&w->broker, &span, jobs, &settled);
    bh_append_release(&w->append);
    settle(w, &settled);
}

/* Milliseconds until something is due, -1: never. */
static int
next_timeout(struct bh_writer *w)
{
    int64_t now = bh_now_ms();
    int broker = bh_notes_timeout(&w->broker, now);

    pthread_mutex_lock(&w->lock);
    int record = bh_record_timeout(&w->record, now);
    pthread_mutex_unlock(&w->lock);
    if (broker < 0 || record < 0) return broker < 0 ? record : broker;
    return broker < record ? broker : record;
}

/* Sleep until something is to be done. AT_ONCE: there is already. */
static void
wait_for_work(struct bh_writer *w, bool at_once)
{
    struct pollfd fds[2] = {{.fd = w->wake, .events = POLLIN},
                            {.fd = w->broker.fd, .events = POLLIN}};
    int timeout = at_once ? 0 : next_timeout(w);
    struct bh_link settled;
    uint64_t count;

    poll(fds, 2, timeout);
    if (fds[0].revents != 0 && read(w->wake, &count, sizeof count) < 0)
        bh_log(BH_ERROR, "writer: eventfd: %m");
    bh_list_init(&settled);
    if (fds[1].revents != 0) bh_notes_read(&w->broker, &settled);
    bh_notes_expire(&w->broker, bh_now_ms(), &settled);
    settle(w, &settled);
}

static bool
is_over(struct bh_writer *w)
{
    pthread_mutex_lock(&w->lock);
    bool over = w->stop && bh_list_empty(&w->queue.jobs) &&
                bh_record_empty(&w->record) &&
                bh_list_empty(&w->broker.waiting);
    pthread_mutex_unlock(&w->lock);
    return over;
}

static void *
run(void *arg)
{
    struct bh_writer *w = arg;
    bool left = false;

    while (!is_over(w)) {
        struct bh_group group;
        bh_group_init(&group);
        wait_for_work(w, left);
        left = take(w, &group);
        if (!bh_group_empty(&group)) store(w, &group);
    }
    bh_notes_fini(&w->broker);
    bh_append_fini(&w->append);
    return NULL;
}

/* ---- its life ---- */

struct bh_writer *
bh_writer_new(const char *log_path, enum bh_sync sync, const char *broker_path)
{
    struct bh_writer *w = bh_zalloc(sizeof *w);

    if (w == NULL) return NULL;
    w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w->wake < 0) {
        bh_free(w);
        return NULL;
    }
    pthread_mutex_init(&w->lock, NULL);
    bh_queue_init(&w->queue);
    bh_record_init(&w->record);
    w->append = (struct bh_append){.path = log_path, .sync = sync};
    bh_notes_init(&w->broker, broker_path);
    return w;
}

static void
wake(struct bh_writer *w)
{
    uint64_t one = 1;

    if (write(w->wake, &one, sizeof one) < 0)
        bh_log(BH_ERROR, "writer: eventfd: %m");
}

void
bh_writer_free(struct bh_writer *w)
{
    if (w == NULL) return;
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    bool started = w->started;
    pthread_mutex_unlock(&w->lock);
    if (started) {
        wake(w);
        pthread_join(w->thread, NULL);
    }
    close(w->wake);
    pthread_mutex_destroy(&w->lock);
    bh_free(w);
}

/* The lock is held. */
static bool
is_running(struct bh_writer *w)
{
    if (w->stop) return false;
    if (!w->started) w->started = bh_thread_start(&w->thread, run, w) == 0;
    return w->started;
}

/* ---- the requests' side ---- */

/* The lock is held. */
static bool
wait_for(struct bh_writer *w, struct bh_job *job, int ms)
{
    struct timespec till;

    clock_gettime(CLOCK_MONOTONIC, &till);
    till.tv_sec += ms / 1000;
    while (job->state != BH_JOB_DONE)
        if (pthread_cond_timedwait(&job->done, &w->lock, &till) != 0) break;
    return job->state == BH_JOB_DONE;
}

/* The lock is held. A job that is still in the queue can be taken back; one
 * that the thread has may yet be committed, so it gets more time. */
static bool
wait_until_done(struct bh_writer *w, struct bh_job *job)
{
    if (wait_for(w, job, QUEUED_MS)) return true;
    if (job->state == BH_JOB_TAKEN) return wait_for(w, job, TAKEN_MS);
    bh_list_del(&job->link);
    job->refs--;
    return false;
}

enum bh_refusal
bh_writer_submit(struct bh_writer *w, struct bh_job *job)
{
    bool done = false;

    pthread_mutex_lock(&w->lock);
    if (is_running(w)) {
        job->refs++;
        bh_list_add(&w->queue.jobs, &job->link);
        wake(w);
        done = wait_until_done(w, job);
    }
    pthread_mutex_unlock(&w->lock);
    return done ? job->outcome : BH_LOG_UNAVAILABLE;
}

/* ---- what is put on record without waiting ---- */

void
bh_writer_deliveries(struct bh_writer *w, int64_t keep)
{
    pthread_mutex_lock(&w->lock);
    w->record.deliveries_kept = keep;
    pthread_mutex_unlock(&w->lock);
}

void
bh_writer_record(struct bh_writer *w, const struct bh_refused *r, int64_t keep)
{
    pthread_mutex_lock(&w->lock);
    if (is_running(w) && bh_record_refusal(&w->record, r, keep))
        wake(w);
    else
        w->dropped++;
    pthread_mutex_unlock(&w->lock);
}

unsigned long
bh_writer_dropped(struct bh_writer *w)
{
    pthread_mutex_lock(&w->lock);
    unsigned long n = w->dropped;
    pthread_mutex_unlock(&w->lock);
    return n;
}

void
bh_writer_telemetry(struct bh_writer *w, struct bh_link *beacons, int rows,
                    int days)
{
    pthread_mutex_lock(&w->lock);
    if (is_running(w) && bh_record_telemetry(&w->record, beacons, rows, days))
        wake(w); /* to see when it is due */
    pthread_mutex_unlock(&w->lock);
}
