/* The log shared by processes, and processes that die over it. SQLite's handles
 * must not cross a fork: whoever forks here has none open. */
#include "base.h"
#include "logbox.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suites.h"

/* What the processes of one test know of each other. */
struct board {
    _Atomic int ready; /* processes that have come to the start */
    _Atomic int go;
    _Atomic int done;      /* writers that are through */
    _Atomic int committed; /* rows, or a mark */
    _Atomic int inside;    /* in the middle of a transaction */
    _Atomic int64_t read;  /* the last seq that the reader has */
};

static struct board *board;

static void
set_up(void)
{
    bh_logbox_setup();
    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(board, MAP_FAILED);
}

/* Run FN in a process of its own. It must not use ck_assert, which would
 * continue the test there, but die by check(). */
static pid_t
spawn(void (*fn)(int), int arg)
{
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid > 0) return pid;
    fn(arg);
    _exit(0);
}

static void
check(bool fine, const char *what, struct bh_store *s)
{
    if (fine) return;
    fprintf(stderr, "child: %s: %s\n", what, bh_store_error(s));
    _exit(1);
}

static void
assert_exits_well(pid_t pid)
{
    int status;

    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x",
                  (unsigned)status);
}

/* The test case's timeout bounds it. */
static void
wait_for(_Atomic int *value, int least)
{
    while (atomic_load(value) < least) sched_yield();
}

static void
line_up(void)
{
    atomic_fetch_add(&board->ready, 1);
    wait_for(&board->go, 1);
}

static struct bh_store *
writer(void)
{
    struct bh_store *s;
    int rc = bh_store_open_writer(&s, bh_logbox_path(""), BH_SYNC_NORMAL);

    check(rc == 0, "open", NULL);
    return s;
}

static bool
same(struct bh_str a BH_UNUSED, struct bh_str b BH_UNUSED)
{
    return true;
}

static void
append(struct bh_store *s, int who, int n)
{
    char id[32];
    int len = snprintf(id, sizeof id, "%d-%d", who, n);
    const struct bh_row row = {
        .domain = {"tasks", 5},
        .org = {"o", 1},
        .event_id = {id, (size_t)len},
        .event_type = {"t", 1},
        .publisher = {"p", 1},
        .body = {"{}", 2},
    };
    enum bh_stored what = BH_CONFLICT;
    int64_t seq;

    check(bh_store_append(s, &row, same, &seq, &what) == 0, "append", s);
    check(what == BH_STORED, "stored", s);
}

/* ---- creation ---- */

static void
create_and_append(int who)
{
    line_up();
    struct bh_store *s = writer();
    check(bh_store_begin(s) == 0, "begin", s);
    append(s, who, 0);
    check(bh_store_commit(s) == 0, "commit", s);
    bh_store_close(s);
}

/* A reader that comes too early finds no log, and never half of one. */
static void
read_as_soon_as_it_is_there(int arg BH_UNUSED)
{
    struct bh_store *s;
    int rc = -ENOENT;

    line_up();
    while (rc == -ENOENT) rc = bh_store_open_reader(&s, bh_logbox_path(""));
    check(rc == 0, "open for reading", NULL);
    bh_store_close(s);
}

START_TEST(many_open_a_missing_log_at_once)
{
    pid_t pid[8];

    for (int i = 0; i < 6; i++) pid[i] = spawn(create_and_append, i);
    for (int i = 6; i < 8; i++) pid[i] = spawn(read_as_soon_as_it_is_there, i);
    wait_for(&board->ready, 8);
    atomic_store(&board->go, 1);
    for (int i = 0; i < 8; i++) assert_exits_well(pid[i]);
    ck_assert_int_eq(bh_logbox_number("SELECT count(*) FROM log"), 1);
    ck_assert_int_eq(bh_logbox_number("SELECT count(*) FROM events"), 6);
    ck_assert_int_eq(bh_logbox_number("SELECT max(seq) FROM events"), 6);
    ck_assert(bh_logbox_sound());
}
END_TEST

/* ---- the lock ---- */

static void
hold_the_lock(int arg BH_UNUSED)
{
    struct bh_store *s = writer();

    check(bh_store_begin(s) == 0, "begin", s);
    append(s, 1, 1);
    atomic_store(&board->inside, 1);
    wait_for(&board->go, 1);
    atomic_store(&board->committed, 1);
    check(bh_store_commit(s) == 0, "commit", s);
    bh_store_close(s);
}

static void
want_the_lock(int pipe_end)
{
    struct bh_store *s = writer();
    struct bh_span span;

    atomic_fetch_add(&board->ready, 1);
    wait_for(&board->inside, 1);
    check(bh_store_begin(s) == 0, "begin", s);
    check(atomic_load(&board->committed) == 1, "wait for the lock", s);
    check(bh_store_span(s, &span) == 0 && span.head == 1, "head", s);
    append(s, 2, 1);
    check(bh_store_commit(s) == 0, "commit", s);
    check(write(pipe_end, "x", 1) == 1, "write", s);
    bh_store_close(s);
}

static void
want_to_open(int pipe_end)
{
    wait_for(&board->inside, 1);
    bh_store_close(writer());
    check(atomic_load(&board->committed) == 1, "wait for the lock", NULL);
    check(write(pipe_end, "x", 1) == 1, "write", NULL);
}

START_TEST(begin_and_open_wait_for_the_other_process)
{
    int end[2];
    char got[2];

    ck_assert_int_eq(pipe(end), 0);
    pid_t wanting = spawn(want_the_lock, end[1]);
    wait_for(&board->ready, 1);
    pid_t holding = spawn(hold_the_lock, 0);
    pid_t opening = spawn(want_to_open, end[1]);
    wait_for(&board->inside, 1);
    struct pollfd p = {.fd = end[0], .events = POLLIN};
    ck_assert(bh_logbox_locked());
    ck_assert_int_eq(poll(&p, 1, 100), 0);
    atomic_store(&board->go, 1);
    for (int i = 0; i < 2; i++) ck_assert_int_eq(read(end[0], got, 1), 1);
    assert_exits_well(wanting);
    assert_exits_well(holding);
    assert_exits_well(opening);
    ck_assert(!bh_logbox_locked());
    ck_assert_int_eq(bh_logbox_number("SELECT count(*) FROM events"), 2);
}
END_TEST

/* ---- writers, a pruner and a reader ---- */

#define EACH 1500 /* rows of one writer */

/* Transactions of one to five rows, some of which take a row back. */
static void
write_rows(int who)
{
    struct bh_store *s = writer();
    int n = 0;

    line_up();
    while (n < EACH) {
        check(bh_store_begin(s) == 0, "begin", s);
        for (int i = n % 5; i >= 0 && n < EACH; i--) append(s, who, n++);
        check(bh_store_mark(s) == 0, "mark", s);
        append(s, who, -1);
        check(bh_store_unmark(s, false) == 0, "unmark", s);
        if (n % 7 == 0) append(s, who, n++);
        check(bh_store_commit(s) == 0, "commit", s);
    }
    bh_store_close(s);
    atomic_fetch_add(&board->done, 1);
}

/* Prunes only what the reader has, for otherwise a hole would be right. */
static void
prune_what_was_read(int arg BH_UNUSED)
{
    struct bh_store *s = writer();
    int64_t pruned = 0;

    line_up();
    while (atomic_load(&board->done) < 2 || pruned == 0) {
        int limit = (int)(atomic_load(&board->read) - pruned) - 3;
        int n = 0;

        sched_yield();
        if (limit < 50) continue;
        check(bh_store_begin(s) == 0, "begin", s);
        check(bh_logbox_prune(s, INT64_MAX, limit, &n) == 0, "prune", s);
        check(bh_store_commit(s) == 0, "commit", s);
        check(n == limit, "prune as many as were read", s);
        pruned += n;
    }
    bh_store_close(s);
}

struct reader {
    int64_t last;
    int next[3]; /* of writers 1 and 2 */
    bool in_order;
};

static bool
take(void *arg, const struct bh_event_row *row)
{
    struct reader *r = arg;
    int who = row->event_id.p[0] - '0';

    r->in_order = row->seq == r->last + 1 && (who == 1 || who == 2) &&
                  atoi(row->event_id.p + 2) == r->next[who]++;
    r->last = row->seq;
    return r->in_order;
}

START_TEST(reader_sees_a_strict_sequence_while_all_write)
{
    struct reader r = {.in_order = true};
    struct bh_span span;

    bh_store_close(bh_logbox_writer(BH_SYNC_NORMAL));
    pid_t one = spawn(write_rows, 1), two = spawn(write_rows, 2);
    pid_t pruner = spawn(prune_what_was_read, 0);
    struct bh_store *s = bh_logbox_reader();
    wait_for(&board->ready, 3);
    atomic_store(&board->go, 1);
    for (bool last_look = false; !last_look;) {
        last_look = atomic_load(&board->done) == 2;
        int64_t before = r.last;
        do {
            before = r.last;
            ck_assert_int_eq(bh_store_follow(s, r.last, 100, take, &r), 0);
            ck_assert_msg(r.in_order, "at %lld", (long long)r.last);
            atomic_store(&board->read, r.last);
        } while (r.last > before);
        ck_assert_int_eq(bh_store_span(s, &span), 0);
        ck_assert_int_ge(span.head, r.last);
    }
    ck_assert_int_eq(r.next[1], r.next[2]);
    ck_assert_int_eq(r.last, r.next[1] + r.next[2]);
    ck_assert_int_eq(span.head, r.last);
    bh_store_close(s);
    assert_exits_well(one);
    assert_exits_well(two);
    assert_exits_well(pruner);
    ck_assert_int_gt(bh_logbox_number("SELECT pruned_seq FROM log"), 0);
    ck_assert(bh_logbox_sound());
}
END_TEST

/* ---- kill -9 ---- */

#define GROUP 20 /* rows of one transaction */

/* Odd rounds stand still in the middle of their third transaction. */
static void
write_until_killed(int round)
{
    struct bh_store *s = writer();

    for (int n = 0;; n += GROUP) {
        check(bh_store_begin(s) == 0, "begin", s);
        for (int i = 0; i < GROUP; i++) {
            append(s, round, n + i);
            if (i == GROUP / 2) atomic_fetch_add(&board->inside, 1);
            if (i == GROUP / 2 && round % 2 == 1 && n == 2 * GROUP) pause();
        }
        check(bh_store_commit(s) == 0, "commit", s);
        atomic_fetch_add(&board->committed, GROUP);
    }
}

static bool
count(void *arg, const struct bh_event_row *row)
{
    int64_t *last = arg;

    if (row->seq != *last + 1) return false;
    *last = row->seq;
    return true;
}

START_TEST(killed_writer_leaves_whole_transactions_and_no_lock)
{
    int64_t rows = 0;

    for (int round = 0; round < 24; round++) {
        atomic_store(&board->inside, 0);
        atomic_store(&board->committed, 0);
        pid_t pid = spawn(write_until_killed, round);
        wait_for(&board->inside, round % 2 == 1 ? 3 : 1 + round);
        kill(pid, SIGKILL);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        ck_assert(!bh_logbox_locked());
        /* As after a reboot, which leaves no use of the shared memory. */
        if (round % 6 == 1) unlink(bh_logbox_path("-shm"));

        /* A reader first: nobody but it is there to recover the WAL. */
        struct bh_store *s = bh_logbox_reader();
        struct bh_span span;
        int64_t last = 0;
        ck_assert_int_eq(bh_store_follow(s, 0, 1 << 30, count, &last), 0);
        ck_assert_int_eq(bh_store_span(s, &span), 0);
        ck_assert_int_eq(span.head, last);
        ck_assert_int_eq(last % GROUP, 0);
        /* It may have died between the commit and its note on the board. */
        int64_t noted = rows + atomic_load(&board->committed);
        ck_assert(last == noted || last == noted + GROUP);
        bh_store_close(s);
        rows = last;

        ck_assert(bh_logbox_sound());
        s = bh_logbox_writer(BH_SYNC_NORMAL);
        ck_assert_int_eq(bh_store_begin(s), 0);
        bh_store_rollback(s);
        bh_store_close(s);
    }
}
END_TEST

Suite *
check_store_processes(void)
{
    Suite *suite = suite_create("store_processes");
    TCase *tc = tcase_create("processes");

    tcase_add_checked_fixture(tc, set_up, bh_logbox_teardown);
    tcase_add_test(tc, many_open_a_missing_log_at_once);
    tcase_add_test(tc, begin_and_open_wait_for_the_other_process);
    tcase_add_test(tc, reader_sees_a_strict_sequence_while_all_write);
    tcase_add_test(tc, killed_writer_leaves_whole_transactions_and_no_lock);
    suite_add_tcase(suite, tc);
    return suite;
}
