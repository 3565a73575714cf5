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
#define TAKEN_MS  3000 /* and this long for a commit under way */
#define STOP_MS   8000 /* for all that is queued, at the end */

struct bh_writer {
    pthread_mutex_t lock;
    pthread_t thread;
    bool started, stop;
    bool asleep; /* the thread is, or is about to be */
    int wake;    /* an eventfd */
    struct bh_queue queue;
    struct bh_link open; /* jobs that nobody has answered, the oldest first */
    struct bh_record record;
    unsigned long dropped; /* refusals */

    /* The thread's own. */
    struct bh_append append;
    struct bh_notes broker;
};

/* ---- jobs ---- */

/* What a body takes in memory: twice, as text and as names. */
static size_t
size_of(const struct bh_batch *b)
{
    return b->text.len + b->strings.len +
           b->n * (sizeof *b->v + sizeof(struct bh_result));
}

struct bh_job *
bh_job_new(struct bh_batch *batch, struct bh_str domain, const char *publisher)
{
    size_t results = batch->n * sizeof(struct bh_result);
    struct bh_job *job = bh_zalloc(sizeof *job + results);
    size_t publisher_len = strnlen(publisher, BH_NAME_MAX);

    if (job == NULL) return NULL;
    bh_list_init(&job->link);
    bh_list_init(&job->open);
    job->queued_us = bh_now_us();
    job->outcome = BH_LOG_UNAVAILABLE;
    job->bytes = size_of(batch);
    job->batch = *batch;
    memset(batch, 0, sizeof *batch);
    memcpy(job->names, domain.p, domain.len);
    memcpy(job->names + domain.len, publisher, publisher_len);
    job->domain = (struct bh_str){job->names, domain.len};
    job->publisher = (struct bh_str){job->names + domain.len, publisher_len};
    return job;
}

void
bh_job_free(struct bh_job *job)
{
    if (job == NULL) return;
    bh_batch_fini(&job->batch);
    bh_free(job);
}

/* The lock is held. A thread that is at work looks by itself. */
static void
wake(struct bh_writer *w)
{
    uint64_t one = 1;

    if (!w->asleep) return;
    w->asleep = false;
    if (write(w->wake, &one, sizeof one) < 0)
        bh_log(BH_ERROR, "writer: eventfd: %m");
}

/* ---- the thread ---- */

/* Move what one transaction is to have out of the queues. */
static void
take(struct bh_writer *w, struct bh_group *group)
{
    pthread_mutex_lock(&w->lock);
    w->asleep = false;
    bh_queue_take(&w->queue, &group->jobs, bh_now_us());
    bool now = w->stop || !bh_list_empty(&group->jobs);
    bh_record_take(&w->record, group, now, bh_now_ms());
    pthread_mutex_unlock(&w->lock);
}

static bool
has_stored(const struct bh_job *job)
{
    if (job->outcome != BH_GRANTED) return false;
    for (size_t i = 0; i < job->batch.n; i++)
        if (job->results[i].what == BH_STORED) return true;
    return false;
}

/* Out of the list of those who wait; false where nobody does any more. The lock
 * is held. */
static bool
claim(struct bh_job *job)
{
    bool waits = !bh_list_empty(&job->open);

    bh_list_del(&job->open);
    return waits;
}

/* Answer them. One that couldn't be stored is as good as one never taken. */
static void
settle(struct bh_writer *w, struct bh_link *jobs)
{
    bh_list_each_safe (l, next, jobs) {
        struct bh_job *job = bh_job_of(l);
        bool stored = job->outcome != BH_LOG_UNAVAILABLE;
        bh_list_del(l);
        pthread_mutex_lock(&w->lock);
        if (has_stored(job)) bh_record_deliveries(&w->record, job);
        bool waits = claim(job);
        pthread_mutex_unlock(&w->lock);
        if (waits) job->fn(job->arg, stored ? job : NULL);
        bh_job_free(job);
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

static int
sooner(int a, int b)
{
    if (a < 0 || b < 0) return a < 0 ? b : a;
    return a < b ? a : b;
}

/* Milliseconds until something is due, -1: never. From now on the thread is to
 * be woken. */
static int
next_timeout(struct bh_writer *w)
{
    int64_t now = bh_now_ms();
    int broker = bh_notes_timeout(&w->broker, now);

    pthread_mutex_lock(&w->lock);
    int record = bh_record_timeout(&w->record, now);
    int queue = bh_queue_timeout(&w->queue, bh_now_us());
    w->asleep = queue != 0;
    pthread_mutex_unlock(&w->lock);
    return sooner(queue, sooner(broker, record));
}

/* Sleep until something is to be done. */
static void
wait_for_work(struct bh_writer *w)
{
    struct pollfd fds[2] = {{.fd = w->wake, .events = POLLIN},
                            {.fd = w->broker.fd, .events = POLLIN}};
    int timeout = next_timeout(w);
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

    while (!is_over(w)) {
        struct bh_group group;
        bh_group_init(&group);
        wait_for_work(w);
        take(w, &group);
        if (bh_group_empty(&group)) continue;
        store(w, &group);
        pthread_mutex_lock(&w->lock);
        bh_queue_done(&w->queue, bh_now_us());
        pthread_mutex_unlock(&w->lock);
    }
    bh_notes_fini(&w->broker);
    bh_append_fini(&w->append);
    return NULL;
}

/* ---- its life ---- */

struct bh_writer *
bh_writer_new(const char *log_path, enum bh_sync sync, const char *broker_path,
              int broker_ms)
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
    bh_list_init(&w->open);
    bh_record_init(&w->record);
    w->append = (struct bh_append){.path = log_path, .sync = sync};
    bh_notes_init(&w->broker, broker_path, broker_ms);
    return w;
}

/* The thread may be held by a lock that another process keeps. */
static bool
join(pthread_t thread, int ms)
{
    struct timespec till;

    clock_gettime(CLOCK_REALTIME, &till);
    till.tv_sec += ms / 1000;
    return pthread_timedjoin_np(thread, NULL, &till) == 0;
}

bool
bh_writer_free(struct bh_writer *w)
{
    if (w == NULL) return true;
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    bool started = w->started;
    wake(w);
    pthread_mutex_unlock(&w->lock);
    if (started && !join(w->thread, STOP_MS)) return false;
    close(w->wake);
    pthread_mutex_destroy(&w->lock);
    bh_free(w);
    return true;
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

enum bh_refusal
bh_writer_submit(struct bh_writer *w, struct bh_job *job, bh_job_fn *fn,
                 void *arg)
{
    enum bh_refusal no = BH_LOG_UNAVAILABLE;

    job->fn = fn;
    job->arg = arg;
    pthread_mutex_lock(&w->lock);
    if (!bh_queue_has_room(&w->queue, job->publisher, job->batch.v[0].org,
                           job->bytes))
        no = BH_RATE_LIMITED;
    else if (is_running(w)) {
        bh_queue_add(&w->queue, job);
        bh_list_add(&w->open, &job->open);
        wake(w);
        no = BH_GRANTED;
    }
    pthread_mutex_unlock(&w->lock);
    if (no != BH_GRANTED) bh_job_free(job);
    return no;
}

bool
bh_writer_has_room(struct bh_writer *w, struct bh_str publisher,
                   struct bh_str org)
{
    pthread_mutex_lock(&w->lock);
    bool room = bh_queue_has_room(&w->queue, publisher, org, 0);
    pthread_mutex_unlock(&w->lock);
    return room;
}

/* At the end everybody has waited for long enough. */
static bool
is_late(const struct bh_writer *w, const struct bh_job *job, int64_t now_us)
{
    int64_t ms = QUEUED_MS;

    /* The broker may keep us waiting twice: for WELCOME, and for NOTED. */
    if (job->taken) ms += TAKEN_MS + 2 * w->broker.broker.timeout_ms;
    return w->stop || now_us - job->queued_us >= ms * 1000;
}

/* One that has waited for too long, which nobody else answers now; where it was
 * still in the queue it is taken back, and becomes *OWN. */
static bool
claim_late(struct bh_writer *w, bh_job_fn **fn, void **arg, struct bh_job **own)
{
    int64_t now = bh_now_us();

    bh_list_each (l, &w->open) {
        struct bh_job *job = bh_job_of_open(l);
        if (!is_late(w, job, now)) continue;
        *fn = job->fn;
        *arg = job->arg;
        *own = job->taken ? NULL : job;
        if (*own != NULL) bh_queue_remove(&w->queue, job);
        return claim(job);
    }
    return false;
}

void
bh_writer_expire(struct bh_writer *w)
{
    struct bh_job *own;
    bh_job_fn *fn;
    void *arg;

    for (;;) {
        pthread_mutex_lock(&w->lock);
        bool late = claim_late(w, &fn, &arg, &own);
        pthread_mutex_unlock(&w->lock);
        if (!late) return;
        fn(arg, NULL);
        bh_job_free(own);
    }
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
