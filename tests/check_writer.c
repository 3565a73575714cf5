/* check_writer.c: the writer thread on a log of its own, with and without a
 * broker: outcomes, conflicts within a group, a log that fails and comes back.
 */
#include "fcgi/writer.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "caller.h"
#include "clock.h"
#include "fcgi/beacon.h"
#include "fcgi/count.h"
#include "fcgi/notes.h"
#include "logbox.h"
#include "proto.h"
#include "sock.h"
#include "suites.h"

#define BROKER_MS 1000
#define DOMAIN    ((struct bh_str){"tasks", 5})

static struct bh_writer *writer;
static char path[128], broker[128];

static void
start(void)
{
    bh_logbox_setup();
    snprintf(path, sizeof path, "%s", bh_logbox_path(""));
    snprintf(broker, sizeof broker, "%s", bh_logbox_path("-broker"));
    writer = bh_writer_new(path, BH_SYNC_NORMAL, broker, BROKER_MS);
    ck_assert_ptr_nonnull(writer);
}

static void
finish(void)
{
    bh_writer_free(writer);
    bh_logbox_teardown();
}

/* A job of the events named, each "id" or "id:payload". */
static struct bh_job *
job_of(const char *events)
{
    struct bh_buf body = BH_BUF_INIT;
    struct bh_batch batch;
    struct bh_event_errors errors;
    char *copy = strdup(events), *rest = NULL;

    for (char *e = strtok_r(copy, " ", &rest); e;
         e = strtok_r(NULL, " ", &rest)) {
        char *colon = strchr(e, ':');
        if (colon) *colon = '\0';
        bh_buf_fmt(&body,
                   "{\"eventId\":\"%s\",\"eventType\":\"T\",\"timestamp\":1,"
                   "\"orgId\":\"o\",\"payload\":%s}\n",
                   e, colon ? colon + 1 : "0");
    }
    free(copy);
    ck_assert_int_eq(bh_batch_parse(&batch, (struct bh_str){body.p, body.len},
                                    BH_FORM_NDJSON, &errors),
                     0);
    bh_buf_fini(&body);
    struct bh_job *job = bh_job_new(&batch, DOMAIN, "u1");
    ck_assert_ptr_nonnull(job);
    ck_assert_ptr_null(batch.v);
    return job;
}

/* What became of a job; its batch is not copied. */
struct answer {
    pthread_mutex_t lock;
    pthread_cond_t come;
    int n; /* how often */
    struct bh_job *job;
};

static void
take_answer(void *arg, const struct bh_job *job)
{
    struct answer *a = arg;

    pthread_mutex_lock(&a->lock);
    a->n++;
    if (job != NULL) {
        size_t size = sizeof *job + job->batch.n * sizeof(struct bh_result);
        a->job = malloc(size);
        memcpy(a->job, job, size);
    }
    pthread_cond_signal(&a->come);
    pthread_mutex_unlock(&a->lock);
}

/* Publish EVENTS; the outcome must be EXPECTED. NULL: LOG_UNAVAILABLE. */
static struct bh_job *
publish(const char *events, enum bh_refusal expected)
{
    struct answer a = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0,
                       NULL};

    ck_assert_int_eq(bh_writer_submit(writer, job_of(events), take_answer, &a),
                     BH_GRANTED);
    pthread_mutex_lock(&a.lock);
    while (a.n == 0) pthread_cond_wait(&a.come, &a.lock);
    pthread_mutex_unlock(&a.lock);
    ck_assert_int_eq(a.job != NULL ? a.job->outcome : BH_LOG_UNAVAILABLE,
                     expected);
    return a.job;
}

START_TEST(test_store_and_duplicate)
{
    struct bh_job *first = publish("a b", BH_GRANTED);
    struct bh_job *again = publish("c a", BH_GRANTED);

    ck_assert_int_eq(first->results[0].what, BH_STORED);
    ck_assert_int_eq(first->results[1].seq, first->results[0].seq + 1);
    ck_assert_int_eq(first->results[0].woken, BH_WOKEN_UNKNOWN);
    ck_assert_int_eq(again->results[0].what, BH_STORED);
    ck_assert_int_eq(again->results[1].what, BH_DUPLICATE);
    ck_assert_int_eq(again->results[1].seq, first->results[0].seq);
    ck_assert_int_eq(again->results[1].woken, 0);
    ck_assert_uint_eq(strlen(first->log_id), BH_LOG_ID_LEN);
    free(first);
    free(again);
    ck_assert_int_eq(bh_logbox_number("SELECT count(*) FROM events"), 3);
    ck_assert_int_eq(
        bh_logbox_number("SELECT count(*) FROM events WHERE publisher = 'u1'"),
        3);
}
END_TEST

START_TEST(test_conflict_takes_back_its_request)
{
    free(publish("a", BH_GRANTED));
    struct bh_job *job = publish("x y a:1 z", BH_EVENT_CONFLICT);
    ck_assert_uint_eq(job->conflict, 2);
    free(job);
    job = publish("v w v:2", BH_EVENT_CONFLICT);
    ck_assert_uint_eq(job->conflict, 2);
    free(job);
    job = publish("b", BH_GRANTED);
    ck_assert_int_eq(job->results[0].seq, 2); /* no number was used up */
    free(job);
    ck_assert_int_eq(bh_logbox_number("SELECT count(*) FROM events"), 2);
}
END_TEST

static void *
publish_many(void *arg)
{
    char name[32];

    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof name, "%s-%d", (const char *)arg, i);
        struct bh_job *job = publish(name, BH_GRANTED);
        ck_assert_int_eq(job->results[0].what, BH_STORED);
        free(job);
    }
    return NULL;
}

START_TEST(test_many_threads)
{
    static char names[4][2] = {"a", "b", "c", "d"};
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(
            pthread_create(&threads[i], NULL, publish_many, names[i]), 0);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    ck_assert_int_eq(bh_logbox_number("SELECT count(*) FROM events"), 200);
    ck_assert_int_eq(bh_logbox_number("SELECT max(seq) FROM events"), 200);
}
END_TEST

START_TEST(test_log_fails_and_comes_back)
{
    char aside[160];

    free(publish("a", BH_GRANTED));
    /* A folder where the log should be. */
    snprintf(aside, sizeof aside, "%s-aside", path);
    ck_assert_int_eq(rename(path, aside), 0);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    free(publish("b", BH_LOG_UNAVAILABLE));
    free(publish("c", BH_LOG_UNAVAILABLE));
    ck_assert_int_eq(rmdir(path), 0);
    struct bh_job *job = publish("a:1", BH_GRANTED); /* a new log */
    ck_assert_int_eq(job->results[0].what, BH_STORED);
    free(job);
    unlink(aside);
}
END_TEST

START_TEST(test_refusals)
{
    char detail[300];
    struct bh_refused r = {.domain = DOMAIN,
                           .org = {"o", 1},
                           .subject = {"u1", 2},
                           .code = {"invalid_event", 13},
                           .pointer = {"/x", 2},
                           .detail = {detail, sizeof detail},
                           .request_id = {"r", 1},
                           .bytes = 5};

    memset(detail, 'd', sizeof detail);
    for (int i = 0; i < 100; i++) bh_writer_record(writer, &r, 1000);
    ck_assert_uint_ge(bh_writer_dropped(writer), 75);
    free(publish("a", BH_GRANTED)); /* they are before it */
    int64_t rows = bh_logbox_number("SELECT count(*) FROM refusals");
    ck_assert_int_eq((int64_t)bh_writer_dropped(writer) + rows, 100);
    ck_assert_int_ge(rows, 20);
    ck_assert_int_eq(
        bh_logbox_number("SELECT count(*) FROM refusals WHERE domain = 'tasks' "
                         "AND pointer = '/x' AND bytes = 5 AND "
                         "length(detail) = 127"),
        rows);
}
END_TEST

/* ---- telemetry ---- */

static int
tell(const char *body, int rows, int days)
{
    struct bh_event_errors errors;
    struct bh_link list;

    bh_list_init(&list);
    int n =
        bh_beacon_parse(&list, (struct bh_str){body, strlen(body)}, &errors);
    ck_assert_int_gt(n, 0);
    bh_writer_telemetry(writer, &list, rows, days);
    int left = 0;
    bh_list_each (l, &list) left++;
    bh_beacons_free(&list);
    return left;
}

static const char steal[] =
    "[{\"eventType\":\"steal\",\"domain\":\"tasks\",\"sessionId\":\"s\","
    "\"timestamp\":7,\"a\":1},"
    "{\"eventType\":\"odd\",\"domain\":\"tasks\"}]";

/* It goes with the next commit. */
START_TEST(test_telemetry)
{
    ck_assert_int_eq(tell(steal, 100, 1), 0);
    free(publish("a", BH_GRANTED));
    ck_assert_int_eq(
        bh_logbox_number("SELECT count(*) FROM telemetry WHERE at > 0 AND "
                         "event_type = 'steal' AND session_id = 's' AND tab_id "
                         "= '' AND timestamp = 7 AND data = '{\"a\":1}'"),
        1);
    ck_assert_int_eq(
        bh_logbox_number("SELECT count(*) FROM telemetry WHERE timestamp IS "
                         "NULL AND event_type = 'other' AND "
                         "data ->> '$.eventType' = 'odd'"),
        1);
}
END_TEST

/* Without one it is stored all the same. */
START_TEST(test_telemetry_alone)
{
    free(publish("a", BH_GRANTED));
    ck_assert_int_eq(tell(steal, 100, 1), 0);
    for (int i = 0; i < 1000; i++) {
        if (bh_logbox_number("SELECT count(*) FROM telemetry") == 2) return;
        usleep(10000);
    }
    ck_abort_msg("it was never stored");
}
END_TEST

START_TEST(test_telemetry_is_bounded)
{
    uint64_t before = bh_counted(BH_M_TELEMETRY_DROPPED);
    int left = 0;

    free(publish("a", BH_GRANTED));
    for (int i = 0; i < 4000; i++) left += tell(steal, 100, 1);
    ck_assert_int_eq((int64_t)(bh_counted(BH_M_TELEMETRY_DROPPED) - before),
                     left);
    free(publish("b", BH_GRANTED));
    ck_assert_int_eq(bh_logbox_number("SELECT count(*) FROM telemetry"), 100);
    ck_assert_int_eq(bh_logbox_number("SELECT max(id) FROM telemetry"),
                     8000 - left);
}
END_TEST

START_TEST(test_telemetry_ages)
{
    tell(steal, 100, 1);
    free(publish("a", BH_GRANTED));
    bh_logbox_sql("UPDATE telemetry SET at = at - 86400000 WHERE id = 1");
    tell(steal, 100, 2);
    free(publish("b", BH_GRANTED));
    ck_assert_int_eq(bh_logbox_number("SELECT count(*) FROM telemetry"), 4);
    tell(steal, 100, 1);
    free(publish("c", BH_GRANTED));
    ck_assert_int_eq(bh_logbox_number("SELECT count(*) FROM telemetry"), 5);
    ck_assert_int_eq(bh_logbox_number("SELECT min(id) FROM telemetry"), 2);
}
END_TEST

START_TEST(test_end_stores_telemetry)
{
    tell(steal, 100, 1);
    bh_writer_free(writer);
    writer = NULL;
    ck_assert_int_eq(bh_logbox_number("SELECT count(*) FROM telemetry"), 2);
}
END_TEST

/* What is queued when the end comes is still stored. */
START_TEST(test_end_stores_what_is_queued)
{
    struct bh_refused r = {.domain = DOMAIN, .subject = {"u", 1}};

    bh_writer_record(writer, &r, 1000);
    bh_writer_free(writer);
    writer = NULL;
    ck_assert_int_eq(bh_logbox_number("SELECT count(*) FROM refusals"), 1);
}
END_TEST

/* Another process keeps the log's lock: whoever waits is told so after a while,
 * once, and nobody waits for the writer's end for ever. */
START_TEST(test_log_is_locked)
{
    struct answer first = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER,
                           0, NULL};
    struct answer second = first;
    int64_t now = bh_now_ms(), wall = bh_wall_ms();

    free(publish("a", BH_GRANTED));
    int lock = open(bh_logbox_path(".lock"), O_RDWR | O_CLOEXEC);
    ck_assert_int_ge(lock, 0);
    ck_assert_int_eq(flock(lock, LOCK_EX), 0);
    ck_assert_int_eq(bh_writer_submit(writer, job_of("b"), take_answer, &first),
                     BH_GRANTED);
    bh_writer_expire(writer);
    ck_assert_int_eq(first.n, 0);
    bh_clock_fake(now + 20000, wall + 20000);
    ck_assert_int_eq(
        bh_writer_submit(writer, job_of("c"), take_answer, &second),
        BH_GRANTED);
    bh_writer_expire(writer);
    bh_clock_real();
    ck_assert_int_eq(first.n, 1);
    ck_assert_ptr_null(first.job);
    ck_assert_int_eq(flock(lock, LOCK_UN), 0);
    free(publish("d", BH_GRANTED));
    pthread_mutex_lock(&second.lock);
    ck_assert_int_eq(second.n, 1);
    ck_assert_int_eq(first.n, 1);
    pthread_mutex_unlock(&second.lock);
    free(second.job);
    close(lock);
}
END_TEST

/* ---- the broker ---- */

static void
say(int fd, struct bh_buf *msg)
{
    ck_assert_int_eq(bh_sock_send(fd, msg->p, msg->len, -1, 0), 0);
    bh_buf_fini(msg);
}

static struct bh_job *
note(struct bh_notes *n, int64_t seq, struct bh_link *settled)
{
    struct bh_span_stored span = {seq, seq};
    struct bh_job *job = job_of("a");
    struct bh_link jobs;

    job->results[0] = (struct bh_result){.what = BH_STORED, .seq = seq};
    bh_list_init(&jobs);
    bh_list_add(&jobs, &job->link);
    bh_notes_send(n, &span, &jobs, settled);
    return job;
}

static int
welcome(int listener)
{
    struct bh_welcome welcome = {.head = 0};
    struct bh_buf msg = BH_BUF_INIT;
    int fd = accept(listener, NULL, NULL);

    bh_welcome_encode(&msg, &welcome);
    say(fd, &msg);
    close(listener);
    return fd;
}

/* A broker in the test's hand that N's next note goes to, and how it began: it
 * had kept N waiting. */
static int
play_broker(struct bh_notes *n)
{
    int listener = bh_sock_listen(broker, SOCK_SEQPACKET, 0600, 4);
    struct bh_link settled;

    bh_list_init(&settled);
    bh_notes_init(n, broker, BROKER_MS);
    struct bh_job *early = note(n, 1, &settled);
    ck_assert_int_eq(early->results[0].woken, BH_WOKEN_UNKNOWN);
    ck_assert_int_eq(bh_notes_timeout(n, bh_now_ms()), -1);
    bh_job_free(early);
    return welcome(listener);
}

/* One that leaves takes nothing more, and answers what it has taken. */
START_TEST(test_broker_leaves)
{
    struct bh_noted noted = {2, 1};
    const uint32_t woken = 7;
    struct bh_buf msg = BH_BUF_INIT;
    struct bh_link settled;
    struct bh_notes n;
    int fd = play_broker(&n);

    bh_list_init(&settled);
    struct bh_job *first = note(&n, 2, &settled);
    ck_assert_int_eq(shutdown(fd, SHUT_RD), 0);
    bh_noted_encode(&msg, &noted, &woken);
    say(fd, &msg);
    close(fd);
    struct bh_job *second = note(&n, 3, &settled);
    ck_assert_int_eq(first->results[0].woken, woken);
    ck_assert_int_eq(second->results[0].woken, BH_WOKEN_UNKNOWN);
    bh_notes_fini(&n);
    bh_job_free(first);
    bh_job_free(second);
}
END_TEST

/* One that is there, and never answers. */
START_TEST(test_broker_keeps_silent)
{
    struct bh_link settled;
    struct bh_notes n;
    int fd = play_broker(&n);

    bh_list_init(&settled);
    int64_t before = bh_now_ms();
    struct bh_job *job = note(&n, 2, &settled);
    int64_t after = bh_now_ms();
    bh_notes_expire(&n, before + BROKER_MS - 1, &settled);
    ck_assert(!bh_list_empty(&n.waiting));
    ck_assert_int_eq(bh_notes_timeout(&n, after + BROKER_MS), 0);
    bh_notes_expire(&n, after + BROKER_MS, &settled);
    ck_assert(bh_list_empty(&n.waiting));
    ck_assert_int_eq(job->results[0].woken, BH_WOKEN_UNKNOWN);
    bh_notes_fini(&n);
    bh_job_free(job);
    close(fd);
}
END_TEST

/* Nobody is told that it isn't stored while there is time for the broker. */
START_TEST(test_broker_has_its_time)
{
    struct answer a = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0,
                       NULL};
    int listener = bh_sock_listen(broker, SOCK_SEQPACKET, 0600, 4);
    int64_t now = bh_now_ms(), wall = bh_wall_ms();
    char packet[BH_MSG_MAX];
    struct bh_reader r;

    bh_writer_free(writer);
    writer = bh_writer_new(path, BH_SYNC_NORMAL, broker, 600 * 1000);
    ck_assert_int_eq(bh_writer_submit(writer, job_of("a"), take_answer, &a),
                     BH_GRANTED);
    int fd = welcome(listener);
    ck_assert_int_eq(bh_hear(fd, packet, sizeof packet, &r, 0), BH_OP_HELLO);
    ck_assert_int_eq(bh_hear(fd, packet, sizeof packet, &r, 0), BH_OP_NOTE);
    bh_clock_fake(now + 500 * 1000, wall);
    bh_writer_expire(writer);
    bh_clock_real();
    ck_assert_int_eq(a.n, 0);
    close(fd);
    pthread_mutex_lock(&a.lock);
    while (a.n == 0) pthread_cond_wait(&a.come, &a.lock);
    pthread_mutex_unlock(&a.lock);
    ck_assert_ptr_nonnull(a.job);
    ck_assert_int_eq(a.job->results[0].woken, BH_WOKEN_UNKNOWN);
    free(a.job);
}
END_TEST

Suite *
check_writer(void)
{
    Suite *s = suite_create("writer");
    TCase *c = tcase_create("writer");

    tcase_add_checked_fixture(c, start, finish);
    tcase_add_test(c, test_store_and_duplicate);
    tcase_add_test(c, test_conflict_takes_back_its_request);
    tcase_add_test(c, test_many_threads);
    tcase_add_test(c, test_log_fails_and_comes_back);
    tcase_add_test(c, test_log_is_locked);
    tcase_add_test(c, test_refusals);
    tcase_add_test(c, test_telemetry);
    tcase_add_test(c, test_telemetry_alone);
    tcase_add_test(c, test_telemetry_is_bounded);
    tcase_add_test(c, test_telemetry_ages);
    tcase_add_test(c, test_end_stores_telemetry);
    tcase_add_test(c, test_end_stores_what_is_queued);
    tcase_add_test(c, test_broker_leaves);
    tcase_add_test(c, test_broker_keeps_silent);
    tcase_add_test(c, test_broker_has_its_time);
    suite_add_tcase(s, c);
    return s;
}
