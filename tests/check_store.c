#include "base.h"
#include "store_db.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "logbox.h"
#include "mem.h"
#include "suites.h"

START_TEST(new_log_has_a_name_a_version_and_modest_rights)
{
    struct stat st;

    umask(0007);
    struct bh_store *s = bh_logbox_writer(BH_SYNC_FULL);
    ck_assert_uint_eq(strlen(bh_store_log_id(s)), BH_LOG_ID_LEN);
    ck_assert_int_eq(bh_logbox_span(s).head, 0);
    ck_assert_int_eq(bh_logbox_span(s).pruned, 0);
    ck_assert(!bh_logbox_locked());
    ck_assert_int_eq(stat(bh_logbox_path(""), &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0660);
    ck_assert_int_eq(stat(bh_logbox_path("-wal"), &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0660);

    struct bh_store *r = bh_logbox_reader();
    ck_assert_str_eq(bh_store_log_id(r), bh_store_log_id(s));
    bh_store_close(r);
    bh_store_close(s);
    ck_assert_int_eq(bh_logbox_number("PRAGMA application_id"),
                     BH_STORE_APPLICATION);
    ck_assert_int_eq(bh_logbox_number("PRAGMA user_version"), 5);
    ck_assert_int_eq(bh_logbox_number("SELECT count(*) FROM log"), 1);
    ck_assert(bh_logbox_sound());
}
END_TEST

START_TEST(reopened_log_keeps_its_name_and_rows)
{
    struct bh_store *s = bh_logbox_writer(BH_SYNC_FULL);
    char id[BH_LOG_ID_LEN + 1];

    snprintf(id, sizeof id, "%s", bh_store_log_id(s));
    bh_logbox_put(s, "o", NULL, "a");
    bh_store_close(s);
    s = bh_logbox_writer(BH_SYNC_FULL);
    ck_assert_str_eq(bh_store_log_id(s), id);
    ck_assert_int_eq(bh_logbox_put(s, "o", NULL, "b"), 2);
    bh_store_close(s);
}
END_TEST

START_TEST(no_log_is_no_entry)
{
    struct bh_store *s;

    ck_assert_int_eq(bh_store_open_reader(&s, bh_logbox_path("")), -ENOENT);
    ck_assert_ptr_null(s);
    ck_assert_int_eq(bh_logbox_size(""), -1);

    bh_logbox_sql("PRAGMA user_version = 0"); /* an empty file, as midway */
    ck_assert_int_eq(bh_store_open_reader(&s, bh_logbox_path("")), -ENOENT);
    ck_assert_ptr_nonnull(strstr(bh_store_error(NULL), "no log in it yet"));
    bh_store_close(bh_logbox_writer(BH_SYNC_FULL));
    bh_store_close(bh_logbox_reader());

    ck_assert_int_eq(
        bh_store_open_writer(&s, "/nowhere/at/all.db", BH_SYNC_FULL), -ENOENT);
    ck_assert_ptr_null(s);
}
END_TEST

START_TEST(each_failing_allocation_is_told)
{
    for (unsigned long n = 1;; n++) {
        struct bh_store *s = (struct bh_store *)1, *r = NULL;
        size_t held = bh_mem_used();

        bh_mem_fail_at(n);
        int rc = bh_store_open_writer(&s, bh_logbox_path(""), BH_SYNC_FULL);
        if (rc == 0) rc = bh_store_open_reader(&r, bh_logbox_path(""));
        bool waiting = bh_mem_fail_at(0);
        if (rc == 0) {
            ck_assert(waiting);
            ck_assert_uint_ge(n, 5);
            bh_store_close(r);
            bh_store_close(s);
            return;
        }
        ck_assert_int_eq(rc, -ENOMEM);
        ck_assert(!waiting);
        ck_assert_ptr_null(r);
        ck_assert_str_eq(bh_store_error(NULL), "out of memory");
        bh_store_close(s);
        ck_assert_uint_eq(bh_mem_used(), held);
    }
}
END_TEST

START_TEST(a_lock_inside_sqlite_is_busy_and_passes)
{
    struct bh_store *s = bh_logbox_writer(BH_SYNC_FULL);
    sqlite3 *db;

    sqlite3_busy_timeout(s->db, 20);
    ck_assert_int_eq(sqlite3_open(bh_logbox_path(""), &db), SQLITE_OK);
    sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    ck_assert_int_eq(bh_store_begin(s), -EBUSY);
    ck_assert_ptr_nonnull(strstr(bh_store_error(s), "database is locked"));
    ck_assert(!bh_logbox_locked());
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(db);
    ck_assert_int_eq(bh_logbox_put(s, "o", NULL, "a"), 1);
    bh_store_close(s);
}
END_TEST

START_TEST(replaced_log_is_noticed)
{
    struct bh_store *s = bh_logbox_writer(BH_SYNC_FULL);
    struct bh_store *r = bh_logbox_reader();

    ck_assert(!bh_store_replaced(s));
    ck_assert(!bh_store_replaced(r));
    ck_assert_int_eq(rename(bh_logbox_path(""), bh_logbox_path(".old")), 0);
    ck_assert(bh_store_replaced(r));
    bh_store_close(bh_logbox_writer(BH_SYNC_FULL));
    ck_assert(bh_store_replaced(r));
    ck_assert(bh_store_replaced(s));
    ck_assert_int_eq(bh_store_begin(s), -ESTALE);
    ck_assert(!bh_logbox_locked());
    bh_store_close(r);
    bh_store_close(s);
}
END_TEST

START_TEST(removed_lock_file_does_not_split_the_lock)
{
    struct bh_store *a = bh_logbox_writer(BH_SYNC_FULL);

    ck_assert_int_eq(unlink(bh_logbox_path(".lock")), 0);
    bh_logbox_begin(a);
    ck_assert(bh_logbox_locked()); /* it is there again, and it is a's */
    bh_store_rollback(a);
    bh_store_close(a);
}
END_TEST

Suite *
check_store(void)
{
    Suite *suite = suite_create("store");
    TCase *tc = tcase_create("open");

    tcase_add_checked_fixture(tc, bh_logbox_setup, bh_logbox_teardown);
    tcase_add_test(tc, new_log_has_a_name_a_version_and_modest_rights);
    tcase_add_test(tc, reopened_log_keeps_its_name_and_rows);
    tcase_add_test(tc, no_log_is_no_entry);
    tcase_add_test(tc, each_failing_allocation_is_told);
    tcase_add_test(tc, a_lock_inside_sqlite_is_busy_and_passes);
    tcase_add_test(tc, replaced_log_is_noticed);
    tcase_add_test(tc, removed_lock_file_does_not_split_the_lock);
    suite_add_tcase(suite, tc);
    return suite;
}
