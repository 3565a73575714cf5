/* check_rates.c: token buckets: exact to the microsecond, exact under many
 * threads and processes, and a file that may be anything. */
#include "fcgi/rates.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "logbox.h"
#include "suites.h"

#define NOW 1000000000 /* us; a machine that has been up for a while */

static const struct bh_rate ten = {.n = 10, .seconds = 1, .burst = 5};
static struct bh_rates *t;

static void
start(void)
{
    bh_logbox_setup();
    t = bh_rates_open(bh_logbox_path(".rates"));
    ck_assert_ptr_nonnull(t);
}

static void
finish(void)
{
    bh_rates_close(t);
    bh_logbox_teardown();
}

static struct bh_str
str(const char *s)
{
    return (struct bh_str){s, strlen(s)};
}

static int64_t
take(const char *name, int n, int64_t us)
{
    return bh_rates_take(t, BH_RATE_ORG, str(name), &ten, n, NOW + us);
}

START_TEST(a_burst_then_one_by_one)
{
    for (int i = 0; i < 5; i++) ck_assert_int_eq(take("a", 1, 0), 0);
    ck_assert_int_eq(take("a", 1, 0), 100000);
    ck_assert_int_eq(take("a", 1, 99999), 1);
    ck_assert_int_eq(take("a", 1, 100000), 0);
    ck_assert_int_eq(take("a", 1, 100000), 100000);
    /* After half a second all five are there again, and no more. */
    ck_assert_int_eq(take("a", 5, 600000), 0);
    ck_assert_int_eq(take("a", 1, 600000), 100000);
    ck_assert_int_eq(take("a", 5, 9000000), 0);
    ck_assert_int_eq(take("a", 1, 9000000), 100000);
}
END_TEST

/* Steps of 7 us for ten seconds: what comes through is the burst and the rate,
 * whatever the rounding of a single step. */
START_TEST(exact_in_the_long_run)
{
    const struct bh_rate odd = {.n = 333, .seconds = 7, .burst = 11};
    int64_t end = (int64_t)700 * 1000000;
    int granted = 0;

    for (int64_t us = 0; us < end; us += 4999)
        granted +=
            bh_rates_take(t, BH_RATE_ORG, str("x"), &odd, 1, NOW + us) == 0;
    ck_assert_int_ge(granted, 33300 + 11 - 1);
    ck_assert_int_le(granted, 33300 + 11);
}
END_TEST

START_TEST(refused_takes_nothing)
{
    ck_assert_int_eq(take("a", 4, 0), 0);
    for (int i = 0; i < 10; i++) ck_assert_int_eq(take("a", 3, 0), 200000);
    ck_assert_int_eq(take("a", 1, 0), 0);
}
END_TEST

/* A batch larger than the burst passes when the bucket is full, and is paid for
 * afterwards. */
START_TEST(more_than_the_burst)
{
    ck_assert_int_eq(take("a", 1, 0), 0);
    ck_assert_int_eq(take("a", 20, 0), 100000);
    ck_assert_int_eq(take("a", 20, 100000), 0);
    ck_assert_int_eq(take("a", 1, 100000), 1600000);
    ck_assert_int_eq(take("a", 1, 1700000), 0);
}
END_TEST

START_TEST(given_back)
{
    ck_assert_int_eq(take("a", 5, 0), 0);
    bh_rates_give(t, BH_RATE_ORG, str("a"), &ten, 3);
    ck_assert_int_eq(take("a", 4, 0), 100000);
    ck_assert_int_eq(take("a", 3, 0), 0);
    bh_rates_give(t, BH_RATE_ORG, str("nobody"), &ten, 3);
    ck_assert_int_eq(take("nobody", 5, 0), 0);
    ck_assert_int_eq(take("nobody", 1, 0), 100000);
}
END_TEST

START_TEST(names_and_kinds_apart)
{
    const struct bh_rate off = {.n = 0, .seconds = 1, .burst = 1};

    ck_assert_int_eq(take("a", 5, 0), 0);
    ck_assert_int_eq(take("b", 5, 0), 0);
    ck_assert_int_gt(take("a", 1, 0), 0);
    ck_assert_int_eq(
        bh_rates_take(t, BH_RATE_PUBLISHER, str("a"), &ten, 5, NOW), 0);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(
            bh_rates_take(t, BH_RATE_ORG, str("a"), &off, 500, NOW), 0);
}
END_TEST

/* A bucket that owes more than it can is of another configuration, or damaged:
 * it starts full. */
START_TEST(a_new_rate_starts_full)
{
    const struct bh_rate slow = {.n = 1, .seconds = 3600, .burst = 10000};

    ck_assert_int_eq(bh_rates_take(t, BH_RATE_ORG, str("a"), &slow, 500, NOW),
                     0);
    ck_assert_int_eq(take("a", 5, 0), 0);
    ck_assert_int_gt(take("a", 1, 0), 0);
}
END_TEST

/* 30,000 names at once: nearly all have a bucket of their own, and those that
 * share one are limited sooner, never later. */
START_TEST(crowded)
{
    char name[16];
    int passed = 0;

    for (int round = 0; round < 6; round++)
        for (int i = 0; i < 30000; i++) {
            snprintf(name, sizeof name, "n%d", i);
            bool granted = take(name, 1, 0) == 0;
            ck_assert(!granted || round < 5);
            passed += granted;
        }
    ck_assert_int_ge(passed, 5 * 30000 * 95 / 100);
}
END_TEST

START_TEST(idle_slots_serve_others)
{
    char name[16];

    /* Each second other names, many times over what there is room for. */
    for (int second = 0; second < 20; second++)
        for (int i = 0; i < 10000; i++) {
            snprintf(name, sizeof name, "%d-%d", second, i);
            ck_assert_int_eq(take(name, 1, second * 1000000), 0);
        }
}
END_TEST

START_TEST(held)
{
    struct bh_str a = str("a");

    ck_assert_int_eq(bh_rates_held(t, BH_RATE_ORG_HELD, a, NOW), 0);
    bh_rates_hold(t, BH_RATE_ORG_HELD, a, 700, NOW);
    ck_assert_int_eq(bh_rates_held(t, BH_RATE_ORG_HELD, a, NOW + 100), 600);
    ck_assert_int_eq(bh_rates_held(t, BH_RATE_PUBLISHER_HELD, a, NOW), 0);
    ck_assert_int_eq(bh_rates_held(t, BH_RATE_ORG_HELD, str("b"), NOW), 0);
    ck_assert_int_eq(bh_rates_held(t, BH_RATE_ORG_HELD, a, NOW + 699), 1);
    ck_assert_int_eq(bh_rates_held(t, BH_RATE_ORG_HELD, a, NOW + 700), 0);
    ck_assert_int_eq(take("a", 5, 0), 0); /* the bucket is another thing */
}
END_TEST

/* ---- many at once ---- */

#define CROWD 4
#define TRIES 20000

static const struct bh_rate much = {.n = 1000, .seconds = 1, .burst = 30000};

static int
grab(struct bh_rates *rates, const char *name)
{
    int granted = 0;

    for (int i = 0; i < TRIES; i++)
        granted +=
            bh_rates_take(rates, BH_RATE_ORG, str(name), &much, 1, NOW) == 0;
    return granted;
}

static void *
grab_thread(void *arg)
{
    *(int *)arg = grab(t, "shared");
    return NULL;
}

START_TEST(threads_share_exactly)
{
    pthread_t threads[CROWD];
    int granted[CROWD], sum = 0;

    for (int i = 0; i < CROWD; i++)
        ck_assert_int_eq(
            pthread_create(&threads[i], NULL, grab_thread, &granted[i]), 0);
    for (int i = 0; i < CROWD; i++) {
        pthread_join(threads[i], NULL);
        sum += granted[i];
    }
    ck_assert_int_eq(sum, much.burst);
}
END_TEST

/* Each opens the file by itself, as workers do. */
START_TEST(processes_share_exactly)
{
    int results[2], sum = 0;

    ck_assert_int_eq(pipe(results), 0);
    for (int i = 0; i < CROWD; i++) {
        pid_t pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid > 0) continue;
        struct bh_rates *own = bh_rates_open(bh_logbox_path(".rates"));
        int n = own != NULL ? grab(own, "shared") : -1000000;
        _exit(write(results[1], &n, sizeof n) == sizeof n ? 0 : 1);
    }
    for (int i = 0; i < CROWD; i++) {
        int n, status;
        ck_assert_int_eq(read(results[0], &n, sizeof n), sizeof n);
        sum += n;
        ck_assert_int_gt(wait(&status), 0);
        ck_assert_int_eq(status, 0);
    }
    ck_assert_int_eq(sum, much.burst);
    close(results[0]);
    close(results[1]);
}
END_TEST

/* ---- the file ---- */

static void
reopen(void)
{
    bh_rates_close(t);
    t = bh_rates_open(bh_logbox_path(".rates"));
    ck_assert_ptr_nonnull(t);
}

START_TEST(kept_over_a_restart)
{
    struct stat st;

    ck_assert_int_eq(stat(bh_logbox_path(".rates"), &st), 0);
    ck_assert_uint_eq(st.st_mode & 0117u, 0);
    ck_assert_int_eq(take("a", 5, 0), 0);
    reopen();
    ck_assert_int_gt(take("a", 1, 0), 0);
}
END_TEST

/* Damage AT with LEN bytes; the file must be made anew, while whoever has it
 * open goes on with the same one. */
static void
damage(off_t at, size_t len)
{
    static const char junk[64] = {1, 2, 3};
    struct bh_rates *old = t;
    int fd = open(bh_logbox_path(".rates"), O_WRONLY);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pwrite(fd, junk, len, at), (ssize_t)len);
    close(fd);
    t = bh_rates_open(bh_logbox_path(".rates"));
    ck_assert_ptr_nonnull(t);
    ck_assert_int_eq(take("a", 5, 0), 0);
    ck_assert_int_gt(bh_rates_take(old, BH_RATE_ORG, str("a"), &ten, 1, NOW),
                     0);
    bh_rates_close(old);
}

START_TEST(a_damaged_file_is_made_anew)
{
    ck_assert_int_eq(take("a", 5, 0), 0);
    damage(0, 8);  /* not ours */
    damage(8, 40); /* of another boot */
}
END_TEST

START_TEST(a_short_file_is_made_anew)
{
    bh_rates_close(t);
    ck_assert_int_eq(truncate(bh_logbox_path(".rates"), 100), 0);
    t = bh_rates_open(bh_logbox_path(".rates"));
    for (int i = 0; i < 1000; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%d", i);
        ck_assert_int_eq(take(name, 5, 0), 0);
    }
    reopen();
    ck_assert_int_gt(take("n7", 1, 0), 0);
}
END_TEST

START_TEST(without_a_file_for_itself)
{
    bh_rates_close(t);
    ck_assert_int_eq(mkdir(bh_logbox_path(".folder"), 0700), 0);
    t = bh_rates_open(bh_logbox_path(".folder"));
    ck_assert_ptr_nonnull(t);
    ck_assert_int_eq(take("a", 5, 0), 0);
    ck_assert_int_gt(take("a", 1, 0), 0);
    ck_assert_int_eq(symlink("log.db.rates", bh_logbox_path(".link")), 0);
    bh_rates_close(t);
    t = bh_rates_open(bh_logbox_path(".link")); /* no link is followed */
    ck_assert_ptr_nonnull(t);
    ck_assert_int_eq(take("a", 5, 0), 0);
    bh_rates_close(t);
    t = bh_rates_open(NULL);
    ck_assert_int_eq(take("a", 5, 0), 0);
    rmdir(bh_logbox_path(".folder"));
    unlink(bh_logbox_path(".link"));
}
END_TEST

Suite *
check_rates(void)
{
    Suite *s = suite_create("rates");
    TCase *c = tcase_create("rates");

    tcase_add_checked_fixture(c, start, finish);
    tcase_add_test(c, a_burst_then_one_by_one);
    tcase_add_test(c, exact_in_the_long_run);
    tcase_add_test(c, refused_takes_nothing);
    tcase_add_test(c, more_than_the_burst);
    tcase_add_test(c, given_back);
    tcase_add_test(c, names_and_kinds_apart);
    tcase_add_test(c, a_new_rate_starts_full);
    tcase_add_test(c, crowded);
    tcase_add_test(c, idle_slots_serve_others);
    tcase_add_test(c, held);
    tcase_add_test(c, threads_share_exactly);
    tcase_add_test(c, processes_share_exactly);
    tcase_add_test(c, kept_over_a_restart);
    tcase_add_test(c, a_damaged_file_is_made_anew);
    tcase_add_test(c, a_short_file_is_made_anew);
    tcase_add_test(c, without_a_file_for_itself);
    suite_add_tcase(s, c);
    return s;
}
