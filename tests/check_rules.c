/* check_rules.c: who is denied and what is off: in memory, and in the tables.
 */
#include "base.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "logbox.h"
#include "mem.h"
#include "rules.h"
#include "store.h"
#include "suites.h"

#define NOW 1763900000000

static struct bh_str
str(const char *s)
{
    return (struct bh_str){s, strlen(s)};
}

static bool
denied(const struct bh_rules *r, enum bh_denied_kind kind, const char *value,
       const char *org)
{
    return bh_rules_denied(r, kind, str(value), str(org), NOW);
}

/* ---- in memory ---- */

START_TEST(finds_by_kind_value_and_org)
{
    struct bh_rules *r = bh_rules_new();

    ck_assert_int_eq(bh_rules_deny(r, BH_DENIED_SUB, str("anna"), str("o1"), 0),
                     0);
    ck_assert_int_eq(bh_rules_deny(r, BH_DENIED_SUB, str("anna"), str("o3"), 0),
                     0);
    ck_assert_int_eq(bh_rules_deny(r, BH_DENIED_SUB, str("ann"), str(""), 0),
                     0);
    ck_assert_int_eq(bh_rules_deny(r, BH_DENIED_JTI, str("t1"), str(""), 0), 0);
    ck_assert_int_eq(bh_rules_switch_off(r, str("tasks")), 0);
    bh_rules_seal(r);
    ck_assert(denied(r, BH_DENIED_SUB, "anna", "o1"));
    ck_assert(denied(r, BH_DENIED_SUB, "anna", "o3"));
    ck_assert(!denied(r, BH_DENIED_SUB, "anna", "o2"));
    ck_assert(!denied(r, BH_DENIED_SUB, "anna", ""));
    ck_assert(denied(r, BH_DENIED_SUB, "ann", "whatever"));
    ck_assert(!denied(r, BH_DENIED_SUB, "annab", "o1"));
    ck_assert(!denied(r, BH_DENIED_JTI, "anna", "o1"));
    ck_assert(denied(r, BH_DENIED_JTI, "t1", ""));
    ck_assert(!denied(r, BH_DENIED_SUB, "tasks", ""));
    ck_assert(!denied(r, BH_DENIED_JTI, "", ""));
    ck_assert(bh_rules_off(r, str("tasks")));
    ck_assert(!bh_rules_off(r, str("task")));
    ck_assert_uint_eq(bh_rules_count(r, BH_DENIED_SUB), 3);
    bh_rules_put(r);
    ck_assert(!denied(NULL, BH_DENIED_SUB, "anna", "o1"));
    ck_assert(!bh_rules_off(NULL, str("tasks")));
}
END_TEST

START_TEST(ends_by_the_clock)
{
    struct bh_rules *r = bh_rules_new();

    bh_rules_deny(r, BH_DENIED_SUB, str("a"), str(""), NOW);
    bh_rules_deny(r, BH_DENIED_SUB, str("b"), str(""), NOW + 1);
    bh_rules_seal(r);
    ck_assert(!denied(r, BH_DENIED_SUB, "a", ""));
    ck_assert(denied(r, BH_DENIED_SUB, "b", ""));
    bh_rules_put(r);
}
END_TEST

START_TEST(thousands_are_all_found)
{
    struct bh_rules *r = bh_rules_new(), *again = bh_rules_new();
    char name[32];

    for (int i = 0; i < BH_DENIED_MAX; i++) {
        snprintf(name, sizeof name, "user-%d", i * 7919 % BH_DENIED_MAX);
        ck_assert_int_eq(bh_rules_deny(r, BH_DENIED_SUB, str(name), str(""), 0),
                         0);
        snprintf(name, sizeof name, "user-%d", i);
        bh_rules_deny(again, BH_DENIED_SUB, str(name), str(""), 0);
    }
    bh_rules_seal(r);
    bh_rules_seal(again);
    for (int i = 0; i < BH_DENIED_MAX; i++) {
        snprintf(name, sizeof name, "user-%d", i);
        ck_assert(denied(r, BH_DENIED_SUB, name, "o"));
    }
    ck_assert(!denied(r, BH_DENIED_SUB, "user-10000", "o"));
    ck_assert(bh_rules_same(r, again));
    bh_rules_put(r);
    ck_assert(!bh_rules_same(NULL, again));
    ck_assert(bh_rules_same(NULL, NULL));
    bh_rules_put(again);
}
END_TEST

START_TEST(no_memory_is_said)
{
    size_t before = bh_mem_used();

    for (unsigned long n = 1; n < 4; n++) {
        bh_mem_fail_at(n);
        struct bh_rules *r = bh_rules_new();
        int rc = r ? bh_rules_deny(r, BH_DENIED_SUB, str("a"), str("o"), 0)
                   : -ENOMEM;
        bh_mem_fail_at(0);
        ck_assert_int_eq(rc, -ENOMEM);
        bh_rules_put(r);
        ck_assert_uint_eq(bh_mem_used(), before);
    }
}
END_TEST

/* ---- in the tables ---- */

static struct bh_store *s;

static void
setup(void)
{
    bh_clock_fake(1000, NOW);
    bh_logbox_setup();
    s = bh_logbox_writer(BH_SYNC_NORMAL);
}

static void
teardown(void)
{
    bh_store_close(s);
    bh_logbox_teardown();
    bh_clock_real();
}

static int
deny(const char *value, const char *org, int64_t until)
{
    struct bh_denied d = {.kind = BH_DENIED_SUB,
                          .value = str(value),
                          .org = str(org),
                          .until = until};

    return bh_store_deny(s, &d);
}

static struct bh_rules *
rules(void)
{
    struct bh_store *r = bh_logbox_reader();
    struct bh_rules *out;

    ck_assert_int_eq(bh_store_rules(r, &out), 0);
    bh_store_close(r);
    return out;
}

START_TEST(tables_become_rules)
{
    bool found;

    bh_logbox_begin(s);
    ck_assert_int_eq(deny("anna", "o1", 0), 0);
    ck_assert_int_eq(deny("anna", "o1", NOW + 5000), 0); /* replaces */
    ck_assert_int_eq(deny("bert", "", 0), 0);
    ck_assert_int_eq(bh_store_switch(s, str("tasks"), false), 0);
    ck_assert_int_eq(bh_store_switch(s, str("rooms"), false), 0);
    ck_assert_int_eq(bh_store_switch(s, str("rooms"), true), 0);
    bh_logbox_commit(s);
    struct bh_rules *r = rules();
    ck_assert(denied(r, BH_DENIED_SUB, "anna", "o1"));
    ck_assert(
        !bh_rules_denied(r, BH_DENIED_SUB, str("anna"), str("o1"), NOW + 5000));
    ck_assert(denied(r, BH_DENIED_SUB, "bert", "o9"));
    ck_assert(bh_rules_off(r, str("tasks")));
    ck_assert(!bh_rules_off(r, str("rooms")));
    bh_rules_put(r);
    bh_logbox_begin(s);
    ck_assert_int_eq(
        bh_store_undeny(s, BH_DENIED_SUB, str("bert"), str("o1"), &found), 0);
    ck_assert(!found);
    ck_assert_int_eq(
        bh_store_undeny(s, BH_DENIED_SUB, str("bert"), str(""), &found), 0);
    ck_assert(found);
    bh_logbox_commit(s);
    r = rules();
    ck_assert(!denied(r, BH_DENIED_SUB, "bert", "o9"));
    bh_rules_put(r);
}
END_TEST

START_TEST(full_until_some_have_ended)
{
    char name[32];

    bh_logbox_begin(s);
    for (int i = 0; i < BH_DENIED_MAX; i++) {
        snprintf(name, sizeof name, "u%d", i);
        ck_assert_int_eq(deny(name, "", i == 0 ? NOW + 1000 : 0), 0);
    }
    bh_logbox_commit(s);
    bh_logbox_begin(s);
    ck_assert_int_eq(deny("one more", "", 0), -EDQUOT);
    ck_assert_ptr_nonnull(strstr(bh_store_error(s), "full"));
    bh_store_rollback(s);
    ck_assert_int_eq(bh_logbox_number("SELECT count(*) FROM denied"),
                     BH_DENIED_MAX);
    bh_clock_fake(1000, NOW + 1000);
    bh_logbox_begin(s);
    ck_assert_int_eq(deny("one more", "", 0), 0);
    bh_logbox_commit(s);
    ck_assert_int_eq(bh_logbox_number("SELECT count(*) FROM denied"),
                     BH_DENIED_MAX);
    struct bh_rules *r = rules();
    ck_assert(denied(r, BH_DENIED_SUB, "one more", ""));
    bh_rules_put(r);
}
END_TEST

START_TEST(only_in_a_transaction)
{
    bool found;

    ck_assert_int_eq(deny("a", "", 0), -EINVAL);
    ck_assert_int_eq(bh_store_switch(s, str("tasks"), false), -EINVAL);
    ck_assert_int_eq(
        bh_store_undeny(s, BH_DENIED_SUB, str("a"), str(""), &found), -EINVAL);
}
END_TEST

Suite *
check_rules(void)
{
    Suite *suite = suite_create("rules");
    TCase *t = tcase_create("memory");

    tcase_add_test(t, finds_by_kind_value_and_org);
    tcase_add_test(t, ends_by_the_clock);
    tcase_add_test(t, thousands_are_all_found);
    tcase_add_test(t, no_memory_is_said);
    suite_add_tcase(suite, t);
    t = tcase_create("tables");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, tables_become_rules);
    tcase_add_test(t, full_until_some_have_ended);
    tcase_add_test(t, only_in_a_transaction);
    suite_add_tcase(suite, t);
    return suite;
}
