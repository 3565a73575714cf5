/* Following the log: late, long, locked, replaced, gone back. */
#include "base.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "broker/follow.h"
#include "brokerkit.h"
#include "log.h"
#include "store_admin.h"
#include "suites.h"

static struct kit k;

static void
setup(void)
{
    kit_open(&k, "");
}

static void
teardown(void)
{
    kit_close(&k);
}

/* Let the broker find out by itself, as without any note. */
static void
let_notice(void)
{
    k.b.unread = false;
    kit_sleep(&k, BH_FOLLOW_STAT_MS);
    bh_broker_before_wait(&k.b);
    while (k.b.behind) bh_broker_before_wait(&k.b);
}

static int
park_at(int64_t seq)
{
    struct bh_park p = kit_park(&k);

    kit_cursor(&k, &p, seq);
    return kit_send(&k, &p);
}

static void
expect_gap(int fd, const char *want)
{
    struct kit_answer a = kit_read(fd);

    ck_assert_int_eq(a.status, 200);
    ck_assert_ptr_nonnull(strstr(a.body, want));
    ck_assert_ptr_nonnull(strstr(a.body, k.b.log_id));
    free(a.body);
}

START_TEST(notices_a_commit_without_a_note)
{
    kit_publish(&k, 3, NULL);
    let_notice();
    ck_assert_int_eq(k.b.head, 3);
}
END_TEST

START_TEST(starts_with_the_last_seconds)
{
    kit_publish(&k, 10, NULL);
    kit_turn(&k);
    kit_sleep(&k, 26000);
    kit_publish(&k, 5, NULL);
    /* A broker that starts now reads the young ones only. */
    struct bh_conf *conf = k.b.conf;
    k.b.conf = NULL;
    bh_broker_fini(&k.b);
    ck_assert_int_eq(bh_broker_init(&k.b, conf), 0);
    kit_turn(&k);
    ck_assert_int_eq(k.b.head, 15);
    ck_assert_uint_eq(k.b.n_items, 5);
    ck_assert_int_eq(k.b.floor, 10);
    /* Whoever has the old ones misses nothing; whoever hasn't is told. */
    struct kit_answer a = kit_read(park_at(10));
    ck_assert_int_eq(a.events, 5);
    free(a.body);
    expect_gap(park_at(9), "\"evicted\"");
}
END_TEST

START_TEST(log_grows_by_very_many)
{
    int fd = park_at(0);

    for (int i = 0; i < 25; i++) kit_publish(&k, 4000, NULL);
    kit_turn(&k);
    ck_assert_int_eq(k.b.head, 100000);
    ck_assert_uint_le(k.b.n_items, 200);
    struct kit_answer a = kit_read(fd);
    ck_assert_int_eq(a.status, 200);
    ck_assert_int_ge(a.events, 200);
    free(a.body);
}
END_TEST

/* Names that no worker would store: the broker has no room for them. */
START_TEST(names_that_are_too_long)
{
    static char longer[70000];
    struct bh_row row = {.domain = {"tasks", 5},
                         .org = {"o1", 2},
                         .event_id = {"e", 1},
                         .event_type = {"T", 1},
                         .publisher = {"p", 1},
                         .body = {"{}", 2}};
    struct bh_str *const names[] = {&row.domain, &row.org, &row.property};
    enum bh_stored what;
    int64_t seq;
    int fd = park_at(0);

    memset(longer, 'a', sizeof longer);
    ck_assert_int_eq(bh_store_begin(k.log), 0);
    for (size_t i = 0; i < bh_countof(names); i++) {
        struct bh_str was = *names[i];
        *names[i] = (struct bh_str){longer, sizeof longer};
        ck_assert_int_eq(bh_store_append(k.log, &row, NULL, &seq, &what), 0);
        *names[i] = was;
    }
    ck_assert_int_eq(bh_store_commit(k.log), 0);
    kit_turn(&k);
    ck_assert_int_eq(k.b.head, 3);
    ck_assert_uint_eq(k.b.n_items, 0);
    kit_publish(&k, 1, NULL);
    kit_turn(&k);
    struct kit_answer a = kit_read(fd);
    ck_assert_int_eq(a.events, 1);
    free(a.body);
}
END_TEST

START_TEST(old_rows_reach_those_who_wait)
{
    int fd = park_at(0);

    /* Stored half a minute ago, read only now: the broker was stopped. */
    kit_publish(&k, 2, NULL);
    kit_sleep(&k, 24000);
    k.wall += 10000;
    kit_sleep(&k, 0);
    kit_turn(&k);
    struct kit_answer a = kit_read(fd);
    ck_assert_int_eq(a.events, 2);
    free(a.body);
}
END_TEST

START_TEST(waits_for_a_log)
{
    char path[96];
    struct bh_park p;
    struct kit_answer a;

    /* No log at the configured path yet. */
    bh_store_close(k.log);
    snprintf(path, sizeof path, "%s/elsewhere", k.dir);
    ck_assert_int_eq(rename(k.path, path), 0);
    struct bh_conf *conf = k.b.conf;
    k.b.conf = NULL;
    bh_broker_fini(&k.b);
    ck_assert_int_eq(bh_broker_init(&k.b, conf), 0);
    bh_broker_before_wait(&k.b);
    p = kit_park(&k);
    a = kit_read(kit_send(&k, &p));
    ck_assert_int_eq(a.status, 503);
    ck_assert_ptr_nonnull(strstr(a.body, "\"log_unavailable\""));
    ck_assert_ptr_nonnull(strstr(a.head, "Retry-After: "));
    free(a.body);
    ck_assert_int_eq(rename(path, k.path), 0);
    ck_assert_int_eq(bh_store_open_writer(&k.log, k.path, BH_SYNC_NORMAL), 0);
    let_notice();
    ck_assert_str_eq(k.b.log_id, bh_store_log_id(k.log));
}
END_TEST

static void
lay_another_log(void)
{
    char command[512], old[BH_LOG_ID_LEN + 1];

    strcpy(old, k.b.log_id);
    bh_store_close(k.log);
    snprintf(command, sizeof command, "mkdir %s/old && mv %s* %s/old/", k.dir,
             k.path, k.dir);
    ck_assert_int_eq(system(command), 0);
    ck_assert_int_eq(bh_store_open_writer(&k.log, k.path, BH_SYNC_NORMAL), 0);
    let_notice();
    ck_assert_str_ne(k.b.log_id, old);
}

START_TEST(another_file_at_the_path)
{
    int fd;

    kit_publish(&k, 7, NULL);
    kit_turn(&k);
    fd = park_at(7);
    lay_another_log();
    ck_assert_int_eq(k.b.head, 0);
    expect_gap(fd, "\"log\"");
    ck_assert_uint_eq(k.b.n_items, 0);
    kit_publish(&k, 1, NULL);
    kit_turn(&k);
    ck_assert_int_eq(k.b.head, 1);
}
END_TEST

START_TEST(another_file_with_the_same_head)
{
    struct bh_park p = kit_park(&k);
    struct kit_answer a;

    p.wait_ms = 0;
    for (int i = 0; i < 2; i++) {
        kit_cursor(&k, &p, 0);
        a = kit_read(kit_send(&k, &p));
        ck_assert_ptr_nonnull(strstr(a.body, "\"gap\":null"));
        ck_assert_ptr_nonnull(strstr(a.body, k.b.log_id));
        free(a.body);
        if (i == 0) lay_another_log();
    }
}
END_TEST

/* How often TEXT stands in the file. */
static int
count_in(int file, const char *text)
{
    static char said[65536];
    ssize_t n = pread(file, said, sizeof said - 1, 0);
    int times = 0;

    said[n > 0 ? n : 0] = '\0';
    for (const char *p = said; (p = strstr(p, text)); p++) times++;
    return times;
}

START_TEST(a_log_that_cannot_be_read_is_told_once)
{
    char command[512];
    int file = memfd_create("stderr", MFD_CLOEXEC), was = dup(STDERR_FILENO);

    snprintf(command, sizeof command,
             "mkdir %s/good && mv %s* %s/good && echo nonsense >%s", k.dir,
             k.path, k.dir, k.path);
    ck_assert_int_eq(system(command), 0);
    bh_log_level(BH_NOTICE);
    dup2(file, STDERR_FILENO);
    for (int i = 0; i < 10; i++) let_notice();
    snprintf(command, sizeof command, "mv %s/good/* %s", k.dir, k.dir);
    ck_assert_int_eq(system(command), 0);
    let_notice();
    dup2(was, STDERR_FILENO);
    ck_assert_int_eq(count_in(file, "can't follow the log"), 1);
    ck_assert_int_eq(count_in(file, "reading the log again"), 1);
    close(was);
    close(file);
}
END_TEST

START_TEST(log_goes_back)
{
    char command[512];
    int fd;

    kit_publish(&k, 5, NULL);
    kit_turn(&k);
    bh_store_close(k.log);
    snprintf(command, sizeof command,
             "sqlite3 %s 'PRAGMA wal_checkpoint(TRUNCATE)' >/dev/null && cp %s "
             "%s/backup",
             k.path, k.path, k.dir);
    ck_assert_int_eq(system(command), 0);
    ck_assert_int_eq(bh_store_open_writer(&k.log, k.path, BH_SYNC_NORMAL), 0);
    kit_publish(&k, 5, NULL);
    kit_turn(&k);
    ck_assert_int_eq(k.b.head, 10);
    fd = park_at(10);
    /* The backup comes back, as a new file. */
    bh_store_close(k.log);
    snprintf(command, sizeof command, "rm -f %s-wal %s-shm && mv %s/backup %s",
             k.path, k.path, k.dir, k.path);
    ck_assert_int_eq(system(command), 0);
    ck_assert_int_eq(bh_store_open_writer(&k.log, k.path, BH_SYNC_NORMAL), 0);
    let_notice();
    ck_assert_int_eq(k.b.head, 5);
    expect_gap(fd, "\"log\"");
    expect_gap(park_at(10), "\"log\"");
}
END_TEST

static void
prune(struct bh_prune p)
{
    int n;

    p.before_ms = INT64_MAX;
    p.upto = INT64_MAX;
    ck_assert_int_eq(bh_store_begin(k.log), 0);
    ck_assert_int_eq(bh_store_prune(k.log, &p, 2, &n), 0);
    ck_assert_int_eq(bh_store_commit(k.log), 0);
    ck_assert_int_eq(n, 2);
}

START_TEST(pruning_overtakes_a_broker_that_stood_still)
{
    const struct bh_prune of[] = {{.from = 0},
                                  {.domain = {"tasks", 5}, .org = {"o1", 2}}};

    for (size_t i = 0; i < bh_countof(of); i++) {
        kit_publish(&k, 1, NULL);
        kit_turn(&k);
        int64_t read = k.b.head;
        int fd = park_at(read);
        kit_publish(&k, 3, NULL);
        struct bh_prune p = of[i];
        p.from = read;
        prune(p); /* two of the three that it hasn't read */
        let_notice();
        expect_gap(fd, "\"expired\"");
        ck_assert_int_eq(k.b.head, read + 3);
        /* What is left goes on. */
        struct kit_answer a = kit_read(park_at(read + 2));
        ck_assert_int_eq(a.events, 1);
        free(a.body);
    }
}
END_TEST

START_TEST(numbers_that_were_never_given_out_are_no_gap)
{
    kit_publish(&k, 1, NULL);
    kit_turn(&k);
    int fd = park_at(1);
    bh_store_close(k.log);
    char command[256];
    snprintf(command, sizeof command,
             "sqlite3 %s 'UPDATE sqlite_sequence SET seq = 1000001'", k.path);
    ck_assert_int_eq(system(command), 0);
    ck_assert_int_eq(bh_store_open_writer(&k.log, k.path, BH_SYNC_NORMAL), 0);
    kit_publish(&k, 2, NULL);
    let_notice();
    struct kit_answer a = kit_read(fd);
    ck_assert_int_eq(a.events, 2);
    ck_assert_ptr_nonnull(strstr(a.body, "\"gap\":null"));
    free(a.body);
}
END_TEST

Suite *
check_follow(void)
{
    Suite *s = suite_create("follow");
    TCase *t = tcase_create("follow");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, notices_a_commit_without_a_note);
    tcase_add_test(t, starts_with_the_last_seconds);
    tcase_add_test(t, log_grows_by_very_many);
    tcase_add_test(t, names_that_are_too_long);
    tcase_add_test(t, old_rows_reach_those_who_wait);
    tcase_add_test(t, waits_for_a_log);
    tcase_add_test(t, another_file_at_the_path);
    tcase_add_test(t, another_file_with_the_same_head);
    tcase_add_test(t, a_log_that_cannot_be_read_is_told_once);
    tcase_add_test(t, log_goes_back);
    tcase_add_test(t, pruning_overtakes_a_broker_that_stood_still);
    tcase_add_test(t, numbers_that_were_never_given_out_are_no_gap);
    suite_add_tcase(s, t);
    return s;
}
