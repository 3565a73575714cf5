#include "base.h"
#include "store_db.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include <sys/resource.h>

#include "clock.h"
#include "logbox.h"
#include "suites.h"

/* ---- append ---- */

START_TEST(same_event_is_a_duplicate_another_body_a_conflict)
{
    struct bh_store *s = bh_logbox_writer(BH_SYNC_FULL);
    enum bh_stored what;

    bh_logbox_begin(s);
    ck_assert_int_eq(bh_logbox_append(s, "o", NULL, "a", "{\"n\":1}", &what),
                     1);
    ck_assert_int_eq(what, BH_STORED);
    ck_assert_int_eq(bh_logbox_append(s, "o", NULL, "a", "{\"n\":1}", &what),
                     1);
    ck_assert_int_eq(what, BH_DUPLICATE);
    bh_logbox_commit(s);
    bh_logbox_begin(s);
    ck_assert_int_eq(bh_logbox_append(s, "o", NULL, "a", "{\"n\":2}", &what),
                     1);
    ck_assert_int_eq(what, BH_CONFLICT);
    /* The same name in another org is another event; no number was used up. */
    ck_assert_int_eq(bh_logbox_append(s, "p", NULL, "a", "{\"n\":2}", &what),
                     2);
    ck_assert_int_eq(what, BH_STORED);
    bh_logbox_commit(s);
    ck_assert_int_eq(bh_logbox_number("SELECT count(*) FROM events"), 2);
    bh_store_close(s);
}
END_TEST

struct kept {
    struct bh_event_row row;
    char body[64];
    int n;
};

static bool
keep_row(void *arg, const struct bh_event_row *row)
{
    struct kept *k = arg;

    k->n++;
    k->row = *row;
    memcpy(k->body, row->body.p, row->body.len);
    ck_assert_uint_eq(row->domain.len, 5);
    ck_assert_mem_eq(row->domain.p, "tasks", 5);
    ck_assert_uint_eq(row->event_type.len, 11);
    ck_assert_mem_eq(row->event_type.p, "TaskCreated", 11);
    return true;
}

START_TEST(row_comes_back_byte_for_byte)
{
    static const char body[] = "{\"a\":1.0,\"\xc3\xa9\":\"\\u0000\"}";
    struct bh_store *s = bh_logbox_writer(BH_SYNC_FULL);
    struct kept k = {.n = 0};
    enum bh_stored what;

    bh_clock_fake(0, 1763900000123);
    bh_logbox_begin(s);
    bh_logbox_append(s, "o", NULL, "it's \"x\"; --", body, &what);
    bh_logbox_commit(s);
    ck_assert_int_eq(bh_store_follow(s, 0, 10, keep_row, &k), 0);
    ck_assert_int_eq(k.n, 1);
    ck_assert_int_eq(k.row.stored_at, 1763900000123);
    ck_assert_ptr_null(k.row.property.p);
    ck_assert_uint_eq(k.row.body.len, sizeof body - 1);
    ck_assert_mem_eq(k.body, body, sizeof body - 1);
    ck_assert_int_eq(bh_logbox_number("SELECT timestamp = 1763900000000 AND"
                                      " publisher = 'backend' FROM events"),
                     1);
    bh_store_close(s);
}
END_TEST

START_TEST(what_is_taken_back_leaves_no_hole)
{
    struct bh_store *s = bh_logbox_writer(BH_SYNC_FULL);
    enum bh_stored what;

    bh_logbox_begin(s);
    ck_assert_int_eq(bh_logbox_append(s, "o", NULL, "a", "{}", &what), 1);
    ck_assert_int_eq(bh_store_mark(s), 0);
    ck_assert_int_eq(bh_logbox_append(s, "o", NULL, "b", "{}", &what), 2);
    ck_assert_int_eq(bh_logbox_append(s, "o", NULL, "c", "{}", &what), 3);
    ck_assert_int_eq(bh_store_unmark(s, false), 0);
    ck_assert_int_eq(bh_store_mark(s), 0);
    ck_assert_int_eq(bh_logbox_append(s, "o", NULL, "d", "{}", &what), 2);
    ck_assert_int_eq(bh_store_unmark(s, true), 0);
    bh_logbox_commit(s);
    bh_logbox_begin(s);
    ck_assert_int_eq(bh_logbox_append(s, "o", NULL, "e", "{}", &what), 3);
    bh_store_rollback(s);
    ck_assert_int_eq(bh_logbox_span(s).head, 2);
    ck_assert_int_eq(bh_logbox_put(s, "o", NULL, "f"), 3);
    bh_logbox_page(s, NULL, 0, 10, "1:a 2:d 3:f ");
    bh_store_close(s);
}
END_TEST

/* Readers have it from the commit on, other writers from the release on. */
START_TEST(a_commit_can_be_held)
{
    struct bh_store *s = bh_logbox_writer(BH_SYNC_FULL);
    enum bh_stored what;
    int lock = open(bh_logbox_path(".lock"), O_RDWR | O_CLOEXEC);

    ck_assert_int_ge(lock, 0);
    bh_logbox_begin(s);
    ck_assert_int_eq(bh_logbox_append(s, "o", NULL, "a", "{}", &what), 1);
    ck_assert_int_eq(bh_store_commit_held(s), 0);
    bh_logbox_page(s, NULL, 0, 10, "1:a ");
    ck_assert_int_eq(bh_logbox_number("SELECT count(*) FROM events"), 1);
    ck_assert_int_ne(flock(lock, LOCK_EX | LOCK_NB), 0);
    bh_store_release(s);
    ck_assert_int_eq(flock(lock, LOCK_EX | LOCK_NB), 0);
    bh_store_release(s); /* twice is fine */
    bh_store_close(s);
    close(lock);
}
END_TEST

START_TEST(nothing_is_written_outside_a_transaction)
{
    struct bh_store *s = bh_logbox_writer(BH_SYNC_FULL);
    const struct bh_row row = {.domain = {"d", 1}};
    const struct bh_refused refused = {.bytes = 0};
    enum bh_stored what;
    int64_t seq;
    int n;

    ck_assert_int_eq(bh_store_append(s, &row, NULL, &seq, &what), -EINVAL);
    ck_assert_int_eq(bh_store_refusal(s, &refused, 10), -EINVAL);
    ck_assert_int_eq(bh_logbox_prune(s, INT64_MAX, 10, &n), -EINVAL);
    ck_assert_int_eq(bh_store_mark(s), -EINVAL);
    ck_assert_int_eq(bh_store_unmark(s, true), -EINVAL);
    ck_assert_int_eq(bh_store_commit(s), -EINVAL);
    bh_store_rollback(s);
    bh_store_close(s);
}
END_TEST

START_TEST(handle_closed_in_a_transaction_takes_it_back)
{
    struct bh_store *s = bh_logbox_writer(BH_SYNC_FULL);
    enum bh_stored what;

    bh_logbox_begin(s);
    bh_logbox_append(s, "o", NULL, "a", "{}", &what);
    ck_assert(bh_logbox_locked());
    bh_store_close(s);
    ck_assert(!bh_logbox_locked());
    ck_assert_int_eq(bh_logbox_number("SELECT count(*) FROM events"), 0);
}
END_TEST

START_TEST(only_the_newest_refusals_are_kept)
{
    struct bh_store *s = bh_logbox_writer(BH_SYNC_FULL);
    char pointer[16];

    for (int i = 1; i <= 12; i++) {
        snprintf(pointer, sizeof pointer, "/%d", i);
        const struct bh_refused r = {
            .domain = bh_logbox_str("tasks"),
            .subject = bh_logbox_str("backend"),
            .code = bh_logbox_str("invalid_event"),
            .pointer = bh_logbox_str(pointer),
            .detail = bh_logbox_str("what"),
            .request_id = bh_logbox_str("r"),
            .bytes = 100 + i,
        };
        bh_logbox_begin(s);
        ck_assert_int_eq(bh_store_refusal(s, &r, 5), 0);
        bh_logbox_commit(s);
        ck_assert_int_eq(bh_logbox_number("SELECT count(*) FROM refusals"),
                         i < 5 ? i : 5);
    }
    ck_assert_int_eq(bh_logbox_number("SELECT count(*) FROM refusals WHERE"
                                      " pointer = '/' || id AND id > 7 AND"
                                      " bytes = 100 + id AND org_id = ''"),
                     5);
    bh_store_close(s);
}
END_TEST

static int
prune(struct bh_store *s, int64_t before_ms, int limit)
{
    int n = -1;

    bh_logbox_begin(s);
    ck_assert_int_eq(bh_logbox_prune(s, before_ms, limit, &n), 0);
    bh_logbox_commit(s);
    return n;
}

/* ---- prune ---- */

START_TEST(pruning_goes_from_the_oldest_and_numbers_never_return)
{
    struct bh_store *s = bh_logbox_writer(BH_SYNC_FULL);
    char id[16];

    for (int i = 1; i <= 6; i++) {
        bh_clock_fake(0, 1000 * i);
        snprintf(id, sizeof id, "e%d", i);
        bh_logbox_put(s, "o", NULL, id);
    }
    ck_assert_int_eq(prune(s, 1000, 100), 0);
    ck_assert_int_eq(bh_logbox_span(s).pruned, 0);
    ck_assert_int_eq(prune(s, 4000, 2), 2);
    ck_assert_int_eq(bh_logbox_span(s).pruned, 2);
    ck_assert_int_eq(prune(s, 4000, 100), 1);
    ck_assert_int_eq(bh_logbox_span(s).pruned, 3);
    bh_logbox_page(s, NULL, 0, 10, "4:e4 5:e5 6:e6 ");
    ck_assert_int_eq(prune(s, INT64_MAX, INT32_MAX), 3);
    ck_assert_int_eq(bh_logbox_span(s).pruned, 6);
    ck_assert_int_eq(bh_logbox_span(s).head, 6);
    ck_assert_int_eq(prune(s, INT64_MAX, INT32_MAX), 0);
    bh_store_close(s);

    s = bh_logbox_writer(BH_SYNC_FULL);
    ck_assert_int_eq(bh_logbox_span(s).head, 6);
    ck_assert_int_eq(bh_logbox_span(s).pruned, 6);
    ck_assert_int_eq(bh_logbox_put(s, "o", NULL, "e1"), 7);
    bh_store_close(s);
}
END_TEST

START_TEST(pruning_stops_at_a_younger_event)
{
    static const int64_t stored[] = {1000, 9000, 2000};
    struct bh_store *s = bh_logbox_writer(BH_SYNC_FULL);

    for (size_t i = 0; i < bh_countof(stored); i++) {
        bh_clock_fake(0, stored[i]);
        bh_logbox_put(s, "o", NULL, (const char *[]){"a", "b", "c"}[i]);
    }
    ck_assert_int_eq(prune(s, 5000, 100), 1);
    bh_logbox_page(s, NULL, 0, 10, "2:b 3:c ");
    bh_store_close(s);
}
END_TEST

/* ---- trouble ---- */

/* The limit stands in for a full disk. Both ways of failing: at the commit, and
 * in the middle, when SQLite's cache overflows into the WAL. */
START_TEST(full_disk_takes_the_whole_transaction_back)
{
    struct bh_store *s = bh_logbox_writer(BH_SYNC_FULL);
    const struct rlimit small = {200000, RLIM_INFINITY};
    const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
    enum bh_stored what;
    char id[16];

    signal(SIGXFSZ, SIG_IGN);
    bh_logbox_put(s, "o", NULL, "before");
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);

    bh_logbox_begin(s);
    for (int i = 0; i < 5; i++) {
        snprintf(id, sizeof id, "a%d", i);
        ck_assert_int_eq(bh_logbox_append_big(s, id), 0);
    }
    ck_assert_int_eq(bh_store_commit(s), -EIO);
    ck_assert(!bh_logbox_locked());
    ck_assert_int_eq(bh_logbox_span(s).head, 1);

    bh_logbox_begin(s);
    int rc = 0;
    for (int i = 0; rc == 0 && i < 400; i++) {
        snprintf(id, sizeof id, "b%d", i);
        rc = bh_logbox_append_big(s, id);
    }
    ck_assert_int_eq(rc, -EIO);
    ck_assert_int_eq(bh_logbox_append_big(s, "c"), -EIO);
    ck_assert_int_eq(bh_store_mark(s), -EIO);
    ck_assert_int_eq(bh_store_commit(s), -EIO);
    ck_assert(!bh_logbox_locked());

    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &all), 0);
    bh_logbox_begin(s);
    ck_assert_int_eq(bh_logbox_append(s, "o", NULL, "after", "{}", &what), 2);
    bh_logbox_commit(s);
    ck_assert_int_eq(bh_logbox_number("SELECT count(*) FROM events"), 2);
    ck_assert(bh_logbox_sound());
    bh_store_close(s);
}
END_TEST

START_TEST(full_database_is_no_space)
{
    struct bh_store *s = bh_logbox_writer(BH_SYNC_FULL);
    int rc = 0;
    char id[16];

    sqlite3_exec(s->db, "PRAGMA max_page_count = 40", NULL, NULL, NULL);
    bh_logbox_begin(s);
    for (int i = 0; rc == 0 && i < 10; i++) {
        snprintf(id, sizeof id, "e%d", i);
        rc = bh_logbox_append_big(s, id);
    }
    ck_assert_int_eq(rc, -ENOSPC);
    bh_store_rollback(s);
    ck_assert_int_eq(bh_logbox_put(s, "o", NULL, "small"), 1);
    bh_store_close(s);
}
END_TEST

/* ---- the WAL ---- */

START_TEST(checkpoints_keep_the_wal_short)
{
    struct bh_store *s = bh_logbox_writer(BH_SYNC_NORMAL);
    char id[16];

    for (int i = 0; i < 20000; i++) {
        snprintf(id, sizeof id, "e%d", i);
        ck_assert_int_eq(bh_logbox_put(s, "o", NULL, id), i + 1);
        if (i % 100 == 0)
            ck_assert_int_lt(bh_logbox_size("-wal"), 4100 * (4096 + 24));
    }
    ck_assert(bh_logbox_sound());
    bh_store_close(s);
}
END_TEST

START_TEST(wal_shrinks_again_when_a_long_read_has_ended)
{
    struct bh_store *s = bh_logbox_writer(BH_SYNC_NORMAL);
    sqlite3 *db;
    char id[16];

    ck_assert_int_eq(sqlite3_open(bh_logbox_path(""), &db), SQLITE_OK);
    sqlite3_exec(db, "BEGIN; SELECT count(*) FROM events", NULL, NULL, NULL);
    for (int i = 0; i < 600; i++) {
        snprintf(id, sizeof id, "e%d", i);
        bh_logbox_begin(s);
        ck_assert_int_eq(bh_logbox_append_big(s, id), 0);
        bh_logbox_commit(s);
    }
    ck_assert_int_gt(bh_logbox_size("-wal"), 32 << 20);
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(db);
    for (int i = 600; i < 900; i++) { /* another 4,000 frames */
        snprintf(id, sizeof id, "e%d", i);
        bh_logbox_begin(s);
        ck_assert_int_eq(bh_logbox_append_big(s, id), 0);
        bh_logbox_commit(s);
    }
    ck_assert_int_lt(bh_logbox_size("-wal"), 20 << 20);
    ck_assert(bh_logbox_sound());
    bh_store_close(s);
}
END_TEST

Suite *
check_store_write(void)
{
    Suite *suite = suite_create("store_write");
    TCase *tc = tcase_create("write");

    tcase_add_checked_fixture(tc, bh_logbox_setup, bh_logbox_teardown);
    tcase_add_test(tc, same_event_is_a_duplicate_another_body_a_conflict);
    tcase_add_test(tc, row_comes_back_byte_for_byte);
    tcase_add_test(tc, what_is_taken_back_leaves_no_hole);
    tcase_add_test(tc, a_commit_can_be_held);
    tcase_add_test(tc, nothing_is_written_outside_a_transaction);
    tcase_add_test(tc, handle_closed_in_a_transaction_takes_it_back);
    tcase_add_test(tc, only_the_newest_refusals_are_kept);
    tcase_add_test(tc, pruning_goes_from_the_oldest_and_numbers_never_return);
    tcase_add_test(tc, pruning_stops_at_a_younger_event);
    tcase_add_test(tc, full_disk_takes_the_whole_transaction_back);
    tcase_add_test(tc, full_database_is_no_space);
    tcase_add_test(tc, checkpoints_keep_the_wal_short);
    tcase_add_test(tc, wal_shrinks_again_when_a_long_read_has_ended);
    suite_add_tcase(suite, tc);
    return suite;
}
