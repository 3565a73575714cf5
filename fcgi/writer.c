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
#include "thread.h"

#define QUEUED_MS     5000 /* a request waits this long for the log */
#define TAKEN_MS      5000 /* and this long for a commit under way */
#define NOTES_MAX     64   /* refusals that wait to be recorded */
#define NOTES_A_S     10   /* recorded per second at most */
#define NOTES_AT_ONCE 20

struct bh_writer {
    pthread_mutex_t lock;
    pthread_t thread;
    bool started, stop;
    int wake; /* an eventfd */
    struct bh_link queue;
    struct bh_link notes;
    size_t n_notes;
    int64_t allowance;    /* thousandths of a refusal */
    int64_t allowance_at; /* monotonic */
    unsigned long dropped;

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

/* Move what fits one transaction out of the queue; whether some is left. */
static bool
take(struct bh_writer *w, struct bh_link *jobs, struct bh_link *notes)
{
    size_t events = 0;
    bool left = false;

    pthread_mutex_lock(&w->lock);
    bh_list_each_safe (l, next, &w->queue) {
        struct bh_job *job = bh_job_of(l);
        events += job->batch.n;
        left = events > BH_GROUP_MAX;
        if (left) break;
        bh_list_del(l);
        bh_list_add(jobs, l);
        job->state = BH_JOB_TAKEN;
    }
    bh_list_each_safe (l, next, &w->notes) {
        bh_list_del(l);
        bh_list_add(notes, l);
    }
    w->n_notes = 0;
    pthread_mutex_unlock(&w->lock);
    return left;
}

static void
settle(struct bh_writer *w, struct bh_link *jobs)
{
    bh_list_each_safe (l, next, jobs) {
        struct bh_job *job = bh_job_of(l);
        bh_list_del(l);
        pthread_mutex_lock(&w->lock);
        job->state = BH_JOB_DONE;
        pthread_cond_signal(&job->done);
        bool last = --job->refs == 0;
        pthread_mutex_unlock(&w->lock);
        if (last) job_free(job);
    }
}

static void
free_notes(struct bh_link *notes)
{
    bh_list_each_safe (l, next, notes) {
        bh_list_del(l);
        bh_free(bh_note_of(l));
    }
}

static bool
has_stored(const struct bh_job *job)
{
    if (job->outcome != BH_GRANTED) return false;
    for (size_t i = 0; i < job->batch.n; i++)
        if (job->results[i].what == BH_STORED) return true;
    return false;
}

/* Store a group; what the broker has nothing to say about is settled. */
static void
store(struct bh_writer *w, struct bh_link *jobs, struct bh_link *notes)
{
    struct bh_link settled;
    struct bh_span_stored span = bh_append_group(&w->append, jobs, notes);

    free_notes(notes);
    bh_list_init(&settled);
    bh_list_each_safe (l, next, jobs) {
        if (has_stored(bh_job_of(l))) continue;
        bh_list_del(l);
        bh_list_add(&settled, l);
    }
    settle(w, &settled);
    if (bh_list_empty(jobs)) return;
    bh_notes_send(&w->broker, &span, jobs, &settled);
    settle(w, &settled);
}

/* Sleep until something is to be done. AT_ONCE: there is already. */
static void
wait_for_work(struct bh_writer *w, bool at_once)
{
    struct pollfd fds[2] = {{.fd = w->wake, .events = POLLIN},
                            {.fd = w->broker.fd, .events = POLLIN}};
    int timeout = at_once ? 0 : bh_notes_timeout(&w->broker, bh_now_ms());
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
    bool over = w->stop && bh_list_empty(&w->queue) &&
                bh_list_empty(&w->notes) && bh_list_empty(&w->broker.waiting);
    pthread_mutex_unlock(&w->lock);
    return over;
}

static void *
run(void *arg)
{
    struct bh_writer *w = arg;
    bool left = false;

    while (!is_over(w)) {
        struct bh_link jobs, notes;
        bh_list_init(&jobs);
        bh_list_init(&notes);
        wait_for_work(w, left);
        left = take(w, &jobs, &notes);
        if (!bh_list_empty(&jobs) || !bh_list_empty(&notes))
            store(w, &jobs, &notes);
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
    bh_list_init(&w->queue);
    bh_list_init(&w->notes);
    w->append = (struct bh_append){.path = log_path, .sync = sync};
    w->allowance = NOTES_AT_ONCE * 1000;
    w->allowance_at = bh_now_ms();
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
        bh_list_add(&w->queue, &job->link);
        wake(w);
        done = wait_until_done(w, job);
    }
    pthread_mutex_unlock(&w->lock);
    return done ? job->outcome : BH_LOG_UNAVAILABLE;
}

/* ---- refusals ---- */

/* The lock is held. A bucket of NOTES_AT_ONCE that fills by NOTES_A_S. */
static bool
may_record(struct bh_writer *w)
{
    int64_t now = bh_now_ms();

    w->allowance += (now - w->allowance_at) * NOTES_A_S;
    w->allowance_at = now;
    if (w->allowance > NOTES_AT_ONCE * 1000)
        w->allowance = NOTES_AT_ONCE * 1000;
    if (w->allowance < 1000 || w->n_notes >= NOTES_MAX) return false;
    w->allowance -= 1000;
    return true;
}

static void
copy(char *out, size_t size, struct bh_str s)
{
    size_t len = s.len < size ? s.len : size - 1;

    if (len > 0) memcpy(out, s.p, len);
    out[len] = '\0';
}

static struct bh_refusal_note *
note_new(const struct bh_refused *r, int64_t keep)
{
    struct bh_refusal_note *n = bh_zalloc(sizeof *n);

    if (n == NULL) return NULL;
    bh_list_init(&n->link);
    copy(n->domain, sizeof n->domain, r->domain);
    copy(n->org, sizeof n->org, r->org);
    copy(n->subject, sizeof n->subject, r->subject);
    copy(n->pointer, sizeof n->pointer, r->pointer);
    copy(n->detail, sizeof n->detail, r->detail);
    copy(n->request_id, sizeof n->request_id, r->request_id);
    copy(n->code, sizeof n->code, r->code);
    n->bytes = r->bytes;
    n->keep = keep;
    return n;
}

void
bh_writer_record(struct bh_writer *w, const struct bh_refused *r, int64_t keep)
{
    struct bh_refusal_note *n = NULL;

    pthread_mutex_lock(&w->lock);
    if (may_record(w) && is_running(w)) n = note_new(r, keep);
    if (n != NULL) {
        bh_list_add(&w->notes, &n->link);
        w->n_notes++;
        wake(w);
    } else
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
