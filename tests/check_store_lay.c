#include "base.h"
#include "store_db.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "logbox.h"
#include "suites.h"

/* Both ways of opening refuse the file and say WORDS. */
static void
assert_refused(const char *words)
{
    struct bh_store *s;

    ck_assert_int_eq(bh_store_open_writer(&s, bh_logbox_path(""), BH_SYNC_FULL),
                     -EINVAL);
    ck_assert_ptr_null(s);
    ck_assert_msg(strstr(bh_store_error(NULL), words) != NULL, "%s",
                  bh_store_error(NULL));
    ck_assert(!bh_logbox_locked());
    ck_assert_int_eq(bh_store_open_reader(&s, bh_logbox_path("")), -EINVAL);
    ck_assert_ptr_null(s);
    ck_assert_msg(strstr(bh_store_error(NULL), words) != NULL, "%s",
                  bh_store_error(NULL));
    ck_assert_ptr_nonnull(strstr(bh_store_error(NULL), bh_logbox_path("")));
}

START_TEST(foreign_files_are_refused_and_left_alone)
{
    FILE *f = fopen(bh_logbox_path(""), "w");

    for (int i = 0; i < 500; i++) fputs("not a database\n", f);
    fclose(f);
    assert_refused("file is not a database");
    ck_assert_int_eq(bh_logbox_size(""), 500 * 15);

    unlink(bh_logbox_path(""));
    bh_logbox_sql("CREATE TABLE theirs (x)");
    assert_refused("another application's database");
    unlink(bh_logbox_path(""));
    bh_logbox_sql("PRAGMA application_id = 77; PRAGMA user_version = 1");
    assert_refused("another application's database");
    ck_assert_int_eq(bh_logbox_number("SELECT count(*) FROM sqlite_schema"), 0);
    ck_assert_int_eq(bh_logbox_number("SELECT journal_mode = 'delete'"
                                      " FROM pragma_journal_mode"),
                     1);

    unlink(bh_logbox_path(""));
    ck_assert_int_eq(symlink("/dev/null", bh_logbox_path("")), 0);
    assert_refused("not a regular file");
}
END_TEST

START_TEST(newer_log_is_refused)
{
    bh_store_close(bh_logbox_writer(BH_SYNC_FULL));
    bh_logbox_sql("PRAGMA user_version = 99");
    assert_refused("made by a newer Bellhop (schema version 99");
}
END_TEST

START_TEST(damaged_log_is_refused)
{
    bh_store_close(bh_logbox_writer(BH_SYNC_FULL));
    bh_logbox_sql("DROP INDEX events_channel");
    assert_refused("events_channel");
    bh_logbox_sql("CREATE INDEX events_channel ON events (domain, org_id);"
                  "DELETE FROM log");
    assert_refused("no name");
}
END_TEST

START_TEST(migrations_are_applied_once_and_whole)
{
    static const struct bh_step good[] = {
        {1, "CREATE TABLE events (never, run)"},
        {22,
         "ALTER TABLE log ADD COLUMN two INTEGER; PRAGMA user_version = 22"},
        {23, "ALTER TABLE log ADD COLUMN three TEXT; PRAGMA user_version = 23"},
    };
    static const struct bh_step bad[] = {
        {24, "ALTER TABLE log ADD COLUMN four TEXT; PRAGMA user_version = 24"},
        {25, "ALTER TABLE nothing ADD COLUMN five TEXT"},
    };
    struct bh_store *s = bh_logbox_writer(BH_SYNC_FULL);

    bh_logbox_put(s, "o", NULL, "a");
    for (int i = 0; i < 2; i++) {
        bh_logbox_begin(s);
        ck_assert_int_eq(bh_store_migrate(s, good, bh_countof(good)), 0);
        bh_logbox_commit(s);
    }
    ck_assert_int_eq(bh_logbox_number("PRAGMA user_version"), 23);
    ck_assert_int_eq(bh_logbox_number("SELECT two IS NULL AND three IS NULL"
                                      " FROM log, events"),
                     1);
    bh_logbox_begin(s);
    ck_assert_int_eq(bh_store_migrate(s, bad, bh_countof(bad)), -EINVAL);
    bh_store_rollback(s);
    ck_assert_int_eq(bh_logbox_number("PRAGMA user_version"), 23);
    ck_assert_int_eq(bh_logbox_number("SELECT count(*) FROM"
                                      " pragma_table_info('log')"
                                      " WHERE name = 'four'"),
                     0);
    bh_store_close(s);
}
END_TEST

/* Run embed.sh over a copy of the schema and what SCRIPT puts beside it (it
 * stands in that folder and sets ARGS); the output goes to "log.db.h". */
static int
embed(const char *script)
{
    char command[1024];

    snprintf(command, sizeof command,
             "d=%s && rm -rf $d && mkdir -p $d/migrate && cd $d &&"
             " cp " BH_SQL_DIR "/schema.sql . && { %s; } &&"
             " sh " BH_SQL_DIR "/embed.sh ./schema.sql $ARGS"
             " >%s 2>/dev/null",
             bh_logbox_path(".sql"), script, bh_logbox_path(".h"));
    return system(command);
}

START_TEST(embedding_takes_listed_migrations_in_order)
{
    char command[256];

    ck_assert_int_eq(
        embed("printf '%s\\n' 'PRAGMA user_version = 2; -- \"a\\b\"'"
              " >migrate/002-x.sql;"
              " ARGS=./migrate/002-x.sql"),
        0);
    snprintf(command, sizeof command,
             "grep -qF '\"PRAGMA user_version = 2; -- \\\"a\\\\b\\\"\\n\"' %s",
             bh_logbox_path(".h"));
    ck_assert_int_eq(system(command), 0);

    ck_assert_int_ne(
        embed("echo 'PRAGMA user_version = 2;' >migrate/002-x.sql; ARGS="), 0);
    ck_assert_int_ne(embed("echo 'SELECT 1;' >migrate/002-x.sql;"
                           " ARGS=./migrate/002-x.sql"),
                     0);
    ck_assert_int_ne(embed("echo 'PRAGMA user_version = 3;' >migrate/003-x.sql;"
                           " ARGS=./migrate/003-x.sql"),
                     0);
}
END_TEST

/* ---- sync = normal and a reboot ---- */

static void
reboot(void)
{
    bh_logbox_sql("UPDATE log SET boot_id = 'ea-r1ier' WHERE boot_id != ''");
}

static int64_t
head_after_open(enum bh_sync sync)
{
    struct bh_store *s = bh_logbox_writer(sync);
    int64_t head = bh_logbox_span(s).head;

    bh_store_close(s);
    return head;
}

START_TEST(unsynced_commits_of_an_earlier_boot_move_the_sequence)
{
    struct bh_store *s = bh_logbox_writer(BH_SYNC_NORMAL);

    ck_assert_int_eq(bh_logbox_put(s, "o", NULL, "a"), 1);
    bh_store_close(s);
    ck_assert_int_eq(head_after_open(BH_SYNC_NORMAL), 1); /* the same boot */
    reboot();
    ck_assert_int_eq(head_after_open(BH_SYNC_NORMAL), 1000001);
    ck_assert_int_eq(head_after_open(BH_SYNC_NORMAL), 1000001);
    /* Whatever the sync is now: the commits that may be lost were earlier. */
    reboot();
    ck_assert_int_eq(head_after_open(BH_SYNC_FULL), 2000001);
    reboot();
    ck_assert_int_eq(head_after_open(BH_SYNC_FULL), 2000001);
    ck_assert_int_eq(head_after_open(BH_SYNC_NORMAL), 2000001);

    s = bh_logbox_writer(BH_SYNC_NORMAL);
    ck_assert_int_eq(bh_logbox_put(s, "o", NULL, "b"), 2000002);
    bh_logbox_page(s, NULL, 0, 10, "1:a 2000002:b ");
    bh_store_close(s);
}
END_TEST

START_TEST(an_empty_log_moves_its_sequence_too)
{
    ck_assert_int_eq(head_after_open(BH_SYNC_NORMAL), 0);
    reboot();
    ck_assert_int_eq(head_after_open(BH_SYNC_NORMAL), 1000000);
}
END_TEST

START_TEST(sync_is_as_asked)
{
    struct bh_store *s = bh_logbox_writer(BH_SYNC_FULL);
    struct bh_store *n = bh_logbox_writer(BH_SYNC_NORMAL);
    struct bh_store *const both[] = {n, s};

    for (int i = 0; i < 2; i++) {
        sqlite3_stmt *q;

        sqlite3_prepare_v2(both[i]->db, "PRAGMA synchronous", -1, &q, NULL);
        ck_assert_int_eq(sqlite3_step(q), SQLITE_ROW);
        ck_assert_int_eq(sqlite3_column_int(q, 0), i + 1);
        sqlite3_finalize(q);
    }
    bh_store_close(n);
    bh_store_close(s);
}
END_TEST

Suite *
check_store_lay(void)
{
    Suite *suite = suite_create("store_lay");
    TCase *tc = tcase_create("lay");

    tcase_add_checked_fixture(tc, bh_logbox_setup, bh_logbox_teardown);
    tcase_add_test(tc, foreign_files_are_refused_and_left_alone);
    tcase_add_test(tc, newer_log_is_refused);
    tcase_add_test(tc, damaged_log_is_refused);
    tcase_add_test(tc, migrations_are_applied_once_and_whole);
    tcase_add_test(tc, embedding_takes_listed_migrations_in_order);
    tcase_add_test(tc, unsynced_commits_of_an_earlier_boot_move_the_sequence);
    tcase_add_test(tc, an_empty_log_moves_its_sequence_too);
    tcase_add_test(tc, sync_is_as_asked);
    suite_add_tcase(suite, tc);
    return suite;
}
