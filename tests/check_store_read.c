#include "base.h"
#include "store_db.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "logbox.h"
#include "suites.h"

static void
fill_channel(struct bh_store *s)
{
    bh_logbox_put(s, "o", NULL, "a");
    bh_logbox_put(s, "o", "p", "b");
    bh_logbox_put(s, "x", "p", "other");
    bh_logbox_put(s, "o", "q\"'", "c");
    bh_logbox_put(s, "o", "pp", "d");
    bh_logbox_put(s, "o", NULL, "e");
}

START_TEST(page_is_one_channel_in_order_through_the_filter)
{
    struct bh_store *s = bh_logbox_writer(BH_SYNC_FULL);

    fill_channel(s);
    struct bh_store *r = bh_logbox_reader();
    bh_logbox_page(r, NULL, 0, 10, "1:a 2:b 4:c 5:d 6:e ");
    bh_logbox_page(r, NULL, 2, 2, "4:c 5:d ");
    bh_logbox_page(r, NULL, 6, 10, "");
    bh_logbox_page(r, NULL, 0, 0, "");
    bh_logbox_page(r, "", 0, 10, "1:a 6:e ");
    bh_logbox_page(r, "p", 0, 10, "1:a 2:b 6:e ");
    bh_logbox_page(r, "pp", 0, 10, "1:a 5:d 6:e ");
    bh_logbox_page(r, "p q\"'", 0, 10, "1:a 2:b 4:c 6:e ");
    bh_logbox_page(r, "p", 0, 2, "1:a 2:b "); /* the limit counts what passes */
    bh_logbox_page(r, "p", 2, 1, "6:e ");
    bh_logbox_page(r, "none", 1, 10, "6:e ");
    bh_store_close(r);
    bh_store_close(s);
}
END_TEST

START_TEST(page_takes_as_many_properties_as_a_token)
{
    struct bh_store *s = bh_logbox_writer(BH_SYNC_FULL);
    struct bh_str names[BH_PROPERTIES_MAX];
    char text[BH_PROPERTIES_MAX][8];
    struct bh_seen seen = {.text = ""};

    for (size_t i = 0; i < BH_PROPERTIES_MAX; i++) {
        snprintf(text[i], sizeof text[i], "p%03zu", i);
        names[i] = bh_logbox_str(text[i]);
    }
    bh_logbox_put(s, "o", "p000", "first");
    bh_logbox_put(s, "o", "p255", "last");
    bh_logbox_put(s, "o", "p256", "none");
    ck_assert_int_eq(
        bh_store_page(s, bh_logbox_str("tasks"), bh_logbox_str("o"), false,
                      names, BH_PROPERTIES_MAX, 0, 10, bh_logbox_see, &seen),
        0);
    ck_assert_str_eq(seen.text, "1:first 2:last ");
    bh_store_close(s);
}
END_TEST

START_TEST(follow_is_all_channels_in_order_and_stops_when_told)
{
    struct bh_store *s = bh_logbox_writer(BH_SYNC_FULL);
    struct bh_seen seen = {.text = ""};

    fill_channel(s);
    ck_assert_int_eq(bh_store_follow(s, 1, 3, bh_logbox_see, &seen), 0);
    ck_assert_str_eq(seen.text, "2:b 3:other 4:c ");
    seen = (struct bh_seen){.stop_after = 2};
    ck_assert_int_eq(bh_store_follow(s, 0, 100, bh_logbox_see, &seen), 0);
    ck_assert_str_eq(seen.text, "1:a 2:b ");
    seen = (struct bh_seen){.stop_after = 0};
    ck_assert_int_eq(bh_store_follow(s, 6, 100, bh_logbox_see, &seen), 0);
    ck_assert_str_eq(seen.text, "");
    bh_store_close(s);
}
END_TEST

static bool
between(struct bh_store *s, const char *org, int64_t after, int64_t upto)
{
    bool any;

    ck_assert_int_eq(bh_store_between(s, bh_logbox_str("tasks"),
                                      bh_logbox_str(org), after, upto, &any),
                     0);
    return any;
}

START_TEST(between_has_an_open_and_a_closed_end)
{
    struct bh_store *s = bh_logbox_writer(BH_SYNC_FULL);

    fill_channel(s);
    ck_assert(between(s, "x", 0, 6));
    ck_assert(between(s, "x", 2, 3));
    ck_assert(!between(s, "x", 3, 6));
    ck_assert(!between(s, "x", 0, 2));
    ck_assert(!between(s, "y", 0, 6));
    ck_assert(!between(s, "o", 2, 3));
    bh_store_close(s);
}
END_TEST

START_TEST(before_looks_back_from_the_head)
{
    struct bh_store *s = bh_logbox_writer(BH_SYNC_FULL);
    int64_t seq = -1;

    ck_assert_int_eq(bh_store_before(s, INT64_MAX, &seq), 0);
    ck_assert_int_eq(seq, 0);
    for (int i = 1; i <= 5; i++) {
        bh_clock_fake(0, 1000 * i);
        bh_logbox_put(s, "o", NULL,
                      (const char *[]){"a", "b", "c", "d", "e"}[i - 1]);
    }
    ck_assert_int_eq(bh_store_before(s, 3000, &seq), 0);
    ck_assert_int_eq(seq, 2);
    ck_assert_int_eq(bh_store_before(s, 3001, &seq), 0);
    ck_assert_int_eq(seq, 3);
    ck_assert_int_eq(bh_store_before(s, 1000, &seq), 0);
    ck_assert_int_eq(seq, 0);
    ck_assert_int_eq(bh_store_before(s, INT64_MAX, &seq), 0);
    ck_assert_int_eq(seq, 5);
    bh_store_close(s);
}
END_TEST

START_TEST(changed_tells_of_others_commits_once)
{
    struct bh_store *s = bh_logbox_writer(BH_SYNC_FULL);
    struct bh_store *r = bh_logbox_reader();
    bool changed = true;

    ck_assert_int_eq(bh_store_changed(r, &changed), 0);
    ck_assert(!changed);
    bh_logbox_put(s, "o", NULL, "a");
    ck_assert_int_eq(bh_store_changed(r, &changed), 0);
    ck_assert(changed);
    ck_assert_int_eq(bh_logbox_span(r).head, 1);
    ck_assert_int_eq(bh_store_changed(r, &changed), 0);
    ck_assert(!changed);
    bh_logbox_begin(s);
    bh_store_rollback(s);
    ck_assert_int_eq(bh_store_changed(r, &changed), 0);
    ck_assert(!changed);
    bh_store_close(r);
    bh_store_close(s);
}
END_TEST

START_TEST(no_call_leaves_a_read_open)
{
    struct bh_store *s = bh_logbox_writer(BH_SYNC_FULL);
    struct bh_seen seen = {.stop_after = 1};
    int64_t seq;
    bool yes;

    fill_channel(s);
    struct bh_store *r = bh_logbox_reader();
    ck_assert_int_eq(bh_store_follow(r, 0, 3, bh_logbox_see, &seen), 0);
    seen.rows = 0;
    bh_logbox_page(r, NULL, 0, 1, "1:a ");
    ck_assert_int_eq(bh_store_before(r, INT64_MAX, &seq), 0);
    ck_assert_int_eq(bh_store_changed(r, &yes), 0);
    between(r, "o", 0, 6);
    bh_logbox_span(r);
    ck_assert_int_eq(sqlite3_txn_state(r->db, NULL), SQLITE_TXN_NONE);
    bh_store_close(r);
    bh_store_close(s);
}
END_TEST

START_TEST(every_query_uses_the_index_meant_for_it)
{
    struct bh_store *s = bh_logbox_writer(BH_SYNC_FULL);
    static const struct {
        enum bh_query q;
        const char *plan;
    } expected[] = {
        {BH_Q_FOLLOW, "SEARCH events USING INTEGER PRIMARY KEY (rowid>?)"},
        {BH_Q_PAGE, "SEARCH events USING INDEX events_channel"
                    " (domain=? AND org_id=? AND rowid>?)"},
        {BH_Q_BETWEEN, "SEARCH events USING COVERING INDEX events_channel"
                       " (domain=? AND org_id=? AND rowid>? AND rowid<?)"},
        {BH_Q_FIND, "SEARCH events USING INDEX sqlite_autoindex_events_1"
                    " (event_id=? AND org_id=? AND domain=?)"},
    };

    for (size_t i = 0; i < bh_countof(expected); i++) {
        char text[512];
        sqlite3_stmt *q;

        snprintf(text, sizeof text, "EXPLAIN QUERY PLAN %s",
                 sqlite3_sql(s->q[expected[i].q]));
        ck_assert_int_eq(sqlite3_prepare_v2(s->db, text, -1, &q, NULL), 0);
        ck_assert_int_eq(sqlite3_step(q), SQLITE_ROW);
        ck_assert_str_eq((const char *)sqlite3_column_text(q, 3),
                         expected[i].plan);
        ck_assert_int_eq(sqlite3_step(q), SQLITE_DONE); /* no sorting */
        sqlite3_finalize(q);
    }
    bh_store_close(s);
}
END_TEST

START_TEST(sqlite_without_memory_is_told)
{
    struct bh_store *s = bh_logbox_writer(BH_SYNC_FULL);
    struct bh_seen seen = {.text = ""};

    bh_logbox_begin(s);
    ck_assert_int_eq(bh_logbox_append_big(s, "big"), 0);
    bh_logbox_commit(s);
    struct bh_store *r = bh_logbox_reader();
    sqlite3_hard_heap_limit64(sqlite3_memory_used() + 20000);
    ck_assert_int_eq(bh_store_follow(r, 0, 10, bh_logbox_see, &seen), -ENOMEM);
    sqlite3_hard_heap_limit64(0);
    ck_assert_int_eq(seen.rows, 0);
    ck_assert_int_eq(bh_store_follow(r, 0, 10, bh_logbox_see, &seen), 0);
    ck_assert_int_eq(seen.rows, 1);
    bh_store_close(r);
    bh_store_close(s);
}
END_TEST

Suite *
check_store_read(void)
{
    Suite *suite = suite_create("store_read");
    TCase *tc = tcase_create("read");

    tcase_add_checked_fixture(tc, bh_logbox_setup, bh_logbox_teardown);
    tcase_add_test(tc, page_is_one_channel_in_order_through_the_filter);
    tcase_add_test(tc, page_takes_as_many_properties_as_a_token);
    tcase_add_test(tc, follow_is_all_channels_in_order_and_stops_when_told);
    tcase_add_test(tc, between_has_an_open_and_a_closed_end);
    tcase_add_test(tc, before_looks_back_from_the_head);
    tcase_add_test(tc, changed_tells_of_others_commits_once);
    tcase_add_test(tc, no_call_leaves_a_read_open);
    tcase_add_test(tc, every_query_uses_the_index_meant_for_it);
    tcase_add_test(tc, sqlite_without_memory_is_told);
    suite_add_tcase(suite, tc);
    return suite;
}
